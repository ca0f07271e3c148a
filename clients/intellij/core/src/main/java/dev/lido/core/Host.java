package dev.lido.core;

import com.google.gson.JsonObject;
import dev.lido.generated.PlanUpdate;
import dev.lido.generated.Status;
import java.net.URI;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * What the core asks of the editor that it lives in. Called on the connection's thread: an implementation that
 * needs its own thread hands over and returns at once; only futures may complete later.
 */
public interface Host {
    /** The {@code lido} section of the settings, as in the server's configuration file. */
    JsonObject settings();

    /**
     * Applies all of the edit, as one undoable step, or nothing.
     *
     * @return completes exceptionally with {@link Edits.Refused} where nothing was applied
     */
    CompletableFuture<Void> apply(Edits edits);

    /** Shows a sentence; with {@code choices} as buttons. Completes with the chosen one, or null. */
    CompletableFuture<String> message(Severity severity, String text, List<String> choices);

    /** Shows a file; false where it could not. */
    CompletableFuture<Boolean> show(URI file, boolean takeFocus);

    /** The server's state has changed. */
    void status(Status status);

    /** What a plan is at now. */
    void plan(PlanUpdate update);

    /** The server has ended unasked; {@code again} says whether it is being started anew. */
    void crashed(String reason, boolean again);

    enum Severity { ERROR, WARNING, INFO }
}
