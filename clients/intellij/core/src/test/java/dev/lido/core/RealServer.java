package dev.lido.core;

import com.google.gson.JsonObject;
import dev.lido.generated.PlanUpdate;
import dev.lido.generated.Status;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.eclipse.lsp4j.ClientInfo;

/**
 * The real Python server, its model scripted over real HTTP, and a host that keeps documents and files as an
 * editor does. One per test.
 */
final class RealServer implements Host, AutoCloseable {
    static final int SECONDS = 30;

    final Path root;
    final Path home;
    final Lido lido;
    final Map<String, StringBuilder> open = new HashMap<>();
    final BlockingQueue<PlanUpdate> plans = new LinkedBlockingQueue<>();
    final BlockingQueue<String> crashes = new LinkedBlockingQueue<>();
    final BlockingQueue<Edits> edits = new LinkedBlockingQueue<>();
    final BlockingQueue<Status> statuses = new LinkedBlockingQueue<>();
    String refuse;
    /** Told of edits instead of the session's own, where a test has another session. */
    Documents judged;
    private final ScriptedModel model;

    RealServer(Path folder, Map<String, String> files, ScriptedModel.Script... script) throws IOException {
        root = Files.createDirectory(folder.resolve("project"));
        home = Files.createDirectory(folder.resolve("home"));
        for (var file : files.entrySet()) Files.writeString(root.resolve(file.getKey()), file.getValue());
        model = new ScriptedModel(script);
        lido = new Lido(new Lido.Launch() {
            @Override
            public List<String> command() {
                return ScriptedModel.SERVE;
            }

            @Override
            public Map<String, String> environment() {
                return ScriptedModel.environment(home);
            }
        }, List.of(root), new ClientInfo("JVM test", "1"), this, Runnable::run,
                new BackOff(Duration.ofMillis(50), 3, Duration.ofMinutes(1)));
    }

    String uri(String name) {
        return Uris.of(root.resolve(name));
    }

    String read(String name) throws IOException {
        return Files.readString(root.resolve(name));
    }

    /** Opens a file as an editor does. */
    String open(String name, String languageId) throws IOException {
        String uri = uri(name);
        open.put(uri, new StringBuilder(read(name)));
        lido.documents().open(uri, languageId, () -> open.get(uri).toString());
        return uri;
    }

    void type(String uri, int offset, String text) {
        var range = new Positions(open.get(uri)).range(offset, offset);
        open.get(uri).insert(offset, text);
        lido.documents().changed(uri, range, text);
    }

    private Documents documents() {
        return judged == null ? lido.documents() : judged;
    }

    static <T> T get(CompletableFuture<T> answer) throws Exception {
        return answer.get(SECONDS, TimeUnit.SECONDS);
    }

    static <T> T take(BlockingQueue<T> queue) throws InterruptedException {
        T found = queue.poll(SECONDS, TimeUnit.SECONDS);
        if (found == null) throw new AssertionError("nothing came within " + SECONDS + " s");
        return found;
    }

    Process server() throws Exception {
        return lido.session().get(SECONDS, TimeUnit.SECONDS).process();
    }

    @Override
    public JsonObject settings() {
        return model.settings();
    }

    @Override
    public CompletableFuture<Void> apply(Edits wanted) {
        edits.add(wanted);
        if (refuse != null) return CompletableFuture.failedFuture(new Edits.Refused(refuse));
        try {
            documents().check(wanted);
            for (Edits.Step step : wanted.steps()) {
                Path path = Uris.path(step.uri());
                if (step instanceof Edits.Change change) {
                    String before = open.containsKey(step.uri())
                            ? open.get(step.uri()).toString()
                            : Files.exists(path) ? Files.readString(path) : "";
                    for (Edits.Replacement one : Edits.replacements(change, before)) {
                        if (open.containsKey(step.uri())) {
                            var range = new Positions(open.get(step.uri())).range(one.start(), one.end());
                            open.get(step.uri()).replace(one.start(), one.end(), one.text());
                            documents().changed(step.uri(), range, one.text());
                        }
                    }
                    Files.writeString(path, Edits.applied(change, before));
                } else if (step instanceof Edits.Create) {
                    Files.createFile(path);
                } else if (step instanceof Edits.Delete) {
                    Files.delete(path);
                } else if (step instanceof Edits.Rename rename) {
                    Files.move(path, Uris.path(rename.newUri()));
                }
            }
            return CompletableFuture.completedFuture(null);
        } catch (Edits.Refused | IOException failure) {
            return CompletableFuture.failedFuture(failure);
        }
    }

    @Override
    public CompletableFuture<String> message(Severity severity, String text, List<String> choices) {
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public CompletableFuture<Boolean> show(URI file, boolean takeFocus) {
        return CompletableFuture.completedFuture(false);
    }

    @Override
    public void status(Status status) {
        statuses.add(status);
    }

    @Override
    public void plan(PlanUpdate update) {
        plans.add(update);
    }

    @Override
    public void crashed(String reason, boolean again) {
        crashes.add(again + " " + reason);
    }

    @Override
    public void close() {
        lido.close();
        model.close();
    }
}
