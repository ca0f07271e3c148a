package dev.lido.core;

import dev.lido.generated.PlanAnswer;
import dev.lido.generated.PlanRef;
import dev.lido.generated.PlanStart;
import dev.lido.generated.PlanStarted;
import dev.lido.generated.PlanState;
import dev.lido.generated.PlanStep;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/** Plans; how they get on comes by {@link Host#plan}. */
public final class Plans {
    /** States that a plan does not leave. In {@code review} it waits for the person's decisions. */
    public static final Set<String> FINAL =
            Set.of(PlanState.REVIEW, PlanState.DONE, PlanState.GAVE_UP, PlanState.CANCELLED, PlanState.FAILED);

    private final Lido lido;

    Plans(Lido lido) {
        this.lido = lido;
    }

    public CompletableFuture<PlanStarted> start(PlanStart plan) {
        return lido.ask(server -> server.planStart(plan));
    }

    /** Answers the question that the plan waits with. */
    public CompletableFuture<Void> answer(String planId, String text) {
        return lido.ask(server -> server.planAnswer(new PlanAnswer(planId, text)));
    }

    /** Goes on with the steps as the person leaves them, where the plan asks for that. */
    public CompletableFuture<Void> answer(String planId, List<PlanStep> steps) {
        return lido.ask(server -> server.planAnswer(new PlanAnswer(planId, "").withSteps(steps)));
    }

    public CompletableFuture<Void> cancel(String planId) {
        return lido.ask(server -> server.planCancel(new PlanRef(planId)));
    }
}
