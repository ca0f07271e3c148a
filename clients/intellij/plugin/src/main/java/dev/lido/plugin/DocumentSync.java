package dev.lido.plugin;

import com.intellij.openapi.Disposable;
import com.intellij.openapi.editor.Document;
import com.intellij.openapi.editor.Editor;
import com.intellij.openapi.editor.EditorFactory;
import com.intellij.openapi.editor.event.DocumentEvent;
import com.intellij.openapi.editor.event.DocumentListener;
import com.intellij.openapi.editor.event.EditorFactoryEvent;
import com.intellij.openapi.editor.event.EditorFactoryListener;
import com.intellij.openapi.fileEditor.FileDocumentManager;
import com.intellij.openapi.project.Project;
import com.intellij.openapi.util.Disposer;
import com.intellij.openapi.vfs.VirtualFile;
import dev.lido.core.Documents;
import dev.lido.core.GhostText;
import dev.lido.core.Languages;
import dev.lido.core.Uris;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.eclipse.lsp4j.Position;
import org.eclipse.lsp4j.Range;

/** Tells the server what is open in the project's editors, and each change of it. On the UI thread. */
final class DocumentSync implements EditorFactoryListener, DocumentListener {
    private final Project project;
    private final Documents documents;
    private final Map<Document, String> open = new HashMap<>();
    private final Map<Document, GhostText> ghosts = new HashMap<>();
    /** Where a change that is under way begins and ended: one may cause another, of another document. */
    private final Map<Document, Range> changing = new HashMap<>();
    private final Map<Editor, Disposable> withEditors = new HashMap<>();
    private GhostText last;

    DocumentSync(Project project, Documents documents) {
        this.project = project;
        this.documents = documents;
    }

    void start(Disposable parent) {
        EditorFactory factory = EditorFactory.getInstance();
        factory.addEditorFactoryListener(this, parent);
        factory.getEventMulticaster().addDocumentListener(this, parent);
        for (Editor editor : factory.getAllEditors()) opened(editor);
    }

    /** The URI of a file on disk, null of anything else. */
    static String uri(Document document) {
        VirtualFile file = FileDocumentManager.getInstance().getFile(document);
        return file == null ? null : uri(file);
    }

    static String uri(VirtualFile file) {
        return "file".equals(file.getFileSystem().getProtocol()) ? Uris.of(Path.of(file.getPath())) : null;
    }

    static Position position(Document document, int offset) {
        int line = document.getLineNumber(offset);
        return new Position(line, offset - document.getLineStartOffset(line));
    }

    static Range range(Document document, int start, int end) {
        return new Range(position(document, start), position(document, end));
    }

    @Override
    public void editorCreated(EditorFactoryEvent event) {
        opened(event.getEditor());
    }

    void opened(Editor editor) {
        Document document = editor.getDocument();
        String uri = uri(document);
        if (editor.getProject() != project || uri == null || open.containsKey(document)) return;
        open.put(document, uri);
        String name = Path.of(FileDocumentManager.getInstance().getFile(document).getPath()).getFileName().toString();
        documents.open(uri, Languages.id(name), document::getText);
    }

    /** Disposes of something with its editor. */
    void whenReleased(Editor editor, Disposable disposable) {
        withEditors.put(editor, disposable);
    }

    @Override
    public void editorReleased(EditorFactoryEvent event) {
        Disposable with = withEditors.remove(event.getEditor());
        if (with != null) Disposer.dispose(with);
        Document document = event.getEditor().getDocument();
        for (Editor other : event.getFactory().getEditors(document, project)) {
            if (other != event.getEditor()) return;
        }
        String uri = open.remove(document);
        GhostText ghost = ghosts.remove(document);
        if (ghost != null) ghost.hidden(null);
        if (uri != null) documents.close(uri);
    }

    /** What is drawn in a document now; it is followed until it is over. */
    void draws(Document document, GhostText ghost) {
        GhostText before = ghosts.put(document, ghost);
        if (before != null) before.hidden(null);
    }

    GhostText drawn(Document document) {
        return ghosts.get(document);
    }

    /** How many characters go after what was just taken whole; asked once. */
    int taken(Document document) {
        int replaced = last == null || ghosts.containsKey(document) ? 0 : last.replacesAfter();
        last = null;
        return replaced;
    }

    @Override
    public void beforeDocumentChange(DocumentEvent event) {
        Document document = event.getDocument();
        if (!open.containsKey(document)) return;
        changing.put(document, range(document, event.getOffset(), event.getOffset() + event.getOldLength()));
    }

    @Override
    public void documentChanged(DocumentEvent event) {
        Document document = event.getDocument();
        String uri = open.get(document);
        if (uri == null || !changing.containsKey(document)) return;
        String inserted = event.getNewFragment().toString();
        documents.changed(uri, changing.remove(document), inserted);
        GhostText ghost = ghosts.get(document);
        if (ghost != null && !ghost.changed(event.getOffset(), event.getOldLength(), inserted)) {
            ghosts.remove(document);
            last = ghost;
        }
    }
}
