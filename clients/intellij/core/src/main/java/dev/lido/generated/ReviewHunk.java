// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import org.eclipse.lsp4j.Range;

/**
 * @param state One of {@link HunkState}.
 * @param conflictText Where state is conflict: what stands in the document now.
 */
public record ReviewHunk(String hunkId, String uri, Range oldRange, String newText, String state, String description, String conflictText) {
    public ReviewHunk(String hunkId, String uri, Range oldRange, String newText, String state, String description) {
        this(hunkId, uri, oldRange, newText, state, description, null);
    }

    public ReviewHunk withConflictText(String conflictText) {
        return new ReviewHunk(hunkId, uri, oldRange, newText, state, description, conflictText);
    }
}
