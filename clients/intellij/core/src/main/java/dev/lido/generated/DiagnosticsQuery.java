// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * lido/diagnostics: request to a client that says experimental.lido.diagnostics, for an agent.
 * @param uri Only of this file; null for all.
 */
public record DiagnosticsQuery(String uri) {
    public DiagnosticsQuery() {
        this(null);
    }

    public DiagnosticsQuery withUri(String uri) {
        return new DiagnosticsQuery(uri);
    }
}
