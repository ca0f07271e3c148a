// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * lido/status: notification to the client whenever it changes.
 * @param state One of: ready, busy, warming, error, off.
 */
public record Status(String state, String message, List<ModelStatus> models) {
}
