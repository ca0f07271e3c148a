package dev.lido.plugin;

import com.intellij.openapi.command.undo.UndoManager;
import com.intellij.openapi.fileEditor.FileEditorManager;
import com.intellij.testFramework.fixtures.BasePlatformTestCase;
import dev.lido.core.Documents;
import dev.lido.core.Edits;
import java.util.List;
import org.eclipse.lsp4j.Position;
import org.eclipse.lsp4j.Range;

/** In an IDE: two changes of a file are one step to undo. Run by Gradle alone. */
public class EditApplierIdeTest extends BasePlatformTestCase {
    public void testTwoChangesAreOneStepToUndo() throws Exception {
        var file = createTempFile("a.txt", "one\ntwo\n");
        myFixture.openFileInEditor(file);
        var document = myFixture.getEditor().getDocument();
        var hunks = List.of(
                new Edits.Hunk(new Range(new Position(0, 0), new Position(0, 3)), "1", "", false),
                new Edits.Hunk(new Range(new Position(1, 0), new Position(1, 3)), "2", "", false));
        new EditApplier(getProject(), new Documents())
                .apply(new Edits("Numbers", List.of(new Edits.Change(DocumentSync.uri(file), null, hunks))));
        assertEquals("1\n2\n", document.getText());
        var editor = FileEditorManager.getInstance(getProject()).getSelectedEditor(file);
        assertTrue(UndoManager.getInstance(getProject()).isUndoAvailable(editor));
        UndoManager.getInstance(getProject()).undo(editor);
        assertEquals("one\ntwo\n", document.getText());
    }
}
