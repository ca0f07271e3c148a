package dev.lido.core;

import dev.lido.generated.HunkOutcome;
import dev.lido.generated.HunkState;
import dev.lido.generated.Review;
import dev.lido.generated.ReviewDecided;
import dev.lido.generated.ReviewFile;
import dev.lido.generated.ReviewHunk;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** A review as it is at one moment, for drawing. */
public final class ReviewModel {
    private final Review review;
    private final Map<String, String> messages = new LinkedHashMap<>();

    ReviewModel(Review review) {
        this.review = review;
    }

    ReviewModel told(ReviewDecided decided) {
        for (HunkOutcome outcome : decided.hunks()) {
            if (outcome.message() != null) messages.put(outcome.hunkId(), outcome.message());
        }
        return this;
    }

    public String id() {
        return review.reviewId();
    }

    public String title() {
        return review.title();
    }

    public List<ReviewFile> files() {
        return review.files();
    }

    public List<ReviewHunk> hunks() {
        return review.files().stream().flatMap(file -> file.hunks().stream()).toList();
    }

    /** Why a hunk could not be applied, by hunk id, as the last decision said. */
    public Map<String, String> messages() {
        return Map.copyOf(messages);
    }

    public List<String> pending() {
        return ids(hunk -> HunkState.PENDING.equals(hunk.state()));
    }

    public boolean decided() {
        return pending().isEmpty();
    }

    /** Whether {@link Reviews#undo} has something to put back. */
    public boolean undoable() {
        return !ids(hunk -> HunkState.ACCEPTED.equals(hunk.state())).isEmpty();
    }

    private List<String> ids(Predicate<ReviewHunk> wanted) {
        return hunks().stream().filter(wanted).map(ReviewHunk::hunkId).toList();
    }

    /**
     * How a file would read with its pending hunks taken: the right side of a diff whose left is {@code text}.
     * Hunks that are decided are left out: the accepted stand in {@code text} already.
     */
    public static String proposed(ReviewFile file, String text) throws Edits.Refused {
        List<Edits.Hunk> wanted = new ArrayList<>();
        for (ReviewHunk hunk : file.hunks()) {
            if (HunkState.PENDING.equals(hunk.state())) {
                wanted.add(new Edits.Hunk(hunk.oldRange(), hunk.newText(), hunk.description(), false));
            }
        }
        return Edits.applied(new Edits.Change(file.uri(), null, wanted), text);
    }
}
