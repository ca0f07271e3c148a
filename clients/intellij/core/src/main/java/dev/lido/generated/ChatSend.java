// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;
import org.eclipse.lsp4j.jsonrpc.messages.Either;

/**
 * lido/chat/send; with partialResultToken the answer streams as { delta }.
 * @param replaces An earlier question's message id: this one takes its place, with all that followed.
 */
public record ChatSend(String text, String conversationId, List<Attachment> attachments, String model, String replaces, Either<String, Integer> partialResultToken, Either<String, Integer> workDoneToken) {
    public ChatSend(String text) {
        this(text, null, null, null, null, null, null);
    }

    public ChatSend withConversationId(String conversationId) {
        return new ChatSend(text, conversationId, attachments, model, replaces, partialResultToken, workDoneToken);
    }

    public ChatSend withAttachments(List<Attachment> attachments) {
        return new ChatSend(text, conversationId, attachments, model, replaces, partialResultToken, workDoneToken);
    }

    public ChatSend withModel(String model) {
        return new ChatSend(text, conversationId, attachments, model, replaces, partialResultToken, workDoneToken);
    }

    public ChatSend withReplaces(String replaces) {
        return new ChatSend(text, conversationId, attachments, model, replaces, partialResultToken, workDoneToken);
    }

    public ChatSend withPartialResultToken(Either<String, Integer> partialResultToken) {
        return new ChatSend(text, conversationId, attachments, model, replaces, partialResultToken, workDoneToken);
    }

    public ChatSend withWorkDoneToken(Either<String, Integer> workDoneToken) {
        return new ChatSend(text, conversationId, attachments, model, replaces, partialResultToken, workDoneToken);
    }
}
