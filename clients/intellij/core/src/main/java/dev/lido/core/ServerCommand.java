package dev.lido.core;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Finds the server, or sets it up: the configured command, {@code lido} on the PATH, or an environment of the
 * editor's own, made by uv or by Python 3.11 or newer from the wheel that comes with the plugin.
 */
public final class ServerCommand {
    /** Nothing was found and nothing can be set up; the message says what to do. */
    public static final class Missing extends IOException {
        public Missing(String message) {
            super(message);
        }
    }

    private static final long INSTALL_MINUTES = 20;

    private final boolean windows;
    private final Map<String, String> environment;
    private final Path data;

    /** @param data the folder that environments are made in */
    public ServerCommand(Path data) {
        this(System.getProperty("os.name").startsWith("Windows"), System.getenv(), data);
    }

    ServerCommand(boolean windows, Map<String, String> environment, Path data) {
        this.windows = windows;
        this.environment = environment;
        this.data = data;
    }

    /** The command as configured, or found without changing anything. */
    public Optional<List<String>> find(List<String> configured, String version) {
        if (!configured.isEmpty()) return Optional.of(configured);
        Optional<Path> lido = onPath("lido");
        if (lido.isEmpty()) lido = Optional.of(program(home(version), "lido")).filter(path -> ready(home(version)));
        return lido.map(path -> List.of(path.toString(), "serve"));
    }

    /**
     * Sets the server up from a wheel; what the wheel needs comes from the person's package index.
     *
     * @param version names the environment: another is made for another
     * @param progress told one line at a time
     * @throws Missing where there is neither uv nor a fitting Python
     * @throws IOException with the installer's last lines where it failed; nothing half made is left
     */
    public List<String> install(Path wheel, String version, Consumer<String> progress)
            throws IOException, InterruptedException {
        Path home = home(version);
        if (!ready(home)) {
            delete(home);
            try {
                make(home, wheel, progress);
                Files.writeString(home.resolve("ready"), version);
            } catch (IOException | InterruptedException | RuntimeException failure) {
                delete(home);
                throw failure;
            }
        }
        return List.of(program(home, "lido").toString(), "serve");
    }

    private void make(Path home, Path wheel, Consumer<String> progress) throws IOException, InterruptedException {
        Files.createDirectories(data);
        // pip and uv read a wheel's name from its file's.
        Path copy = Files.createTempDirectory(data, "wheel").resolve(wheel.getFileName().toString());
        try {
            Files.copy(wheel, copy, StandardCopyOption.REPLACE_EXISTING);
            String wanted = copy + "[local]";
            Optional<Path> uv = onPath("uv");
            if (uv.isPresent()) {
                progress.accept("Setting up Lido with uv");
                String python = program(home, "python").toString();
                run(List.of(uv.get().toString(), "venv", "--python", ">=3.11", home.toString()), progress);
                run(List.of(uv.get().toString(), "pip", "install", "--python", python, wanted), progress);
                return;
            }
            List<String> python = python();
            progress.accept("Setting up Lido with " + String.join(" ", python));
            run(join(python, "-m", "venv", home.toString()), progress);
            run(List.of(program(home, "python").toString(), "-m", "pip", "install",
                    "--disable-pip-version-check", "--no-input", wanted), progress);
        } finally {
            delete(copy.getParent());
        }
    }

    /** The newest Python of the person's that is new enough. */
    private List<String> python() throws IOException, InterruptedException {
        List<List<String>> candidates = new ArrayList<>();
        for (String name : List.of("python3.14", "python3.13", "python3.12", "python3.11", "python3", "python")) {
            onPath(name).ifPresent(path -> candidates.add(List.of(path.toString())));
        }
        if (windows) onPath("py").ifPresent(path -> candidates.add(List.of(path.toString(), "-3")));
        for (List<String> candidate : candidates) {
            // Also tells whether it runs at all: Windows has a "python" that only opens its shop.
            String check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
            if (exitCode(join(candidate, "-c", check)) == 0) return candidate;
        }
        throw new Missing("Lido needs uv, or Python 3.11 or newer with its venv module, on the PATH.");
    }

    Optional<Path> onPath(String name) {
        String path = environment.getOrDefault("PATH", environment.getOrDefault("Path", ""));
        List<String> endings = windows ? List.of(".exe", ".cmd", ".bat") : List.of("");
        for (String folder : path.split(java.util.regex.Pattern.quote(windows ? ";" : File.pathSeparator))) {
            if (folder.isBlank()) continue;
            for (String ending : endings) {
                Path found = Path.of(folder, name + ending);
                if (Files.isRegularFile(found) && (windows || Files.isExecutable(found))) return Optional.of(found);
            }
        }
        return Optional.empty();
    }

    private Path home(String version) {
        return data.resolve("server-" + version);
    }

    private boolean ready(Path home) {
        return Files.exists(home.resolve("ready")) && Files.exists(program(home, "lido"));
    }

    private Path program(Path home, String name) {
        return windows ? home.resolve("Scripts").resolve(name + ".exe") : home.resolve("bin").resolve(name);
    }

    private static List<String> join(List<String> first, String... more) {
        List<String> all = new ArrayList<>(first);
        all.addAll(List.of(more));
        return all;
    }

    private int exitCode(List<String> command) throws InterruptedException {
        try {
            Process process = builder(command)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (process.waitFor(20, TimeUnit.SECONDS)) return process.exitValue();
            process.destroyForcibly();
            return -1;
        } catch (IOException unusable) {
            return -1;
        }
    }

    private void run(List<String> command, Consumer<String> progress) throws IOException, InterruptedException {
        Process process = builder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        List<String> last = new ArrayList<>();
        Thread watch = new Thread(() -> {
            try (BufferedReader lines =
                    new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
                for (String line; (line = lines.readLine()) != null; ) {
                    synchronized (last) {
                        last.add(line);
                        if (last.size() > 20) last.remove(0);
                    }
                    progress.accept(line);
                }
            } catch (IOException closed) {
                // It has ended.
            }
        }, "Lido set-up");
        watch.setDaemon(true);
        watch.start();
        try {
            if (!process.waitFor(INSTALL_MINUTES, TimeUnit.MINUTES)) {
                throw new IOException("Setting up took longer than " + INSTALL_MINUTES + " minutes.");
            }
            watch.join();
            if (process.exitValue() != 0) {
                throw new IOException(String.join(" ", command) + " failed:\n" + String.join("\n", last));
            }
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }

    private ProcessBuilder builder(List<String> command) {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().clear();
        builder.environment().putAll(environment);
        // An environment that the editor was started from would be installed into.
        builder.environment().remove("VIRTUAL_ENV");
        builder.environment().remove("PYTHONHOME");
        builder.environment().remove("PYTHONPATH");
        return builder;
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) return;
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException error) throws IOException {
                Files.delete(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
