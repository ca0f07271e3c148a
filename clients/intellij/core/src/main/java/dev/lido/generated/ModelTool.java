// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.Map;

/**
 * @param parameters A JSON Schema object.
 */
public record ModelTool(String name, String description, Map<String, Object> parameters) {
    public ModelTool(String name) {
        this(name, null, null);
    }

    public ModelTool withDescription(String description) {
        return new ModelTool(name, description, parameters);
    }

    public ModelTool withParameters(Map<String, Object> parameters) {
        return new ModelTool(name, description, parameters);
    }
}
