package dev.lido.plugin;

import com.intellij.diff.DiffContentFactory;
import com.intellij.diff.DiffDialogHints;
import com.intellij.diff.DiffManager;
import com.intellij.diff.chains.SimpleDiffRequestChain;
import com.intellij.diff.contents.DiffContent;
import com.intellij.diff.requests.DiffRequest;
import com.intellij.diff.requests.SimpleDiffRequest;
import com.intellij.diff.util.DiffUserDataKeys;
import com.intellij.openapi.actionSystem.ActionUpdateThread;
import com.intellij.openapi.actionSystem.AnAction;
import com.intellij.openapi.actionSystem.AnActionEvent;
import com.intellij.openapi.editor.Document;
import com.intellij.openapi.fileEditor.FileDocumentManager;
import com.intellij.openapi.fileTypes.FileType;
import com.intellij.openapi.fileTypes.PlainTextFileType;
import com.intellij.openapi.project.Project;
import com.intellij.openapi.vfs.VirtualFile;
import dev.lido.core.Edits;
import dev.lido.core.ReviewModel;
import dev.lido.core.Uris;
import dev.lido.generated.HunkState;
import dev.lido.generated.ReviewFile;
import dev.lido.generated.ReviewHunk;
import java.util.ArrayList;
import java.util.List;

/** A review in the IDE's diff viewer: one page for each open hunk, with buttons to accept or reject it. */
final class ReviewDiff {
    private ReviewDiff() {}

    /** @param first the hunk whose page is shown first */
    static void show(Project project, ReviewModel review, String first) {
        List<DiffRequest> pages = new ArrayList<>();
        int index = 0;
        try {
            for (ReviewFile file : review.files()) {
                for (ReviewHunk hunk : file.hunks()) {
                    if (!HunkState.PENDING.equals(hunk.state())) continue;
                    if (hunk.hunkId().equals(first)) index = pages.size();
                    pages.add(page(project, review, file, hunk));
                }
            }
        } catch (Edits.Refused refused) {
            Notifications.show(project, dev.lido.core.Host.Severity.WARNING, refused.getMessage(), List.of());
            return;
        }
        if (pages.isEmpty()) return;
        DiffManager.getInstance().showDiff(project, new SimpleDiffRequestChain(pages, index), DiffDialogHints.DEFAULT);
    }

    private static DiffRequest page(Project project, ReviewModel review, ReviewFile file, ReviewHunk hunk)
            throws Edits.Refused {
        VirtualFile found = EditApplier.find(file.uri());
        Document document = found == null ? null : FileDocumentManager.getInstance().getDocument(found);
        FileType type = found == null ? PlainTextFileType.INSTANCE : found.getFileType();
        DiffContentFactory contents = DiffContentFactory.getInstance();
        DiffContent before = document == null ? contents.create(project, "", type) : contents.create(project, document);
        String after = after(file, hunk, document == null ? "" : document.getText());
        String name = String.valueOf(Uris.path(file.uri()).getFileName());
        SimpleDiffRequest page = new SimpleDiffRequest(
                hunk.description().isBlank() ? name : name + ": " + hunk.description(),
                before, contents.create(project, after, type), "Now", "Lido’s proposal");
        page.putUserData(DiffUserDataKeys.CONTEXT_ACTIONS, List.of(
                new Decide(review, hunk, true), new Decide(review, hunk, false)));
        return page;
    }

    /** The text with this hunk alone. */
    static String after(ReviewFile file, ReviewHunk hunk, String text) throws Edits.Refused {
        if ("delete".equals(file.kind())) return "";
        return ReviewModel.proposed(
                new ReviewFile(file.uri(), file.kind(), List.of(hunk)).withNewUri(file.newUri()), text);
    }

    /** A button of a page. It is off once the hunk is decided, here or elsewhere. */
    static final class Decide extends AnAction {
        private final ReviewModel review;
        private final ReviewHunk hunk;
        private final boolean accept;

        Decide(ReviewModel review, ReviewHunk hunk, boolean accept) {
            super(accept ? "Accept This Change" : "Reject This Change");
            this.review = review;
            this.hunk = hunk;
            this.accept = accept;
        }

        // Newer than the platform that this is compiled against here.
        public ActionUpdateThread getActionUpdateThread() {
            return ActionUpdateThread.EDT;
        }

        @Override
        public void update(AnActionEvent event) {
            Project project = event.getProject();
            ReviewModel now = project == null ? null : LidoService.of(project).review();
            event.getPresentation().setEnabled(now == null
                    || !now.id().equals(review.id())
                    || now.pending().contains(hunk.hunkId()));
        }

        @Override
        public void actionPerformed(AnActionEvent event) {
            if (event.getProject() != null) {
                LidoService.of(event.getProject()).decide(review, List.of(hunk.hunkId()), accept);
            }
        }
    }
}
