package dev.lido.core;

import dev.lido.generated.CompletionOutcome;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.eclipse.lsp4j.InlineCompletionContext;
import org.eclipse.lsp4j.InlineCompletionItem;
import org.eclipse.lsp4j.InlineCompletionParams;
import org.eclipse.lsp4j.InlineCompletionTriggerKind;
import org.eclipse.lsp4j.Position;
import org.eclipse.lsp4j.SelectedCompletionInfo;
import org.eclipse.lsp4j.TextDocumentIdentifier;

/** Suggestions at the cursor, and what became of them: each that was shown ends in one outcome. */
public final class Completions {
    private final Lido lido;

    Completions(Lido lido) {
        this.lido = lido;
    }

    /**
     * Asks for a suggestion. Cancel the answer as soon as the person goes on.
     *
     * @param invoked whether the person asked for it, rather than typed
     * @param selected the item that is chosen in the completion list, null without one
     */
    public CompletableFuture<Optional<Suggestion>> request(
            String uri, Position at, boolean invoked, SelectedCompletionInfo selected) {
        var kind = invoked ? InlineCompletionTriggerKind.Invoked : InlineCompletionTriggerKind.Automatic;
        var params = new InlineCompletionParams(
                new TextDocumentIdentifier(uri), at, new InlineCompletionContext(kind, selected));
        var asked = lido.ask(server -> server.getTextDocumentService().inlineCompletion(params));
        CompletableFuture<Optional<Suggestion>> answer = new CompletableFuture<>();
        answer.whenComplete((value, error) -> {
            if (answer.isCancelled()) asked.cancel(true);
        });
        asked.whenComplete((value, error) -> {
            if (error != null) {
                answer.completeExceptionally(Failures.cause(error));
                return;
            }
            List<InlineCompletionItem> items =
                    value == null ? List.of() : value.isLeft() ? value.getLeft() : value.getRight().getItems();
            answer.complete(items.stream().findFirst().map(item -> new Suggestion(this, item, at)));
        });
        return answer;
    }

    void shown(String id) {
        lido.tell(server -> server.completionShown(new CompletionOutcome(id)));
    }

    void dismissed(String id, String reason) {
        lido.tell(server -> server.completionDismissed(new CompletionOutcome(id).withReason(reason)));
    }

    void partiallyAccepted(String id, int length) {
        lido.tell(server -> server.completionPartiallyAccepted(new CompletionOutcome(id).withAcceptedLength(length)));
    }

    CompletableFuture<Object> accepted(String command, List<Object> arguments) {
        return lido.execute(command, arguments);
    }
}
