package dev.lido.plugin

import com.intellij.codeInsight.inline.completion.DefaultInlineCompletionInsertHandler
import com.intellij.codeInsight.inline.completion.InlineCompletion
import com.intellij.codeInsight.inline.completion.InlineCompletionEvent
import com.intellij.codeInsight.inline.completion.InlineCompletionEventAdapter
import com.intellij.codeInsight.inline.completion.InlineCompletionEventType
import com.intellij.codeInsight.inline.completion.InlineCompletionInsertEnvironment
import com.intellij.codeInsight.inline.completion.InlineCompletionInsertHandler
import com.intellij.codeInsight.inline.completion.InlineCompletionProvider
import com.intellij.codeInsight.inline.completion.InlineCompletionProviderID
import com.intellij.codeInsight.inline.completion.InlineCompletionRequest
import com.intellij.codeInsight.inline.completion.elements.InlineCompletionElement
import com.intellij.codeInsight.inline.completion.elements.InlineCompletionGrayTextElement
import com.intellij.codeInsight.inline.completion.suggestion.InlineCompletionSingleSuggestion
import com.intellij.codeInsight.inline.completion.suggestion.InlineCompletionSuggestion
import com.intellij.openapi.application.ApplicationManager
import com.intellij.openapi.editor.Editor
import com.intellij.openapi.project.Project
import com.intellij.openapi.util.Computable
import com.intellij.openapi.util.Disposer
import com.intellij.openapi.util.Key
import dev.lido.core.Failures
import dev.lido.core.GhostText
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.future.await
import org.eclipse.lsp4j.Position

/** Ghost text by the platform's own inline completion. Kotlin, because its interface suspends. */
class LidoInlineCompletionProvider : InlineCompletionProvider {
    override val id: InlineCompletionProviderID
        get() = InlineCompletionProviderID("dev.lido")

    override fun isEnabled(event: InlineCompletionEvent): Boolean = when (event) {
        is InlineCompletionEvent.DirectCall -> true
        is InlineCompletionEvent.DocumentChange -> LidoSettings.get().settings().completions
        else -> false
    }

    private class Place(val uri: String, val text: String, val caret: Int, val position: Position)

    override suspend fun getSuggestion(request: InlineCompletionRequest): InlineCompletionSuggestion {
        val editor = request.editor
        val project = editor.project ?: return InlineCompletionSuggestion.Empty
        val place = ApplicationManager.getApplication().runReadAction(Computable { place(request) })
            ?: return InlineCompletionSuggestion.Empty
        val service = LidoService.of(project)
        val invoked = request.event is InlineCompletionEvent.DirectCall
        val found = try {
            // Cancelling this coroutine, as the next key does, cancels the future and so the request.
            service.lido().completions().request(place.uri, place.position, invoked, null).await()
        } catch (cancelled: CancellationException) {
            throw cancelled
        } catch (error: Exception) {
            if (invoked && !Failures.cancelled(error)) LidoService.onUi { service.failed(error) }
            return InlineCompletionSuggestion.Empty
        }
        val suggestion = found.orElse(null) ?: return InlineCompletionSuggestion.Empty
        val ghost = GhostText.at(suggestion, place.text, place.caret) ?: return InlineCompletionSuggestion.Empty
        LidoService.onUi { if (!project.isDisposed) draw(project, editor, ghost) }
        return InlineCompletionSingleSuggestion.build { emit(InlineCompletionGrayTextElement(ghost.text())) }
    }

    private fun place(request: InlineCompletionRequest): Place? {
        val uri = DocumentSync.uri(request.document) ?: return null
        val caret = request.endOffset
        return Place(uri, request.document.text, caret, DocumentSync.position(request.document, caret))
    }

    private fun draw(project: Project, editor: Editor, ghost: GhostText) {
        LidoService.of(project).sync().draws(editor.document, ghost)
        if (editor.getUserData(LISTENING) != null) return
        val listening = Disposer.newDisposable("Lido ghost text")
        Disposer.register(LidoService.of(project), listening)
        editor.putUserData(LISTENING, true)
        Disposer.register(listening) { editor.putUserData(LISTENING, null) }
        InlineCompletion.getHandlerOrNull(editor)?.addEventListener(Shown(project, editor), listening)
        LidoService.of(project).sync().whenReleased(editor, listening)
    }

    /** What the platform shows and hides; the rest is read off the document (see [GhostText]). */
    private class Shown(private val project: Project, private val editor: Editor) : InlineCompletionEventAdapter {
        private fun drawn() = LidoService.of(project).sync().drawn(editor.document)

        override fun onShow(event: InlineCompletionEventType.Show) {
            drawn()?.suggestion()?.shown()
        }

        override fun onHide(event: InlineCompletionEventType.Hide) {
            if (event.finishType.name == "ESCAPE_PRESSED") drawn()?.hidden("escape")
        }
    }

    override val insertHandler: InlineCompletionInsertHandler
        get() = Replacing

    /** Takes away what the suggestion stands in place of after the caret. */
    private object Replacing : DefaultInlineCompletionInsertHandler() {
        override fun afterInsertion(
            environment: InlineCompletionInsertEnvironment,
            elements: List<InlineCompletionElement>,
        ) {
            val project = environment.editor.project ?: return
            val document = environment.editor.document
            val replaced = LidoService.of(project).sync().taken(document)
            if (replaced > 0) {
                val end = environment.insertedRange.endOffset
                document.deleteString(end, minOf(end + replaced, document.textLength))
            }
            super.afterInsertion(environment, elements)
        }
    }

    private companion object {
        val LISTENING: Key<Boolean> = Key.create("dev.lido.listening")
    }
}
