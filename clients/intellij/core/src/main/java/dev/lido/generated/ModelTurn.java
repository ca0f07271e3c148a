// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * @param role One of: system, user, assistant, tool.
 * @param toolCallId Of a tool's turn: the call that text is the result of.
 */
public record ModelTurn(String role, String text, List<ModelToolCall> toolCalls, String toolCallId) {
    public ModelTurn(String role) {
        this(role, null, null, null);
    }

    public ModelTurn withText(String text) {
        return new ModelTurn(role, text, toolCalls, toolCallId);
    }

    public ModelTurn withToolCalls(List<ModelToolCall> toolCalls) {
        return new ModelTurn(role, text, toolCalls, toolCallId);
    }

    public ModelTurn withToolCallId(String toolCallId) {
        return new ModelTurn(role, text, toolCalls, toolCallId);
    }
}
