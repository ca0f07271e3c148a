package dev.lido.plugin;

import com.intellij.codeInsight.daemon.impl.HighlightInfo;
import com.intellij.codeInsight.intention.IntentionAction;
import com.intellij.lang.annotation.HighlightSeverity;
import com.intellij.openapi.editor.Document;
import com.intellij.openapi.editor.Editor;
import com.intellij.openapi.editor.impl.DocumentMarkupModel;
import com.intellij.openapi.editor.markup.RangeHighlighter;
import com.intellij.openapi.project.Project;
import com.intellij.openapi.ui.popup.JBPopupFactory;
import com.intellij.psi.PsiFile;
import java.util.ArrayList;
import java.util.List;
import javax.swing.JLabel;
import org.eclipse.lsp4j.CodeAction;
import org.eclipse.lsp4j.Diagnostic;
import org.eclipse.lsp4j.Range;

/** What Lido can do here: fix a problem, explain, document, test, do what a comment asks. */
public final class LidoIntention implements IntentionAction {
    @Override
    public String getText() {
        return "Lido…";
    }

    @Override
    public String getFamilyName() {
        return "Lido";
    }

    @Override
    public boolean isAvailable(Project project, Editor editor, PsiFile file) {
        return editor != null && DocumentSync.uri(editor.getDocument()) != null;
    }

    @Override
    public boolean startInWriteAction() {
        return false;
    }

    @Override
    public void invoke(Project project, Editor editor, PsiFile file) {
        LidoService service = LidoService.of(project);
        Document document = editor.getDocument();
        int start = editor.getSelectionModel().getSelectionStart();
        int end = editor.getSelectionModel().getSelectionEnd();
        Range range = DocumentSync.range(document, start, end);
        service.lido().actions(DocumentSync.uri(document), range, problems(project, document, start, end))
                .whenComplete((found, error) -> LidoService.onUi(() -> {
                    if (error != null) service.failed(error);
                    else choose(service, editor, found);
                }));
    }

    private static void choose(LidoService service, Editor editor, List<CodeAction> actions) {
        if (actions.isEmpty()) return;
        JBPopupFactory.getInstance()
                .createPopupChooserBuilder(actions)
                .setTitle("Lido")
                .setRenderer((list, action, index, selected, focused) -> {
                    JLabel label = new JLabel(action.getTitle());
                    label.setOpaque(true);
                    label.setBackground(selected ? list.getSelectionBackground() : list.getBackground());
                    label.setForeground(selected ? list.getSelectionForeground() : list.getForeground());
                    return label;
                })
                .setItemChosenCallback(action -> service.lido()
                        .execute(action.getCommand().getCommand(), action.getCommand().getArguments())
                        .whenComplete((done, error) -> LidoService.onUi(() -> {
                            if (error != null) service.failed(error);
                        })))
                .createPopup()
                .showInBestPositionFor(editor);
    }

    /** What the IDE has found there, as diagnostics. */
    static List<Diagnostic> problems(Project project, Document document, int start, int end) {
        List<Diagnostic> found = new ArrayList<>();
        for (RangeHighlighter one : DocumentMarkupModel.forDocument(document, project, true).getAllHighlighters()) {
            if (one.getStartOffset() > end || one.getEndOffset() < start) continue;
            HighlightInfo info = HighlightInfo.fromRangeHighlighter(one);
            if (info == null || info.getDescription() == null) continue;
            if (info.getSeverity().compareTo(HighlightSeverity.WEAK_WARNING) < 0) continue;
            found.add(new Diagnostic(
                    DocumentSync.range(document, one.getStartOffset(), one.getEndOffset()), info.getDescription()));
        }
        return found;
    }
}
