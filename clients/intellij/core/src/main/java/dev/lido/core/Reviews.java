package dev.lido.core;

import dev.lido.generated.ReviewDecide;
import dev.lido.generated.ReviewList;
import dev.lido.generated.ReviewRef;
import dev.lido.generated.ReviewUndone;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Proposed changes, decided hunk by hunk. What is accepted comes back as edits by {@link Host#apply}. */
public final class Reviews {
    private final Lido lido;

    Reviews(Lido lido) {
        this.lido = lido;
    }

    public CompletableFuture<ReviewModel> get(String reviewId) {
        return lido.ask(server -> server.reviewGet(new ReviewRef(reviewId))).thenApply(ReviewModel::new);
    }

    /** What is not decided yet, the newest last; also what an earlier server left. */
    public CompletableFuture<List<ReviewModel>> undecided() {
        return lido.ask(server -> server.reviewList(new ReviewList()))
                .thenApply(found -> found.stream().map(ReviewModel::new).toList());
    }

    /** Decides, and completes with the whole review as it is then. */
    public CompletableFuture<ReviewModel> decide(ReviewModel review, Collection<String> hunkIds, boolean accept) {
        ReviewDecide decision = new ReviewDecide(review.id(), List.copyOf(hunkIds), accept ? "accept" : "reject");
        return lido.ask(server -> server.reviewDecide(decision))
                .thenCompose(decided -> get(review.id()).thenApply(after -> after.told(decided)));
    }

    /** Puts back what the review has applied; {@code failed} says what could not be. */
    public CompletableFuture<ReviewUndone> undo(String reviewId) {
        return lido.ask(server -> server.reviewUndo(new ReviewRef(reviewId)));
    }
}
