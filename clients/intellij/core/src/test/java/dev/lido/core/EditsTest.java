package dev.lido.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.eclipse.lsp4j.DeleteFile;
import org.eclipse.lsp4j.DeleteFileOptions;
import org.eclipse.lsp4j.Position;
import org.eclipse.lsp4j.Range;
import org.eclipse.lsp4j.TextEdit;
import org.eclipse.lsp4j.WorkspaceEdit;
import org.eclipse.lsp4j.jsonrpc.messages.Either;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EditsTest {
    private static Edits.Hunk hunk(int line, int from, int to, String text) {
        return new Edits.Hunk(new Range(new Position(line, from), new Position(line, to)), text, "", false);
    }

    private static String applied(String text, Edits.Hunk... hunks) throws Edits.Refused {
        return Edits.applied(new Edits.Change("file:///a", null, List.of(hunks)), text);
    }

    @Test
    void offsetsAreUtf16AndLinesEndInThreeWays() throws Exception {
        String text = "é𝄞x\r\nb\rc\n";
        Positions positions = new Positions(text);
        assertEquals(new Position(0, 3), positions.at(3));
        assertEquals(new Position(1, 0), positions.at(6));
        assertEquals(new Position(2, 1), positions.at(9));
        assertEquals(new Position(3, 0), positions.at(text.length()));
        for (int offset = 0; offset <= text.length(); offset++) {
            if (offset != 5) assertEquals(offset, positions.offset(positions.at(offset)), "offset " + offset);
        }
        assertEquals(4, positions.offset(new Position(0, 99)), "beyond the line is its end");
        assertEquals(text.length(), positions.offset(new Position(99, 0)));
        assertEquals("é𝄞Y\r\nb\rc\n", applied(text, hunk(0, 3, 4, "Y")));
    }

    @Test
    void severalReplacementsKeepTheirPlacesAndInsertionsTheirOrder() throws Exception {
        assertEquals("AaBCb\n", applied("ab\n", hunk(0, 1, 1, "B"), hunk(0, 0, 0, "A"), hunk(0, 1, 1, "C")));
    }

    @Test
    void overlappingReplacementsAreRefused() {
        var refused = assertThrows(Edits.Refused.class, () -> applied("abcd", hunk(0, 0, 3, ""), hunk(0, 2, 4, "")));
        assertEquals("The changes overlap", refused.getMessage());
    }

    @Test
    void onlyFilesAreTouchedAndFoldersStay() {
        var web = new WorkspaceEdit(Map.of("https://example.com/a", List.of(new TextEdit(new Range(), ""))));
        assertThrows(Edits.Refused.class, () -> Edits.of(web, ""));
        var options = new DeleteFileOptions();
        options.setRecursive(true);
        var folder = new WorkspaceEdit(List.of(Either.forRight(new DeleteFile("file:///a", options))));
        assertThrows(Edits.Refused.class, () -> Edits.of(folder, ""));
    }

    @Test
    void nothingOutsideOfTheProjectIsTouched(@TempDir Path folder) throws Exception {
        Path project = Files.createDirectories(folder.resolve("project/src")).getParent();
        Files.createSymbolicLink(project.resolve("link"), folder);
        Files.createSymbolicLink(project.resolve("loose"), folder.resolve("nowhere"));
        var roots = List.of(project);
        for (String inside : List.of("a.py", "src/new/b.py", "src/../c.py")) {
            new Edits("", List.of(new Edits.Create(Uris.of(project.resolve(inside)), false, false))).inside(roots);
        }
        for (String outside : List.of("../a.py", "link/a.py", "src/../../a.py", "loose")) {
            Path path = project.resolve(outside);
            var edits = new Edits("", List.of(new Edits.Create(path.toUri().toString(), false, false)));
            assertThrows(Edits.Refused.class, () -> edits.inside(roots), outside);
        }
        var away = new Edits("", List.of(new Edits.Rename(Uris.of(project.resolve("a")), Uris.of(folder.resolve("a")), false)));
        assertThrows(Edits.Refused.class, () -> away.inside(roots));
    }

    @Test
    void anEditForAnotherVersionIsRefused() throws Exception {
        Documents documents = new Documents();
        documents.open("file:///a", "python", () -> "x");
        documents.replaced("file:///a", "y");
        documents.check(new Edits("", List.of(new Edits.Change("file:///a", 2, List.of()))));
        assertThrows(Edits.Refused.class,
                () -> documents.check(new Edits("", List.of(new Edits.Change("file:///a", 1, List.of())))));
    }
}
