// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * @param rating One of: up, down.
 */
public record ChatFeedback(String messageId, String rating) {
}
