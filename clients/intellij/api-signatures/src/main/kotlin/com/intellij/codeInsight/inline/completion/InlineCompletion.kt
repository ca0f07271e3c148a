@file:Suppress("UNUSED_PARAMETER")

package com.intellij.codeInsight.inline.completion

import com.intellij.codeInsight.inline.completion.elements.InlineCompletionElement
import com.intellij.codeInsight.inline.completion.logs.InlineCompletionUsageTracker
import com.intellij.codeInsight.inline.completion.suggestion.InlineCompletionSuggestion
import com.intellij.codeInsight.lookup.LookupElement
import com.intellij.openapi.Disposable
import com.intellij.openapi.editor.Document
import com.intellij.openapi.editor.Editor
import com.intellij.openapi.util.TextRange
import com.intellij.openapi.util.UserDataHolderBase
import com.intellij.psi.PsiFile
import java.util.EventListener

@JvmInline
value class InlineCompletionProviderID(val id: String)

interface InlineCompletionProvider {
    val id: InlineCompletionProviderID

    val insertHandler: InlineCompletionInsertHandler
        get() = throw UnsupportedOperationException()

    suspend fun getSuggestion(request: InlineCompletionRequest): InlineCompletionSuggestion

    fun isEnabled(event: InlineCompletionEvent): Boolean
}

interface InlineCompletionEvent {
    fun toRequest(): InlineCompletionRequest?

    class DirectCall private constructor(val editor: Editor) : InlineCompletionEvent {
        override fun toRequest(): InlineCompletionRequest? = throw UnsupportedOperationException()
    }

    class DocumentChange private constructor(val editor: Editor) : InlineCompletionEvent {
        override fun toRequest(): InlineCompletionRequest? = throw UnsupportedOperationException()
    }

    class LookupChange private constructor() : InlineCompletionEvent {
        override fun toRequest(): InlineCompletionRequest? = throw UnsupportedOperationException()
    }
}

class InlineCompletionRequest(
    val event: InlineCompletionEvent,
    val file: PsiFile,
    val editor: Editor,
    val document: Document,
    val startOffset: Int,
    val endOffset: Int,
    val lookupElement: LookupElement? = null,
) : UserDataHolderBase()

interface InlineCompletionInsertHandler {
    fun afterInsertion(environment: InlineCompletionInsertEnvironment, elements: List<InlineCompletionElement>)
}

class InlineCompletionInsertEnvironment private constructor(
    val editor: Editor,
    val file: PsiFile,
    val insertedRange: TextRange,
) : UserDataHolderBase()

open class DefaultInlineCompletionInsertHandler : InlineCompletionInsertHandler {
    override fun afterInsertion(
        environment: InlineCompletionInsertEnvironment,
        elements: List<InlineCompletionElement>,
    ): Unit = throw UnsupportedOperationException()
}

sealed class InlineCompletionEventType {
    class Show private constructor() : InlineCompletionEventType()

    class Hide private constructor(
        val finishType: InlineCompletionUsageTracker.ShownEvents.FinishType,
    ) : InlineCompletionEventType()
}

interface InlineCompletionEventListener : EventListener {
    fun on(event: InlineCompletionEventType)
}

interface InlineCompletionEventAdapter : InlineCompletionEventListener {
    override fun on(event: InlineCompletionEventType): Unit = throw UnsupportedOperationException()

    fun onShow(event: InlineCompletionEventType.Show) {}

    fun onHide(event: InlineCompletionEventType.Hide) {}
}

abstract class InlineCompletionHandler private constructor() {
    fun addEventListener(listener: InlineCompletionEventListener, parentDisposable: Disposable): Unit =
        throw UnsupportedOperationException()
}

object InlineCompletion {
    fun getHandlerOrNull(editor: Editor): InlineCompletionHandler? = throw UnsupportedOperationException()
}
