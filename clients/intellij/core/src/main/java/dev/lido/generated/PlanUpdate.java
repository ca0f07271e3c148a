// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * lido/plan/update: the whole present state, not a difference.
 * @param state One of {@link PlanState}.
 * @param asks What answers question: any text, one of yes, always and no, or the steps. One of {@link
 * PlanAsks}.
 */
public record PlanUpdate(String planId, String state, List<PlanStep> steps, String message, String question, String asks, String reviewId) {
    public PlanUpdate(String planId, String state, List<PlanStep> steps) {
        this(planId, state, steps, null, null, null, null);
    }

    public PlanUpdate withMessage(String message) {
        return new PlanUpdate(planId, state, steps, message, question, asks, reviewId);
    }

    public PlanUpdate withQuestion(String question) {
        return new PlanUpdate(planId, state, steps, message, question, asks, reviewId);
    }

    public PlanUpdate withAsks(String asks) {
        return new PlanUpdate(planId, state, steps, message, question, asks, reviewId);
    }

    public PlanUpdate withReviewId(String reviewId) {
        return new PlanUpdate(planId, state, steps, message, question, asks, reviewId);
    }
}
