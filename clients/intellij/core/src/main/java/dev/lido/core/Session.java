package dev.lido.core;

import com.google.gson.JsonDeserializer;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.lido.generated.PlanUpdate;
import dev.lido.generated.Status;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.eclipse.lsp4j.AnnotatedTextEdit;
import org.eclipse.lsp4j.ApplyWorkspaceEditParams;
import org.eclipse.lsp4j.ApplyWorkspaceEditResponse;
import org.eclipse.lsp4j.ClientCapabilities;
import org.eclipse.lsp4j.ClientInfo;
import org.eclipse.lsp4j.CodeActionCapabilities;
import org.eclipse.lsp4j.CodeActionKindCapabilities;
import org.eclipse.lsp4j.CodeActionLiteralSupportCapabilities;
import org.eclipse.lsp4j.ConfigurationParams;
import org.eclipse.lsp4j.GeneralClientCapabilities;
import org.eclipse.lsp4j.InitializeParams;
import org.eclipse.lsp4j.InitializeResult;
import org.eclipse.lsp4j.InitializedParams;
import org.eclipse.lsp4j.InlineCompletionCapabilities;
import org.eclipse.lsp4j.MessageActionItem;
import org.eclipse.lsp4j.MessageParams;
import org.eclipse.lsp4j.MessageType;
import org.eclipse.lsp4j.PositionEncodingKind;
import org.eclipse.lsp4j.ProgressParams;
import org.eclipse.lsp4j.PublishDiagnosticsParams;
import org.eclipse.lsp4j.Range;
import org.eclipse.lsp4j.RegistrationParams;
import org.eclipse.lsp4j.ShowDocumentCapabilities;
import org.eclipse.lsp4j.ShowDocumentParams;
import org.eclipse.lsp4j.ShowDocumentResult;
import org.eclipse.lsp4j.ShowMessageRequestParams;
import org.eclipse.lsp4j.SynchronizationCapabilities;
import org.eclipse.lsp4j.TextDocumentClientCapabilities;
import org.eclipse.lsp4j.TextEdit;
import org.eclipse.lsp4j.UnregistrationParams;
import org.eclipse.lsp4j.WindowClientCapabilities;
import org.eclipse.lsp4j.WorkspaceClientCapabilities;
import org.eclipse.lsp4j.WorkspaceEditCapabilities;
import org.eclipse.lsp4j.WorkspaceEditChangeAnnotationSupportCapabilities;
import org.eclipse.lsp4j.WorkspaceFolder;
import org.eclipse.lsp4j.jsonrpc.Launcher;
import org.eclipse.lsp4j.jsonrpc.messages.Either;
import org.eclipse.lsp4j.jsonrpc.services.JsonNotification;
import org.eclipse.lsp4j.services.LanguageClient;

/** One server process and the connection to it, from start to end. */
final class Session implements AutoCloseable {
    private static final int STDERR_LINES = 40;
    private static final long SHUTDOWN_SECONDS = 5;

    private final Process process;
    private final Thread errors;
    private final ExecutorService reader;
    private final Deque<String> stderr = new ArrayDeque<>();
    private final Map<String, Consumer<JsonElement>> partials = new ConcurrentHashMap<>();
    private volatile boolean closing;
    final LidoServer server;

