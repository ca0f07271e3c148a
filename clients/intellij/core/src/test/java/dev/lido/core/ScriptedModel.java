package dev.lido.core;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The scripted model server of the Python tests, as a process; and how the real server is started beside it. */
public final class ScriptedModel implements AutoCloseable {
    public static final Path CHECKOUT =
            Path.of(System.getProperty("lido.checkout", "../../..")).toAbsolutePath().normalize();
    public static final Path PYTHON =
            Path.of(System.getProperty("lido.python", CHECKOUT.resolve(".venv/bin/python").toString()));
    public static final List<String> SERVE = List.of(PYTHON.toString(), "-m", "lido", "serve");

    /** How the model answers; the members are those of tests/fakes/model_server.py. */
    public record Script(String match, List<String> pieces, String fault, double delay) {}

    private final Process process;
    private final String url;

    public ScriptedModel(Script... scripts) throws IOException {
        process = new ProcessBuilder(PYTHON.toString(), CHECKOUT.resolve("tests/fakes/model_server.py").toString(),
                        new Gson().toJson(scripts))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        url = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)).readLine();
    }

    public static Script answer(String match, String... pieces) {
        return new Script(match, List.of(pieces), "", 0);
    }

    /** The {@code lido} section that gives every role to this model. */
    public JsonObject settings() {
        return new Gson().toJsonTree(Map.of(
                "models", Map.of("scripted", Map.of(
                        "provider", "openai", "base_url", url + "/v1", "model", "m", "context_window", 16384)),
                "roles", Map.of("chat", "scripted", "plan", "scripted", "completion", "scripted"))).getAsJsonObject();
    }

    /** The same as a configuration file. */
    public String toml() {
        return """
                [models.scripted]
                provider = "openai"
                base_url = "%s/v1"
                model = "m"
                context_window = 16384
                [roles]
                chat = "scripted"
                plan = "scripted"
                completion = "scripted"
                """.formatted(url);
    }

    public static Map<String, String> environment(Path home) {
        return Map.of("LIDO_HOME", home.toString(), "LIDO_CONFIG", home.resolve("config.toml").toString());
    }

    @Override
    public void close() {
        try {
            process.getOutputStream().close();
            if (!process.waitFor(30, TimeUnit.SECONDS)) throw new AssertionError("the model server stays");
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
