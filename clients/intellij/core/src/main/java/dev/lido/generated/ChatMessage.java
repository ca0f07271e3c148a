// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * @param role One of: user, assistant.
 * @param rating One of: up, down.
 * @param complete False where the answer was cancelled or broke off; what came is kept.
 * @param attachments What went along with a question, each with its name; to be sent again with an edited
 * one.
 */
public record ChatMessage(String messageId, String role, String text, List<CodeBlock> codeBlocks, String time, String model, String rating, boolean complete, List<Attachment> attachments) {
    public ChatMessage(String messageId, String role, String text, List<CodeBlock> codeBlocks, String time, boolean complete, List<Attachment> attachments) {
        this(messageId, role, text, codeBlocks, time, null, null, complete, attachments);
    }

    public ChatMessage withModel(String model) {
        return new ChatMessage(messageId, role, text, codeBlocks, time, model, rating, complete, attachments);
    }

    public ChatMessage withRating(String rating) {
        return new ChatMessage(messageId, role, text, codeBlocks, time, model, rating, complete, attachments);
    }
}