    Session(List<String> command, Map<String, String> environment, List<Path> folders, Host host) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).directory(folders.isEmpty() ? new File(System.getProperty("user.home")) : folders.get(0).toFile());
        builder.environment().put("PYTHONUTF8", "1");
        builder.environment().putAll(environment);
        process = builder.start();
        errors = new Thread(this::drain, "Lido stderr");
        errors.setDaemon(true);
        errors.start();
        reader = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "Lido connection");
            thread.setDaemon(true);
            return thread;
        });
        Launcher<LidoServer> launcher = new Launcher.Builder<LidoServer>()
                .setLocalService(new Client(host, folders, partials))
                .setRemoteInterface(LidoServer.class)
                .setInput(process.getInputStream())
                .setOutput(process.getOutputStream())
                .setExecutorService(reader)
                .setClassLoader(Session.class.getClassLoader())
                .configureGson(gson -> gson.registerTypeAdapter(TextEdit.class, annotated()))
                .create();
        launcher.startListening();
        server = launcher.getRemoteProxy();
    }

    /** LSP4J reads every edit as a plain one, which loses the annotation. */
    private static JsonDeserializer<TextEdit> annotated() {
        return (json, type, context) -> {
            JsonObject edit = json.getAsJsonObject();
            Range range = context.deserialize(edit.get("range"), Range.class);
            String text = edit.get("newText").getAsString();
            JsonElement annotation = edit.get("annotationId");
            return annotation == null
                    ? new TextEdit(range, text)
                    : new AnnotatedTextEdit(range, text, annotation.getAsString());
        };
    }

    CompletableFuture<InitializeResult> initialize(List<Path> folders, ClientInfo editor, Host host) {
        InitializeParams params = new InitializeParams();
        params.setProcessId((int) ProcessHandle.current().pid());
        params.setClientInfo(editor);
        List<WorkspaceFolder> workspace = new ArrayList<>();
        for (Path folder : folders) {
            workspace.add(new WorkspaceFolder(Uris.of(folder), String.valueOf(folder.getFileName())));
        }
        params.setWorkspaceFolders(workspace);
        JsonObject options = new JsonObject();
        options.add("lido", host.settings());
        params.setInitializationOptions(options);
        params.setCapabilities(capabilities());
        return server.initialize(params).thenApply(result -> {
            server.initialized(new InitializedParams());
            return result;
        });
    }

    private static ClientCapabilities capabilities() {
        GeneralClientCapabilities general = new GeneralClientCapabilities();
        general.setPositionEncodings(List.of(PositionEncodingKind.UTF16));

        WorkspaceEditCapabilities edit = new WorkspaceEditCapabilities();
        edit.setDocumentChanges(true);
        edit.setResourceOperations(List.of("create", "rename", "delete"));
        edit.setFailureHandling("transactional");
        edit.setChangeAnnotationSupport(new WorkspaceEditChangeAnnotationSupportCapabilities());
        WorkspaceClientCapabilities workspace = new WorkspaceClientCapabilities();
        workspace.setApplyEdit(true);
        workspace.setWorkspaceEdit(edit);
        workspace.setConfiguration(true);
        workspace.setWorkspaceFolders(true);

        TextDocumentClientCapabilities text = new TextDocumentClientCapabilities();
        text.setSynchronization(new SynchronizationCapabilities());
        text.setInlineCompletion(new InlineCompletionCapabilities());
        CodeActionCapabilities actions = new CodeActionCapabilities();
        actions.setCodeActionLiteralSupport(
                new CodeActionLiteralSupportCapabilities(new CodeActionKindCapabilities(List.of("quickfix", "refactor"))));
        text.setCodeAction(actions);

        WindowClientCapabilities window = new WindowClientCapabilities();
        window.setShowDocument(new ShowDocumentCapabilities(true));

        ClientCapabilities all = new ClientCapabilities(workspace, text, window, null);
        all.setGeneral(general);
        // Reviews are drawn here, not by code lenses.
        JsonObject own = new JsonObject();
        own.addProperty("review", true);
        JsonObject experimental = new JsonObject();
        experimental.add("lido", own);
        all.setExperimental(experimental);
        return all;
    }

    /** Sends what streams to {@code token} to a consumer, on the connection's thread, until it is taken back. */
    void partial(String token, Consumer<JsonElement> consumer) {
        partials.put(token, consumer);
    }

    void noPartial(String token) {
        partials.remove(token);
    }

    CompletableFuture<Process> ended() {
        return process.onExit();
    }

    Process process() {
        return process;
    }

    boolean closing() {
        return closing;
    }

    /** Why it ended, as far as it said. */
    String reason() {
        try {
            // Its last words come after it.
            if (!process.isAlive()) errors.join(1000);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        synchronized (stderr) {
            String last = stderr.isEmpty() ? "" : ": " + stderr.peekLast();
            String code = process.isAlive() ? "" : " with code " + process.exitValue();
            return "The server ended" + code + last;
        }
    }

    private void drain() {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8))) {
            for (String line; (line = lines.readLine()) != null; ) {
                synchronized (stderr) {
                    if (!line.isBlank()) stderr.add(line);
                    if (stderr.size() > STDERR_LINES) stderr.remove();
                }
            }
        } catch (IOException closed) {
            // The process is gone, and with it what it had to say.
        }
    }

    /** Ends the session as the protocol asks, and the process in any case. Takes up to {@value #SHUTDOWN_SECONDS} s. */
    @Override
    public void close() {
        closing = true;
        try {
            server.shutdown().get(SHUTDOWN_SECONDS, TimeUnit.SECONDS);
            server.exit();
            process.waitFor(SHUTDOWN_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException gone) {
            // Ended below.
        } finally {
            kill();
        }
    }

    /** Ends the process and the connection's threads at once. */
    void kill() {
        closing = true;
        process.destroyForcibly();
        reader.shutdownNow();
    }

    /** What the server calls. Public for LSP4J's reflection. */
    public static final class Client implements LanguageClient {
        private final Host host;
        private final List<Path> folders;
        private final Map<String, Consumer<JsonElement>> partials;

        Client(Host host, List<Path> folders, Map<String, Consumer<JsonElement>> partials) {
            this.host = host;
            this.folders = folders;
            this.partials = partials;
        }

        @JsonNotification("lido/status")
        public void status(Status status) {
            host.status(status);
        }

        @JsonNotification("lido/plan/update")
        public void plan(PlanUpdate update) {
            host.plan(update);
        }

        @Override
        public CompletableFuture<ApplyWorkspaceEditResponse> applyEdit(ApplyWorkspaceEditParams params) {
            CompletableFuture<Void> applied;
            try {
                Edits edits = Edits.of(params.getEdit(), params.getLabel());
                edits.inside(folders);
                applied = host.apply(edits);
            } catch (Edits.Refused refused) {
                applied = CompletableFuture.failedFuture(refused);
            }
            return applied.handle((nothing, error) -> {
                ApplyWorkspaceEditResponse response = new ApplyWorkspaceEditResponse(error == null);
                if (error != null) response.setFailureReason(Failures.text(error));
                return response;
            });
        }

        @Override
        public CompletableFuture<List<Object>> configuration(ConfigurationParams params) {
            List<Object> sections = new ArrayList<>();
            params.getItems().forEach(item -> sections.add("lido".equals(item.getSection()) ? host.settings() : null));
            return CompletableFuture.completedFuture(sections);
        }

        @Override
        public void notifyProgress(ProgressParams params) {
            Consumer<JsonElement> consumer = partials.get(String.valueOf(params.getToken().get()));
            if (consumer != null && params.getValue().isRight() && params.getValue().getRight() instanceof JsonElement value) {
                consumer.accept(value);
            }
        }

        @Override
        public void showMessage(MessageParams params) {
            host.message(severity(params.getType()), params.getMessage(), List.of());
        }

        @Override
        public CompletableFuture<MessageActionItem> showMessageRequest(ShowMessageRequestParams params) {
            List<String> choices = params.getActions() == null
                    ? List.of()
                    : params.getActions().stream().map(MessageActionItem::getTitle).toList();
            return host.message(severity(params.getType()), params.getMessage(), choices)
                    .thenApply(choice -> choice == null ? null : new MessageActionItem(choice));
        }

        private static Host.Severity severity(MessageType type) {
            return type == MessageType.Error
                    ? Host.Severity.ERROR
                    : type == MessageType.Warning ? Host.Severity.WARNING : Host.Severity.INFO;
        }

        @Override
        public CompletableFuture<ShowDocumentResult> showDocument(ShowDocumentParams params) {
            if (!params.getUri().startsWith("file:") || Boolean.TRUE.equals(params.getExternal())) {
                return CompletableFuture.completedFuture(new ShowDocumentResult(false));
            }
            return host.show(URI.create(params.getUri()), Boolean.TRUE.equals(params.getTakeFocus()))
                    .thenApply(ShowDocumentResult::new);
        }

        @Override
        public CompletableFuture<Void> registerCapability(RegistrationParams params) {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public CompletableFuture<Void> unregisterCapability(UnregistrationParams params) {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public CompletableFuture<Void> createProgress(org.eclipse.lsp4j.WorkDoneProgressCreateParams params) {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public CompletableFuture<Void> refreshCodeLenses() {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public void telemetryEvent(Object object) {}

        @Override
        public void publishDiagnostics(PublishDiagnosticsParams diagnostics) {}

        @Override
        public void logMessage(MessageParams message) {}
    }

    static Either<String, Integer> token(String token) {
        return Either.forLeft(token);
    }
}
