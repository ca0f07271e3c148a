package dev.lido.plugin;

import dev.lido.core.ReviewModel;
import dev.lido.generated.PlanUpdate;
import dev.lido.generated.Status;

/** What the panels and the status bar are told, on the UI thread. */
interface Listener {
    default void status(Status status) {}

    default void plan(PlanUpdate update) {}

    default void review(ReviewModel review) {}
}
