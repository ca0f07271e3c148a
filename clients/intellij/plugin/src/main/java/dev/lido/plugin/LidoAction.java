package dev.lido.plugin;

import com.intellij.openapi.actionSystem.ActionUpdateThread;
import com.intellij.openapi.actionSystem.AnAction;
import com.intellij.openapi.actionSystem.AnActionEvent;
import com.intellij.openapi.actionSystem.CommonDataKeys;
import com.intellij.openapi.editor.Editor;
import com.intellij.openapi.project.DumbAware;
import com.intellij.openapi.project.Project;
import com.intellij.openapi.ui.Messages;
import dev.lido.core.GhostText;
import dev.lido.core.Suggestion;
import dev.lido.generated.Attachment;
import java.util.List;

/** The actions of plugin.xml; texts and shortcuts stand there. */
abstract class LidoAction extends AnAction implements DumbAware {
    // Newer than the platform that this is compiled against here.
    public ActionUpdateThread getActionUpdateThread() {
        return ActionUpdateThread.EDT;
    }

    @Override
    public void update(AnActionEvent event) {
        event.getPresentation().setEnabled(event.getProject() != null && enabled(event));
    }

    boolean enabled(AnActionEvent event) {
        return true;
    }

    @Override
    public final void actionPerformed(AnActionEvent event) {
        Project project = event.getProject();
        if (project != null) run(project, event.getData(CommonDataKeys.EDITOR));
    }

    /** @param editor null where the action is called elsewhere */
    abstract void run(Project project, Editor editor);

    public static final class OpenChat extends LidoAction {
        @Override
        void run(Project project, Editor editor) {
            LidoToolWindow.show(project, LidoToolWindow.CHAT);
        }
    }

    public static final class Plan extends LidoAction {
        @Override
        void run(Project project, Editor editor) {
            LidoToolWindow.show(project, LidoToolWindow.PLAN);
        }
    }

    public static final class ShowReview extends LidoAction {
        @Override
        boolean enabled(AnActionEvent event) {
            return LidoService.of(event.getProject()).review() != null;
        }

        @Override
        void run(Project project, Editor editor) {
            ReviewDiff.show(project, LidoService.of(project).review(), "");
        }
    }

    public static final class UndoReview extends LidoAction {
        @Override
        boolean enabled(AnActionEvent event) {
            var review = LidoService.of(event.getProject()).review();
            return review != null && review.undoable();
        }

        @Override
        void run(Project project, Editor editor) {
            LidoService.of(project).undo(LidoService.of(project).review());
        }
    }

    public static final class Restart extends LidoAction {
        @Override
        void run(Project project, Editor editor) {
            LidoService.of(project).restart();
        }
    }

    public static final class OpenSettings extends LidoAction {
        @Override
        void run(Project project, Editor editor) {
            Notifications.settings(project);
        }
    }

    /** Asks about the selection, or about the file without one. */
    public static final class AskAbout extends LidoAction {
        @Override
        boolean enabled(AnActionEvent event) {
            return event.getData(CommonDataKeys.EDITOR) != null;
        }

        @Override
        void run(Project project, Editor editor) {
            if (editor == null) return;
            String question = Messages.showMultilineInputDialog(project, "Ask Lido about this code:", "Lido", "", null, null);
            if (question == null || question.isBlank()) return;
            Attachment about = ChatPanel.attachment(editor, true);
            if (about == null) about = ChatPanel.attachment(editor, false);
            LidoToolWindow.ask(project, question, about == null ? List.of() : List.of(about));
        }
    }

    /** Takes a part of the suggestion that is drawn. */
    abstract static class TakePart extends LidoAction {
        @Override
        boolean enabled(AnActionEvent event) {
            Editor editor = event.getData(CommonDataKeys.EDITOR);
            return editor != null && LidoService.of(event.getProject()).sync().drawn(editor.getDocument()) != null;
        }

        @Override
        void run(Project project, Editor editor) {
            GhostText ghost = editor == null ? null : LidoService.of(project).sync().drawn(editor.getDocument());
            if (ghost != null) Take.part(project, editor, ghost.text().substring(0, length(ghost.text())));
        }

        abstract int length(String text);
    }

    public static final class TakeWord extends TakePart {
        @Override
        int length(String text) {
            return Suggestion.wordEnd(text);
        }
    }

    public static final class TakeLine extends TakePart {
        @Override
        int length(String text) {
            return Suggestion.lineEnd(text);
        }
    }
}
