// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * lido/completion/shown, /partiallyAccepted and /dismissed. acceptedLength counts code units of the
 * negotiated position encoding, from the suggestion's start.
 */
public record CompletionOutcome(String id, Integer acceptedLength, String reason) {
    public CompletionOutcome(String id) {
        this(id, null, null);
    }

    public CompletionOutcome withAcceptedLength(Integer acceptedLength) {
        return new CompletionOutcome(id, acceptedLength, reason);
    }

    public CompletionOutcome withReason(String reason) {
        return new CompletionOutcome(id, acceptedLength, reason);
    }
}
