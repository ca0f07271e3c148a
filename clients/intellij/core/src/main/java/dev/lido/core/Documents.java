package dev.lido.core;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.eclipse.lsp4j.DidChangeTextDocumentParams;
import org.eclipse.lsp4j.DidCloseTextDocumentParams;
import org.eclipse.lsp4j.DidOpenTextDocumentParams;
import org.eclipse.lsp4j.Range;
import org.eclipse.lsp4j.TextDocumentContentChangeEvent;
import org.eclipse.lsp4j.TextDocumentIdentifier;
import org.eclipse.lsp4j.TextDocumentItem;
import org.eclipse.lsp4j.VersionedTextDocumentIdentifier;
import org.eclipse.lsp4j.services.TextDocumentService;

/**
 * The open documents: versions, and what the server is told. Any thread; changes of one document must come in
 * their order. A server that starts anew is told of all of them with their text as it is then.
 */
public final class Documents {
    private record Open(String languageId, Supplier<String> text, int version) {}

    private final Map<String, Open> open = new LinkedHashMap<>();
    private TextDocumentService server;

    /** @param text what stands in the document whenever it is asked; called under this object's lock */
    public synchronized void open(String uri, String languageId, Supplier<String> text) {
        if (open.containsKey(uri)) return;
        open.put(uri, new Open(languageId, text, 1));
        tell(uri);
    }

    /** One replacement: {@code range} is of the text before it. */
    public synchronized void changed(String uri, Range range, String newText) {
        changed(uri, new TextDocumentContentChangeEvent(range, newText));
    }

    /** The whole text is another. */
    public synchronized void replaced(String uri, String text) {
        changed(uri, new TextDocumentContentChangeEvent(text));
    }

    private void changed(String uri, TextDocumentContentChangeEvent change) {
        Open before = open.get(uri);
        if (before == null) return;
        int version = before.version() + 1;
        open.put(uri, new Open(before.languageId(), before.text(), version));
        if (server != null) {
            var id = new VersionedTextDocumentIdentifier(uri, version);
            server.didChange(new DidChangeTextDocumentParams(id, List.of(change)));
        }
    }

    public synchronized void close(String uri) {
        if (open.remove(uri) != null && server != null) {
            server.didClose(new DidCloseTextDocumentParams(new TextDocumentIdentifier(uri)));
        }
    }

    /** The version that the server knows, null where the document is not open. */
    public synchronized Integer version(String uri) {
        Open document = open.get(uri);
        return document == null ? null : document.version();
    }

    synchronized void connect(TextDocumentService to) {
        server = to;
        open.keySet().forEach(this::tell);
    }

    synchronized void disconnect() {
        server = null;
    }

    private void tell(String uri) {
        Open document = open.get(uri);
        if (server != null) {
            server.didOpen(new DidOpenTextDocumentParams(
                    new TextDocumentItem(uri, document.languageId(), document.version(), document.text().get())));
        }
    }

    /** For edits: refuses a version that is not the document's. */
    public void check(Edits edits) throws Edits.Refused {
        for (Edits.Step step : edits.steps()) {
            if (step instanceof Edits.Change change && change.version() != null) {
                Integer version = version(change.uri());
                if (version != null && !version.equals(change.version())) {
                    throw new Edits.Refused(
                            "The document has changed meanwhile (version " + version + ", the edit is for "
                                    + change.version() + ")");
                }
            }
        }
    }
}
