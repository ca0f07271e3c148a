// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;
import java.util.Map;

/**
 * @param roles Role (chat, completion, plan) → names of the models that serve it, in fail-over order.
 */
public record Models(List<ModelInfo> models, Map<String, List<String>> roles) {
}
