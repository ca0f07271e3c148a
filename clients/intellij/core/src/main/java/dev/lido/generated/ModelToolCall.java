// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * @param arguments JSON as the model wrote it; it may be malformed.
 */
public record ModelToolCall(String id, String name, String arguments) {
}
