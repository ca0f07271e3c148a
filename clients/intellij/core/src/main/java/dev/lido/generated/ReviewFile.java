// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * @param kind One of: modify, create, delete, rename.
 */
public record ReviewFile(String uri, String kind, String newUri, List<ReviewHunk> hunks) {
    public ReviewFile(String uri, String kind, List<ReviewHunk> hunks) {
        this(uri, kind, null, hunks);
    }

    public ReviewFile withNewUri(String newUri) {
        return new ReviewFile(uri, kind, newUri, hunks);
    }
}
