// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

public final class HunkState {
    private HunkState() {}

    public static final String PENDING = "pending";
    public static final String ACCEPTED = "accepted";
    public static final String REJECTED = "rejected";
    public static final String CONFLICT = "conflict";
    public static final String FAILED = "failed";
    public static final String UNDONE = "undone";
}
