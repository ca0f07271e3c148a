// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * @param restored URIs that stand again as they were before the review.
 * @param failed What could not be restored, and why, in sentences.
 */
public record ReviewUndone(List<String> restored, List<String> failed) {
}
