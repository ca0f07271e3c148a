// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

public final class PlanState {
    private PlanState() {}

    public static final String EXPLORING = "exploring";
    public static final String PLANNING = "planning";
    public static final String WAITING = "waiting";
    public static final String EDITING = "editing";
    public static final String TESTING = "testing";
    public static final String REVIEW = "review";
    public static final String DONE = "done";
    public static final String GAVE_UP = "gaveUp";
    public static final String CANCELLED = "cancelled";
    public static final String FAILED = "failed";
}
