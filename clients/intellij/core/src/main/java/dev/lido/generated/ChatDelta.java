// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * @param conversationId In the first one: a cancelled request has no answer that could tell it.
 */
public record ChatDelta(String delta, String conversationId) {
    public ChatDelta(String delta) {
        this(delta, null);
    }

    public ChatDelta withConversationId(String conversationId) {
        return new ChatDelta(delta, conversationId);
    }
}
