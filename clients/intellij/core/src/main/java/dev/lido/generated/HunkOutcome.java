// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * @param state One of {@link HunkState}.
 */
public record HunkOutcome(String hunkId, String state, String message) {
    public HunkOutcome(String hunkId, String state) {
        this(hunkId, state, null);
    }

    public HunkOutcome withMessage(String message) {
        return new HunkOutcome(hunkId, state, message);
    }
}
