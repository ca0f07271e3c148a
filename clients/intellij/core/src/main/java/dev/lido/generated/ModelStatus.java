// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * @param state One of: cold, warming, ready, error.
 */
public record ModelStatus(String name, String provider, String model, String state, String message) {
}
