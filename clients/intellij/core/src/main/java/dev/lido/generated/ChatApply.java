// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * lido/chat/apply: a code block of an answer, for the file uri (the block's own, or the one that the
 * person chose).
 */
public record ChatApply(String text, String uri, String language) {
    public ChatApply(String text, String uri) {
        this(text, uri, null);
    }

    public ChatApply withLanguage(String language) {
        return new ChatApply(text, uri, language);
    }
}
