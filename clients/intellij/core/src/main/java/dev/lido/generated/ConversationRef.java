// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import org.eclipse.lsp4j.jsonrpc.messages.Either;

/**
 * lido/chat/get, /delete, /retry.
 */
public record ConversationRef(String conversationId, Either<String, Integer> partialResultToken, Either<String, Integer> workDoneToken) {
    public ConversationRef(String conversationId) {
        this(conversationId, null, null);
    }

    public ConversationRef withPartialResultToken(Either<String, Integer> partialResultToken) {
        return new ConversationRef(conversationId, partialResultToken, workDoneToken);
    }

    public ConversationRef withWorkDoneToken(Either<String, Integer> workDoneToken) {
        return new ConversationRef(conversationId, partialResultToken, workDoneToken);
    }
}
