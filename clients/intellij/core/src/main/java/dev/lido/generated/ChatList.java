// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * lido/chat/list: newest first; query searches titles and messages.
 */
public record ChatList(String query, Integer limit) {
    public ChatList() {
        this(null, null);
    }

    public ChatList withQuery(String query) {
        return new ChatList(query, limit);
    }

    public ChatList withLimit(Integer limit) {
        return new ChatList(query, limit);
    }
}
