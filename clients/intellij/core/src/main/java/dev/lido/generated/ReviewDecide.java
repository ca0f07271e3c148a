// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * @param decision One of: accept, reject.
 */
public record ReviewDecide(String reviewId, List<String> hunkIds, String decision) {
}
