// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;
import org.eclipse.lsp4j.jsonrpc.messages.Either;

/**
 * lido/chat/reply: answers a conversation that the client keeps, from its oldest turn to the question;
 * nothing is stored. Streams as ChatSend does; its answer has an empty conversation id.
 */
public record ChatReply(List<ChatTurn> turns, List<Attachment> attachments, String model, Either<String, Integer> partialResultToken, Either<String, Integer> workDoneToken) {
    public ChatReply(List<ChatTurn> turns) {
        this(turns, null, null, null, null);
    }

    public ChatReply withAttachments(List<Attachment> attachments) {
        return new ChatReply(turns, attachments, model, partialResultToken, workDoneToken);
    }

    public ChatReply withModel(String model) {
        return new ChatReply(turns, attachments, model, partialResultToken, workDoneToken);
    }

    public ChatReply withPartialResultToken(Either<String, Integer> partialResultToken) {
        return new ChatReply(turns, attachments, model, partialResultToken, workDoneToken);
    }

    public ChatReply withWorkDoneToken(Either<String, Integer> workDoneToken) {
        return new ChatReply(turns, attachments, model, partialResultToken, workDoneToken);
    }
}
