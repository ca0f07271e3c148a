// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * lido/review/list: what is undecided, also from before the server was started.
 */
public record ReviewList() {
}
