// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

public final class AttachmentKind {
    private AttachmentKind() {}

    public static final String FILE = "file";
    public static final String SELECTION = "selection";
    public static final String SYMBOL = "symbol";
    public static final String FOLDER = "folder";
    public static final String DIAGNOSTICS = "diagnostics";
    public static final String OUTPUT = "output";
    public static final String DIFF = "diff";
    public static final String WORKSPACE = "workspace";
}
