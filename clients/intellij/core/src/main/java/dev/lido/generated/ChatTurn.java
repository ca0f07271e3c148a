// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * @param role One of: user, assistant.
 */
public record ChatTurn(String role, String text) {
}
