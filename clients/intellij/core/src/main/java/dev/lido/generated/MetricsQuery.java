// Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited.
package dev.lido.generated;

import java.util.List;

/**
 * lido/metrics: by names dimensions, since is a span such as 28d or an ISO 8601 time.
 */
public record MetricsQuery(List<String> by, String since) {
    public MetricsQuery() {
        this(null, null);
    }

    public MetricsQuery withBy(List<String> by) {
        return new MetricsQuery(by, since);
    }

    public MetricsQuery withSince(String since) {
        return new MetricsQuery(by, since);
    }
}
