// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import org.eclipse.lsp4j.Range;

/**
 * Something the person points at; text is what the client already holds.
 * @param kind One of {@link AttachmentKind}.
 */
public record Attachment(String kind, String uri, Range range, String text, String name) {
    public Attachment(String kind) {
        this(kind, null, null, null, null);
    }

    public Attachment withUri(String uri) {
        return new Attachment(kind, uri, range, text, name);
    }

    public Attachment withRange(Range range) {
        return new Attachment(kind, uri, range, text, name);
    }

    public Attachment withText(String text) {
        return new Attachment(kind, uri, range, text, name);
    }

    public Attachment withName(String name) {
        return new Attachment(kind, uri, range, text, name);
    }
}
