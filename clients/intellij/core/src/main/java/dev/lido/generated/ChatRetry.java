// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import org.eclipse.lsp4j.jsonrpc.messages.Either;

/**
 * lido/chat/retry: the last question again, of model where one is named.
 */
public record ChatRetry(String conversationId, String model, Either<String, Integer> partialResultToken, Either<String, Integer> workDoneToken) {
    public ChatRetry(String conversationId) {
        this(conversationId, null, null, null);
    }

    public ChatRetry withModel(String model) {
        return new ChatRetry(conversationId, model, partialResultToken, workDoneToken);
    }

    public ChatRetry withPartialResultToken(Either<String, Integer> partialResultToken) {
        return new ChatRetry(conversationId, model, partialResultToken, workDoneToken);
    }

    public ChatRetry withWorkDoneToken(Either<String, Integer> workDoneToken) {
        return new ChatRetry(conversationId, model, partialResultToken, workDoneToken);
    }
}
