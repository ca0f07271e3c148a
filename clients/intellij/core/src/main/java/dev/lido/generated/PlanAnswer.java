// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * @param steps Where the plan asks for its steps: as the person leaves them.
 */
public record PlanAnswer(String planId, String text, List<PlanStep> steps) {
    public PlanAnswer(String planId, String text) {
        this(planId, text, null);
    }

    public PlanAnswer withSteps(List<PlanStep> steps) {
        return new PlanAnswer(planId, text, steps);
    }
}
