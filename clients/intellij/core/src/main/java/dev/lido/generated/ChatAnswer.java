// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * @param notes Sentences for the person: what was left out, which citations do not exist.
 */
public record ChatAnswer(String conversationId, String messageId, String text, List<CodeBlock> codeBlocks, TokenUsage usage, List<String> notes) {
}
