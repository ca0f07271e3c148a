package dev.lido.plugin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.intellij.openapi.command.CommandProcessor;
import com.intellij.openapi.editor.Document;
import com.intellij.openapi.editor.event.DocumentEvent;
import com.intellij.openapi.editor.event.DocumentListener;
import dev.lido.core.Documents;
import dev.lido.core.Edits;
import dev.lido.core.Uris;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.lsp4j.Position;
import org.eclipse.lsp4j.Range;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Edits on the platform's own documents and write commands. */
class EditApplierTest {
    @TempDir Path folder;
    Ide ide;
    Documents documents = new Documents();
    Document a;
    Document b;

    @BeforeEach
    void start() throws Exception {
        ide = new Ide(folder);
        a = ide.document(Files.writeString(folder.resolve("a.txt"), "eins\nzwei\ndrei\n"));
        b = ide.document(Files.writeString(folder.resolve("b.txt"), "é𝄞x\n"));
    }

    @AfterEach
    void stop() {
        ide.close();
    }

    private void apply(Edits.Step... steps) throws Edits.Refused {
        new EditApplier(ide.project.getProject(), documents).apply(new Edits("Rename the number", List.of(steps)));
    }

    private String uri(String name) {
        return Uris.of(folder.resolve(name));
    }

    private Edits.Change change(String name, Integer version, Edits.Hunk... hunks) {
        return new Edits.Change(uri(name), version, List.of(hunks));
    }

    private static Edits.Hunk hunk(int line, int from, int to, String text) {
        return new Edits.Hunk(new Range(new Position(line, from), new Position(line, to)), text, "", false);
    }

    @Test
    void severalFilesChangeInOneNamedCommand() throws Exception {
        List<String> commands = new ArrayList<>();
        a.addDocumentListener(new DocumentListener() {
            @Override
            public void documentChanged(DocumentEvent event) {
                commands.add(CommandProcessor.getInstance().getCurrentCommandName());
            }
        });
        apply(change("a.txt", null, hunk(0, 0, 4, "one"), hunk(2, 0, 4, "three")),
                change("b.txt", null, hunk(0, 3, 4, "1\r\n2")));
        assertEquals("one\nzwei\nthree\n", a.getText());
        assertEquals("é𝄞1\n2\n", b.getText(), "UTF-16 offsets, and line feeds alone");
        assertEquals(List.of("Rename the number", "Rename the number"), commands);
    }

    @Test
    void whatDoesNotFitChangesNothing() {
        assertThrows(Edits.Refused.class, () -> apply(
                change("b.txt", null, hunk(0, 0, 1, "e")),
                change("a.txt", null, hunk(0, 0, 3, ""), hunk(0, 2, 4, ""))));
        assertThrows(Edits.Refused.class, () -> apply(
                change("a.txt", null, hunk(0, 0, 4, "one")), change("gone.txt", null, hunk(0, 0, 0, "x"))));
        assertEquals("eins\nzwei\ndrei\n", a.getText());
        assertEquals("é𝄞x\n", b.getText());
    }

    @Test
    void aDocumentThatWentOnIsLeftAlone() {
        documents.open(uri("a.txt"), "plaintext", a::getText);
        documents.replaced(uri("a.txt"), a.getText());
        var refused = assertThrows(Edits.Refused.class, () -> apply(change("a.txt", 1, hunk(0, 0, 4, "one"))));
        assertEquals(true, refused.getMessage().contains("has changed meanwhile"));
        assertEquals("eins\nzwei\ndrei\n", a.getText());
    }

    @Test
    void aReadOnlyFileIsRefused() {
        ide.writable = false;
        var refused = assertThrows(Edits.Refused.class, () -> apply(change("a.txt", null, hunk(0, 0, 4, "one"))));
        assertEquals("A file is read-only", refused.getMessage());
        assertEquals("eins\nzwei\ndrei\n", a.getText());
    }

    @Test
    void filesAreCreatedRenamedAndDeleted() throws Exception {
        apply(new Edits.Create(uri("new/c.txt"), false, false),
                change("new/c.txt", null, hunk(0, 0, 0, "fresh\n")),
                new Edits.Rename(uri("a.txt"), uri("new/d.txt"), false),
                new Edits.Delete(uri("b.txt"), false));
        assertEquals("fresh\n", ide.document(folder.resolve("new/c.txt")).getText());
        assertEquals("eins\nzwei\ndrei\n", Files.readString(folder.resolve("new/d.txt")));
        assertEquals(false, Files.exists(folder.resolve("a.txt")) || Files.exists(folder.resolve("b.txt")));
    }

    @Test
    void aStepThatFailsPutsTheEarlierOnesBack() throws Exception {
        Files.writeString(folder.resolve("there.txt"), "");
        var refused = assertThrows(Edits.Refused.class, () -> apply(
                change("a.txt", null, hunk(0, 0, 4, "one")),
                new Edits.Create(uri("new/c.txt"), false, false),
                new Edits.Delete(uri("b.txt"), false),
                new Edits.Create(uri("there.txt"), false, false)));
        assertEquals("there.txt exists already", refused.getMessage());
        assertEquals("eins\nzwei\ndrei\n", a.getText());
        assertEquals("é𝄞x\n", Files.readString(folder.resolve("b.txt")));
        assertEquals(false, Files.exists(folder.resolve("new")));
    }

    @Test
    void anEditedDocumentIsTheOneThatTheServerKnows() throws Exception {
        List<Range> told = new ArrayList<>();
        a.addDocumentListener(new DocumentListener() {
            @Override
            public void beforeDocumentChange(DocumentEvent event) {
                told.add(DocumentSync.range(a, event.getOffset(), event.getOffset() + event.getOldLength()));
            }
        });
        apply(change("a.txt", null, hunk(0, 0, 4, "one"), hunk(2, 0, 4, "three")));
        assertEquals(List.of(
                new Range(new Position(2, 0), new Position(2, 4)), new Range(new Position(0, 0), new Position(0, 4))), told);
    }
}
