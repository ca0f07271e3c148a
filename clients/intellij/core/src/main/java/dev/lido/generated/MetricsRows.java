// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;
import java.util.Map;

public record MetricsRows(List<Map<String, Object>> rows) {
}
