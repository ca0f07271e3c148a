package dev.lido.plugin;

import com.intellij.codeInsight.FileModificationService;
import com.intellij.openapi.command.WriteCommandAction;
import com.intellij.openapi.editor.Document;
import com.intellij.openapi.fileEditor.FileDocumentManager;
import com.intellij.openapi.project.Project;
import com.intellij.openapi.util.text.StringUtil;
import com.intellij.openapi.vfs.VirtualFile;
import com.intellij.openapi.vfs.VirtualFileManager;
import dev.lido.core.Documents;
import dev.lido.core.Edits;
import dev.lido.core.Failures;
import dev.lido.core.Uris;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Applies edits to documents and files as one undoable command, all of them or none. On the UI thread. */
final class EditApplier {
    private interface Reversal {
        void run() throws IOException;
    }

    private final Project project;
    private final Documents documents;

    EditApplier(Project project, Documents documents) {
        this.project = project;
        this.documents = documents;
    }

    /** @throws Edits.Refused with the reason; everything is as it was */
    void apply(Edits edits) throws Edits.Refused {
        documents.check(edits);
        prepare(edits);
        Edits.Refused[] failure = new Edits.Refused[1];
        WriteCommandAction.runWriteCommandAction(project, edits.label(), "Lido", () -> {
            Deque<Reversal> reversals = new ArrayDeque<>();
            try {
                for (Edits.Step step : edits.steps()) run(step, reversals);
            } catch (Edits.Refused refused) {
                failure[0] = refused;
            } catch (IOException | RuntimeException error) {
                failure[0] = new Edits.Refused(Failures.text(error));
                failure[0].initCause(error);
            } finally {
                if (failure[0] != null) revert(reversals, failure);
            }
        });
        if (failure[0] != null) throw failure[0];
    }

    /** Everything that can be known before anything is touched. */
    private void prepare(Edits edits) throws Edits.Refused {
        Set<String> created = new HashSet<>();
        Map<String, String> renamed = new HashMap<>();
        List<VirtualFile> files = new ArrayList<>();
        for (Edits.Step step : edits.steps()) {
            String uri = renamed.getOrDefault(step.uri(), step.uri());
            if (step instanceof Edits.Create) {
                created.add(uri);
            } else if (!created.contains(uri)) {
                VirtualFile file = find(uri);
                if (file == null && step instanceof Edits.Delete delete && delete.ignoreIfNotExists()) continue;
                if (file == null) throw new Edits.Refused(name(uri) + " does not exist");
                files.add(file);
                if (step instanceof Edits.Change change) Edits.replacements(change, document(file).getCharsSequence());
                if (step instanceof Edits.Rename rename) renamed.put(rename.newUri(), uri);
            }
        }
        if (!files.isEmpty() && !FileModificationService.getInstance().prepareVirtualFilesForWrite(project, files)) {
            throw new Edits.Refused("A file is read-only");
        }
    }

    private void run(Edits.Step step, Deque<Reversal> reversals) throws IOException, Edits.Refused {
        if (step instanceof Edits.Change change) {
            change(change, reversals);
        } else if (step instanceof Edits.Create create) {
            VirtualFile there = find(create.uri());
            if (there != null && create.ignoreIfExists()) return;
            if (there != null && !create.overwrite()) throw new Edits.Refused(name(create.uri()) + " exists already");
            if (there != null) {
                Document document = document(there);
                String before = document.getText();
                document.setText("");
                reversals.push(() -> document.setText(before));
                return;
            }
            VirtualFile made = folder(Uris.path(create.uri()).getParent(), reversals)
                    .createChildData(this, Uris.path(create.uri()).getFileName().toString());
            reversals.push(() -> made.delete(this));
        } else if (step instanceof Edits.Rename rename) {
            rename(rename, reversals);
        } else if (step instanceof Edits.Delete delete) {
            VirtualFile file = find(delete.uri());
            if (file == null) return;
            if (file.isDirectory()) throw new Edits.Refused("Folders are not deleted");
            byte[] content = file.contentsToByteArray();
            VirtualFile parent = file.getParent();
            String name = file.getName();
            file.delete(this);
            reversals.push(() -> parent.createChildData(this, name).setBinaryContent(content));
        }
    }

    private void change(Edits.Change change, Deque<Reversal> reversals) throws Edits.Refused {
        VirtualFile file = find(change.uri());
        if (file == null) throw new Edits.Refused(name(change.uri()) + " does not exist");
        Document document = document(file);
        List<Edits.Replacement> replacements = Edits.replacements(change, document.getCharsSequence());
        String before = document.getText();
        reversals.push(() -> document.setText(before));
        for (Edits.Replacement one : replacements) {
            // A document of the IDE has line feeds alone, whatever its file has.
            document.replaceString(one.start(), one.end(), StringUtil.convertLineSeparators(one.text()));
        }
        // The server reads from disk what is not open in an editor.
        if (documents.version(change.uri()) == null) FileDocumentManager.getInstance().saveDocument(document);
    }

    private void rename(Edits.Rename rename, Deque<Reversal> reversals) throws IOException, Edits.Refused {
        VirtualFile file = find(rename.uri());
        if (file == null) throw new Edits.Refused(name(rename.uri()) + " does not exist");
        if (find(rename.newUri()) != null && !rename.overwrite()) {
            throw new Edits.Refused(name(rename.newUri()) + " exists already");
        }
        Path target = Uris.path(rename.newUri());
        VirtualFile parent = file.getParent();
        VirtualFile folder = folder(target.getParent(), reversals);
        String name = file.getName();
        if (!folder.equals(parent)) {
            file.move(this, folder);
            reversals.push(() -> file.move(this, parent));
        }
        if (!name.equals(target.getFileName().toString())) {
            file.rename(this, target.getFileName().toString());
            reversals.push(() -> file.rename(this, name));
        }
    }

    private VirtualFile folder(Path path, Deque<Reversal> reversals) throws IOException, Edits.Refused {
        VirtualFile found = find(Uris.of(path));
        if (found != null) return found;
        if (path.getParent() == null) throw new Edits.Refused(path + " does not exist");
        VirtualFile made = folder(path.getParent(), reversals)
                .createChildDirectory(this, path.getFileName().toString());
        reversals.push(() -> made.delete(this));
        return made;
    }

    private static void revert(Deque<Reversal> reversals, Edits.Refused[] failure) {
        for (Reversal reversal : reversals) {
            try {
                reversal.run();
            } catch (IOException error) {
                failure[0] = new Edits.Refused(
                        failure[0].getMessage() + "; it could not be put back wholly: " + error.getMessage());
            }
        }
    }

    private static Document document(VirtualFile file) throws Edits.Refused {
        Document document = FileDocumentManager.getInstance().getDocument(file);
        if (document == null) throw new Edits.Refused(file.getName() + " is not a text file");
        return document;
    }

    static VirtualFile find(String uri) {
        String path = Uris.path(uri).toString().replace('\\', '/');
        return VirtualFileManager.getInstance().refreshAndFindFileByUrl("file://" + path);
    }

    private static String name(String uri) {
        return Uris.path(uri).getFileName().toString();
    }
}
