// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

public final class PlanAsks {
    private PlanAsks() {}

    public static final String TEXT = "text";
    public static final String CONSENT = "consent";
    public static final String STEPS = "steps";
}
