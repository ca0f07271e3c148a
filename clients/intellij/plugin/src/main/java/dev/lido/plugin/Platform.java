package dev.lido.plugin;

import com.intellij.openapi.application.PathManager;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

/** What the plugin knows of itself and of the IDE. */
final class Platform {
    private static final Properties BUILD = new Properties();

    static {
        try (InputStream in = Platform.class.getResourceAsStream("/lido-build.properties")) {
            if (in != null) BUILD.load(new java.io.InputStreamReader(in, StandardCharsets.UTF_8));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private Platform() {}

    static String version() {
        return BUILD.getProperty("version", "");
    }

    /** Of the bundled server; names its environment. */
    static String serverVersion() {
        return BUILD.getProperty("server", "none");
    }

    static Path data() {
        return Path.of(PathManager.getSystemPath(), "lido");
    }

    /** The bundled wheel as a file, null in a build without one. */
    static Path wheel() throws IOException {
        String name = BUILD.getProperty("wheel", "");
        try (InputStream in = name.isEmpty() ? null : Platform.class.getResourceAsStream("/server/" + name)) {
            if (in == null) return null;
            Path copy = Files.createDirectories(data()).resolve(name);
            Files.copy(in, copy, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
            return copy;
        }
    }
}
