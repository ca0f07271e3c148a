// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * @param updated UTC, ISO 8601.
 */
public record ConversationSummary(String conversationId, String title, String updated, int messages) {
}
