// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * @param decision One of: accept, reject.
 * @param preview The editor asks about each accepted hunk first (annotations with needsConfirmation).
 */
public record ReviewDecide(String reviewId, List<String> hunkIds, String decision, Boolean preview) {
    public ReviewDecide(String reviewId, List<String> hunkIds, String decision) {
        this(reviewId, hunkIds, decision, null);
    }

    public ReviewDecide withPreview(Boolean preview) {
        return new ReviewDecide(reviewId, hunkIds, decision, preview);
    }
}
