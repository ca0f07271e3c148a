// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * @param text The conversation as Markdown.
 */
public record ChatExported(String text) {
}
