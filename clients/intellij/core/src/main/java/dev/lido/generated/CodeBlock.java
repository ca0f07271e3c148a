// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

public record CodeBlock(String language, String text, String uri) {
    public CodeBlock(String language, String text) {
        this(language, text, null);
    }

    public CodeBlock withUri(String uri) {
        return new CodeBlock(language, text, uri);
    }
}
