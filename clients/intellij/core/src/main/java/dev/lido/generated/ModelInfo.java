// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * @param state One of: cold, warming, ready, error.
 * @param tools Whether it can call tools.
 * @param contextWindow Tokens.
 */
public record ModelInfo(String name, String provider, String model, String state, String message, Double tokensPerSecond, boolean tools, int contextWindow) {
    public ModelInfo(String name, String provider, String model, String state, String message, boolean tools, int contextWindow) {
        this(name, provider, model, state, message, null, tools, contextWindow);
    }

    public ModelInfo withTokensPerSecond(Double tokensPerSecond) {
        return new ModelInfo(name, provider, model, state, message, tokensPerSecond, tools, contextWindow);
    }
}
