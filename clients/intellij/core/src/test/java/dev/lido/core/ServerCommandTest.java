package dev.lido.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServerCommandTest {
    @TempDir Path folder;
    Path bin;

    @BeforeEach
    void folders() throws IOException {
        bin = Files.createDirectories(folder.resolve("bin"));
    }

    private ServerCommand on(boolean windows) {
        return new ServerCommand(windows, Map.of("PATH", bin.toString()), folder.resolve("data"));
    }

    private Path program(String name) throws IOException {
        Path path = Files.createFile(bin.resolve(name));
        assertTrue(path.toFile().setExecutable(true));
        return path;
    }

    @Test
    void aConfiguredCommandComesFirstThenThePath() throws IOException {
        assertEquals(Optional.empty(), on(false).find(List.of(), "1"));
        Path lido = program("lido");
        assertEquals(Optional.of(List.of(lido.toString(), "serve")), on(false).find(List.of(), "1"));
        assertEquals(Optional.of(List.of("mine")), on(false).find(List.of("mine"), "1"));
    }

    @Test
    void onWindowsProgramsHaveEndings() throws IOException {
        program("lido");
        assertEquals(Optional.empty(), on(true).find(List.of(), "1"));
        Path exe = program("lido.exe");
        assertEquals(Optional.of(List.of(exe.toString(), "serve")), on(true).find(List.of(), "1"));
    }

    @Test
    void withoutUvAndPythonItIsSaidWhatIsNeeded() throws IOException {
        Path old = program("python3");
        Files.writeString(old, "#!/bin/sh\nexit 1\n");
        var missing = assertThrows(ServerCommand.Missing.class, () -> on(false).install(wheel(""), "1", line -> {}));
        assertTrue(missing.getMessage().contains("Python 3.11"), missing.getMessage());
    }

    @Test
    void anEnvironmentIsMadeOnceAndFoundAgain() throws Exception {
        Files.createSymbolicLink(bin.resolve("python3"), ScriptedModel.PYTHON.toRealPath());
        List<String> progress = new ArrayList<>();
        ServerCommand server = on(false);
        List<String> command = server.install(wheel("print('served')"), "1", progress::add);
        assertTrue(progress.size() > 1, progress.toString());
        Process run = new ProcessBuilder(command).start();
        assertEquals("served", new String(run.getInputStream().readAllBytes()).strip());
        assertEquals(Optional.of(command), server.find(List.of(), "1"));
        assertEquals(Optional.empty(), server.find(List.of(), "2"));
        progress.clear();
        assertEquals(command, server.install(Path.of("not looked at.whl"), "1", progress::add));
        assertEquals(List.of(), progress);
    }

    @Test
    void whatFailsLeavesNothing() throws Exception {
        Files.createSymbolicLink(bin.resolve("python3"), ScriptedModel.PYTHON.toRealPath());
        Path broken = Files.writeString(folder.resolve("lido_lsp-1-py3-none-any.whl"), "no wheel");
        var failure = assertThrows(IOException.class, () -> on(false).install(broken, "1", line -> {}));
        assertTrue(failure.getMessage().contains("pip install"), failure.getMessage());
        assertFalse(Files.exists(folder.resolve("data/server-1")));
    }

    /** A wheel of one script, which needs nothing else. */
    private Path wheel(String code) throws IOException {
        Path wheel = folder.resolve("lido_lsp-1.0-py3-none-any.whl");
        String info = "lido_lsp-1.0.dist-info/";
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(wheel))) {
            for (var file : Map.of(
                    "lido_fake.py", "def main():\n    " + code + "\n",
                    info + "METADATA", "Metadata-Version: 2.1\nName: lido-lsp\nVersion: 1.0\nProvides-Extra: local\n",
                    info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                    info + "entry_points.txt", "[console_scripts]\nlido = lido_fake:main\n",
                    info + "RECORD", "").entrySet()) {
                zip.putNextEntry(new ZipEntry(file.getKey()));
                zip.write(file.getValue().getBytes());
                zip.closeEntry();
            }
        }
        return wheel;
    }
}
