package dev.lido.core;

import dev.lido.generated.MetricsQuery;
import dev.lido.generated.MetricsRows;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.eclipse.lsp4j.ClientInfo;
import org.eclipse.lsp4j.CodeAction;
import org.eclipse.lsp4j.CodeActionContext;
import org.eclipse.lsp4j.CodeActionParams;
import org.eclipse.lsp4j.Diagnostic;
import org.eclipse.lsp4j.DidChangeConfigurationParams;
import org.eclipse.lsp4j.ExecuteCommandParams;
import org.eclipse.lsp4j.Range;
import org.eclipse.lsp4j.TextDocumentIdentifier;
import org.eclipse.lsp4j.jsonrpc.messages.Either;

/**
 * One workspace's Lido: starts the server, starts it again when it dies, and holds what the editor talks to.
 *
 * <p>Any thread. Nothing here blocks but {@link #close()}.
 */
public final class Lido implements AutoCloseable {
    /** How the server is started. */
    public interface Launch {
        /** Program and arguments; may take long (set-up). Called on a thread of Lido's own. */
        List<String> command() throws IOException, InterruptedException;

        default Map<String, String> environment() {
            return Map.of();
        }
    }

    private static final int START_SECONDS = 60;

    private final Launch launch;
    private final List<Path> folders;
    private final ClientInfo editor;
    private final Host host;
    private final Executor documentsThread;
    private final BackOff backOff;
    private final ScheduledExecutorService worker = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "Lido");
        thread.setDaemon(true);
        return thread;
    });
    private final Documents documents = new Documents();
    private final Completions completions = new Completions(this);
    private final Chat chat = new Chat(this);
    private final Plans plans = new Plans(this);
    private final Reviews reviews = new Reviews(this);

    private CompletableFuture<Session> session = new CompletableFuture<>();
    private boolean closed;

    /** @param documentsThread the one that {@link Documents} is told of changes on: what is open is sent there */
    public Lido(Launch launch, List<Path> folders, ClientInfo editor, Host host, Executor documentsThread) {
        this(launch, folders, editor, host, documentsThread,
                new BackOff(Duration.ofSeconds(1), 5, Duration.ofMinutes(3)));
    }

    Lido(Launch launch, List<Path> folders, ClientInfo editor, Host host, Executor documentsThread, BackOff backOff) {
        this.launch = launch;
        this.folders = List.copyOf(folders);
        this.editor = editor;
        this.host = host;
        this.documentsThread = documentsThread;
        this.backOff = backOff;
        worker.execute(this::start);
    }

    public Documents documents() {
        return documents;
    }

    public Completions completions() {
        return completions;
    }

    public Chat chat() {
        return chat;
    }

    public Plans plans() {
        return plans;
    }

    public Reviews reviews() {
        return reviews;
    }

    /** The session as soon as there is one; a new one after a crash. Completes exceptionally once given up. */
    synchronized CompletableFuture<Session> session() {
        return session;
    }

    /** Asks the server. Cancelling the answer cancels the request, also one that has not been sent yet. */
    <T> CompletableFuture<T> ask(Function<LidoServer, CompletableFuture<T>> request) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        session().whenComplete((session, failed) -> {
            if (failed != null) {
                answer.completeExceptionally(Failures.cause(failed));
            } else if (!answer.isDone()) {
                CompletableFuture<T> sent = request.apply(session.server);
                session.ended().thenRun(() -> answer.completeExceptionally(new IOException(session.reason())));
                answer.whenComplete((value, error) -> {
                    if (answer.isCancelled()) sent.cancel(true);
                });
                sent.whenComplete((value, error) -> {
                    if (error != null) answer.completeExceptionally(Failures.cause(error));
                    else answer.complete(value);
                });
            }
        });
        return answer;
    }

    /** Tells the server, where there is one: what it has missed it need not know. */
    void tell(java.util.function.Consumer<LidoServer> notification) {
        CompletableFuture<Session> present = session();
        if (present.isDone() && !present.isCompletedExceptionally()) notification.accept(present.join().server);
    }

    /** The settings are others: the server asks for them again. */
    public void settingsChanged() {
        tell(server -> server.getWorkspaceService()
                .didChangeConfiguration(new DidChangeConfigurationParams(Map.of("lido", host.settings()))));
    }

    /** What can be done at a place: its diagnostics fixed, its code explained, documented, tested. */
    public CompletableFuture<List<CodeAction>> actions(String uri, Range range, List<Diagnostic> diagnostics) {
        var params = new CodeActionParams(
                new TextDocumentIdentifier(uri), range, new CodeActionContext(diagnostics));
        return ask(server -> server.getTextDocumentService().codeAction(params))
                .thenApply(found -> found == null
                        ? List.of()
                        : found.stream().filter(Either::isRight).map(Either::getRight).toList());
    }

    /** What people accepted and rejected. */
    public CompletableFuture<MetricsRows> metrics(MetricsQuery query) {
        return ask(server -> server.metrics(query));
    }

    /** Runs one of the server's commands. */
    public CompletableFuture<Object> execute(String command, List<Object> arguments) {
        return ask(server -> server.getWorkspaceService()
                .executeCommand(new ExecuteCommandParams(command, arguments)));
    }

    /** Ends the server and starts it anew, also after it was given up. */
    public synchronized void restart() {
        if (closed) return;
        CompletableFuture<Session> old = session;
        session = new CompletableFuture<>();
        backOff.reset();
        worker.execute(() -> {
            end(old);
            start();
        });
    }

    private void start() {
        CompletableFuture<Session> wanted;
        synchronized (this) {
            if (closed || session.isDone()) return;
            wanted = session;
        }
        Session made = null;
        try {
            made = new Session(launch.command(), launch.environment(), folders, host);
            Session present = made;
            var initialized = made.initialize(folders, editor, host);
            made.ended().thenRun(() -> initialized.completeExceptionally(new IOException("It ended.")));
            initialized.get(START_SECONDS, TimeUnit.SECONDS);
            documentsThread.execute(() -> {
                // Whoever waits for the session may ask about a document at once.
                documents.connect(present.server.getTextDocumentService());
                wanted.complete(present);
                present.ended().thenRunAsync(() -> ended(present), worker);
            });
        } catch (InterruptedException interrupted) {
            if (made != null) made.kill();
            Thread.currentThread().interrupt();
        } catch (Exception failure) {
            String reason = made == null || failure instanceof java.util.concurrent.TimeoutException
                    ? "The server could not be started: " + Failures.text(failure)
                    : made.reason();
            if (made != null) made.kill();
            again(wanted, reason, made != null);
        }
    }

    private void ended(Session gone) {
        CompletableFuture<Session> next;
        synchronized (this) {
            if (closed || gone.closing() || !session.isDone()) return;
            session = next = new CompletableFuture<>();
        }
        documents.disconnect();
        gone.kill();
        again(next, gone.reason(), true);
    }

    /** @param worth whether another try may help: a program that is not there will not appear */
    private void again(CompletableFuture<Session> wanted, String reason, boolean worth) {
        Optional<Duration> wait = worth ? backOff.crashed(System.nanoTime()) : Optional.empty();
        synchronized (this) {
            if (closed) return;
            if (wait.isPresent()) {
                Future<?> start = worker.schedule(this::start, wait.get().toMillis(), TimeUnit.MILLISECONDS);
                assert start != null;
            } else {
                wanted.completeExceptionally(new CompletionException(new IOException(reason)));
            }
        }
        host.crashed(reason, wait.isPresent());
    }

    private void end(CompletableFuture<Session> old) {
        documents.disconnect();
        if (old.isDone() && !old.isCompletedExceptionally()) old.join().close();
        else old.completeExceptionally(new IOException("The server was stopped."));
    }

    /** Ends the server; up to some seconds. */
    @Override
    public void close() {
        CompletableFuture<Session> old;
        synchronized (this) {
            if (closed) return;
            closed = true;
            old = session;
        }
        worker.shutdownNow();
        end(old);
    }
}
