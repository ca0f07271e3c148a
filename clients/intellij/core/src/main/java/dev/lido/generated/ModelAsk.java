// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;
import org.eclipse.lsp4j.jsonrpc.messages.Either;

/**
 * lido/models/ask: one answer of a model for a conversation that the client keeps, as it is: without a
 * prompt of Lido's, and nothing is stored. Streams ChatDelta.
 */
public record ModelAsk(List<ModelTurn> turns, List<ModelTool> tools, String model, Either<String, Integer> partialResultToken, Either<String, Integer> workDoneToken) {
    public ModelAsk(List<ModelTurn> turns) {
        this(turns, null, null, null, null);
    }

    public ModelAsk withTools(List<ModelTool> tools) {
        return new ModelAsk(turns, tools, model, partialResultToken, workDoneToken);
    }

    public ModelAsk withModel(String model) {
        return new ModelAsk(turns, tools, model, partialResultToken, workDoneToken);
    }

    public ModelAsk withPartialResultToken(Either<String, Integer> partialResultToken) {
        return new ModelAsk(turns, tools, model, partialResultToken, workDoneToken);
    }

    public ModelAsk withWorkDoneToken(Either<String, Integer> workDoneToken) {
        return new ModelAsk(turns, tools, model, partialResultToken, workDoneToken);
    }
}
