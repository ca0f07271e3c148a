// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * @param role One of: user, assistant.
 * @param rating One of: up, down.
 * @param complete False where the answer was cancelled or broke off; what came is kept.
 */
public record ChatMessage(String messageId, String role, String text, List<CodeBlock> codeBlocks, String time, String model, String rating, boolean complete) {
    public ChatMessage(String messageId, String role, String text, List<CodeBlock> codeBlocks, String time, boolean complete) {
        this(messageId, role, text, codeBlocks, time, null, null, complete);
    }

    public ChatMessage withModel(String model) {
        return new ChatMessage(messageId, role, text, codeBlocks, time, model, rating, complete);
    }

    public ChatMessage withRating(String rating) {
        return new ChatMessage(messageId, role, text, codeBlocks, time, model, rating, complete);
    }
}
