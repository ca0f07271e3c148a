// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

public record ModelAnswer(String text, List<ModelToolCall> toolCalls, TokenUsage usage) {
}
