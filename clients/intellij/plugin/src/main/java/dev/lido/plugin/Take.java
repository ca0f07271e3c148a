package dev.lido.plugin;

import com.intellij.openapi.actionSystem.ActionManager;
import com.intellij.openapi.actionSystem.AnAction;
import com.intellij.openapi.command.WriteCommandAction;
import com.intellij.openapi.editor.Editor;
import com.intellij.openapi.project.Project;

/** Inserts a part of a suggestion; the rest is drawn anew. */
final class Take {
    /** The platform's own action that asks for a suggestion. */
    private static final String CALL = "CallInlineCompletionAction";

    private Take() {}

    static void part(Project project, Editor editor, String text) {
        insert(project, editor, text);
        AnAction call = ActionManager.getInstance().getAction(CALL);
        if (call != null) ActionManager.getInstance().tryToExecute(call, null, editor.getContentComponent(), null, true);
    }

    static void insert(Project project, Editor editor, String text) {
        int caret = editor.getCaretModel().getOffset();
        WriteCommandAction.runWriteCommandAction(project, "Take Part of Suggestion", "Lido", () -> {
            editor.getDocument().insertString(caret, text);
            editor.getCaretModel().moveToOffset(caret + text.length());
        });
    }
}
