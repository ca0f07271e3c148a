// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

/**
 * @param state One of: cold, warming, ready, error.
 * @param tokensPerSecond Of its latest answers, to two digits; null before the first of some length.
 */
public record ModelStatus(String name, String provider, String model, String state, String message, Double tokensPerSecond) {
    public ModelStatus(String name, String provider, String model, String state, String message) {
        this(name, provider, model, state, message, null);
    }

    public ModelStatus withTokensPerSecond(Double tokensPerSecond) {
        return new ModelStatus(name, provider, model, state, message, tokensPerSecond);
    }
}
