package dev.lido.plugin;

import com.google.gson.JsonObject;
import com.intellij.openapi.Disposable;
import com.intellij.openapi.application.ApplicationManager;
import com.intellij.openapi.fileEditor.OpenFileDescriptor;
import com.intellij.openapi.project.Project;
import com.intellij.openapi.vfs.VirtualFile;
import dev.lido.core.Edits;
import dev.lido.core.Failures;
import dev.lido.core.Host;
import dev.lido.core.Lido;
import dev.lido.core.ReviewModel;
import dev.lido.core.ServerCommand;
import dev.lido.generated.PlanUpdate;
import dev.lido.generated.Status;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.eclipse.lsp4j.ClientInfo;

/** One project's Lido: the session, and what the IDE does when the server asks. */
public final class LidoService implements Host, Disposable {
    private final Project project;
    private final Lido lido;
    private final DocumentSync sync;
    private final List<Listener> listeners = new CopyOnWriteArrayList<>();
    private volatile Status status = new Status("off", "Lido has not been started", List.of());
    private PlanUpdate plan;
    private ReviewModel review;
    private volatile boolean listed;

    public LidoService(Project project) {
        this.project = project;
        String base = project.getBasePath();
        lido = new Lido(
                this::command,
                base == null ? List.of() : List.of(Path.of(base)),
                new ClientInfo("JetBrains", Platform.version()),
                this,
                LidoService::onUi);
        sync = new DocumentSync(project, lido.documents());
    }

    public static LidoService of(Project project) {
        return project.getService(LidoService.class);
    }

    /** Begins to follow the project's editors. Once, on the UI thread. */
    public void start() {
        sync.start(this);
    }

    private List<String> command() throws java.io.IOException {
        return new ServerCommand(Platform.data())
                .find(LidoSettings.get().settings().command(), Platform.serverVersion())
                .orElseThrow(() -> new ServerCommand.Missing("Lido's server was not found."));
    }

    public Lido lido() {
        return lido;
    }

    DocumentSync sync() {
        return sync;
    }

    public Status status() {
        return status;
    }

    PlanUpdate plan() {
        return plan;
    }

    ReviewModel review() {
        return review;
    }

    void listen(Listener listener, Disposable parent) {
        listeners.add(listener);
        com.intellij.openapi.util.Disposer.register(parent, () -> listeners.remove(listener));
    }

    public void restart() {
        listed = false;
        status(new Status("busy", "Starting", List.of()));
        lido.restart();
    }

    void settingsChanged() {
        lido.settingsChanged();
    }

    /** Fetches a review and shows it, in the tool window. */
    void open(String reviewId) {
        lido.reviews().get(reviewId).whenComplete((found, error) -> onUi(() -> {
            if (error != null) failed(error);
            else shown(found, true);
        }));
    }

    /** Accepts or rejects hunks. On the UI thread. */
    void decide(ReviewModel of, List<String> hunkIds, boolean accept) {
        lido.reviews().decide(of, hunkIds, accept).whenComplete((after, error) -> onUi(() -> {
            if (error != null) {
                failed(error);
                return;
            }
            shown(after, false);
            after.messages().values().stream().distinct().forEach(
                    text -> Notifications.show(project, Severity.WARNING, text, List.of()));
        }));
    }

    /** Puts back what a review has applied. */
    void undo(ReviewModel of) {
        lido.reviews().undo(of.id()).whenComplete((undone, error) -> onUi(() -> {
            if (error != null) {
                failed(error);
                return;
            }
            for (String sentence : undone.failed()) Notifications.show(project, Severity.WARNING, sentence, List.of());
            open(of.id());
        }));
    }

    /** Shows what was left undecided when the server before this one ended. */
    private void left() {
        lido.reviews().undecided().whenComplete((found, error) -> onUi(() -> {
            if (error == null && !found.isEmpty() && (review == null || review.decided())) {
                shown(found.get(found.size() - 1), false);
            }
        }));
    }

    private void shown(ReviewModel found, boolean activate) {
        review = found;
        for (Listener listener : listeners) listener.review(found);
        if (activate) LidoToolWindow.show(project, LidoToolWindow.REVIEW);
    }

    /** Tells of a request that failed, unless it was cancelled. */
    void failed(Throwable error) {
        if (!Failures.cancelled(error) && !project.isDisposed()) Notifications.show(project, Severity.WARNING, Failures.text(error), List.of());
    }

    static void onUi(Runnable task) {
        ApplicationManager.getApplication().invokeLater(task);
    }

    // ---------------------------------------------------------------- Host

    @Override
    public JsonObject settings() {
        return LidoSettings.get().settings().section();
    }

    @Override
    public CompletableFuture<Void> apply(Edits edits) {
        CompletableFuture<Void> applied = new CompletableFuture<>();
        onUi(() -> {
            try {
                if (project.isDisposed()) throw new Edits.Refused("The project is closed");
                new EditApplier(project, lido.documents()).apply(edits);
                applied.complete(null);
            } catch (Edits.Refused | RuntimeException failure) {
                applied.completeExceptionally(failure);
            }
        });
        return applied;
    }

    @Override
    public CompletableFuture<String> message(Severity severity, String text, List<String> choices) {
        return Notifications.show(project, severity, text, choices);
    }

    @Override
    public CompletableFuture<Boolean> show(URI file, boolean takeFocus) {
        CompletableFuture<Boolean> shown = new CompletableFuture<>();
        onUi(() -> {
            VirtualFile found = project.isDisposed() ? null : EditApplier.find(file.toString());
            if (found != null) new OpenFileDescriptor(project, found, 0).navigate(takeFocus);
            shown.complete(found != null);
        });
        return shown;
    }

    @Override
    public void status(Status now) {
        status = now;
        if (now.state().equals("ready") && !listed) {
            listed = true;
            left();
        }
        onUi(() -> listeners.forEach(listener -> listener.status(now)));
    }

    @Override
    public void plan(PlanUpdate update) {
        onUi(() -> {
            plan = update;
            listeners.forEach(listener -> listener.plan(update));
            if (update.question() != null) LidoToolWindow.show(project, LidoToolWindow.PLAN);
            if (update.reviewId() != null && "review".equals(update.state())) open(update.reviewId());
        });
    }

    @Override
    public void crashed(String reason, boolean again) {
        listed = false;
        status(new Status(again ? "busy" : "error", reason, List.of()));
        if (again) return;
        onUi(() -> {
            if (!project.isDisposed()) Notifications.serverMissing(project, reason);
        });
    }

    @Override
    public void dispose() {
        // Closing waits for the server to end, which the UI thread must not.
        ApplicationManager.getApplication().executeOnPooledThread(lido::close);
    }
}
