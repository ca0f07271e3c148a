// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * What the editor reports of a file, whatever found it.
 * @param line From 0.
 * @param severity One of: error, warning, information, hint.
 */
public record FileDiagnostic(String uri, int line, String severity, String message) {
}
