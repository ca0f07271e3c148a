"""Events to OpenTelemetry: each as a log record, counts and durations as metrics, completions as traces.

Names follow the GenAI semantic conventions where these have one; the rest begins with ``lido.``. Extra: otel.
What cannot be delivered is tried again for a while by the SDK and then let go; the log itself stays whole.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lido.events import traces
from lido.events.schema import COLUMNS, Event

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATIONS = {"completion": "text_completion", "next_edit": "text_completion"}
"""By feature; the others are "chat"."""
PROVIDERS = {"mistral": "mistral_ai"}
"""Where the conventions call a provider otherwise."""
TOKENS = tuple(4**power for power in range(14))
SECONDS = tuple(0.01 * 2**power for power in range(14))
"""Boundaries of histograms, as the conventions advise."""
TIMEOUT = 5
"""Seconds for one delivery, and for the last one on closing."""

_OWN = tuple(name for name in COLUMNS if name not in ("time", "model", "backend"))


def shared(event: Event) -> dict[str, Any]:
    """Attributes of everything that an event says about a request to a model."""
    return {
        "gen_ai.operation.name": OPERATIONS.get(event.feature, "chat"),
        "gen_ai.provider.name": PROVIDERS.get(event.backend, event.backend) or "unknown",
        **({"gen_ai.request.model": event.model} if event.model else {}),
    }


class Exporter:
    """Takes events in a thread that may wait. `begin` first; what comes before is not exported."""

    def __init__(self, endpoint: str, version: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._version = version
        self._export: Callable[[Event], None] | None = None
        self._providers: list[Any] = []
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Loads the SDK and starts its threads. Blocking. Raises ImportError without the extra."""
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create({"service.name": "lido", "service.version": self._version})
        to: dict[str, Any] = {"timeout": TIMEOUT}
        logs = LoggerProvider(resource, shutdown_on_exit=False)
        logs.add_log_record_processor(
            BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{self._endpoint}/v1/logs", **to))
        )
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(endpoint=f"{self._endpoint}/v1/metrics", **to)
        )
        meters = MeterProvider([reader], resource, shutdown_on_exit=False)
        spans = TracerProvider(resource=resource, shutdown_on_exit=False)
        spans.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{self._endpoint}/v1/traces", **to))
        )
        meter = meters.get_meter("lido", self._version)
        events = meter.create_counter(
            "lido.events", "{event}", "What happened to suggestions, by kind: shown, accepted, rejected, …"
        )
        duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "From a request to its whole answer",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        first = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "From a request to its answer's first token",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of requests and answers",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        logger = logs.get_logger("lido", self._version)

        def export(event: Event) -> None:
            common = shared(event)
            said = {name: getattr(event, name) for name in _OWN}
            own = {f"lido.{name}": value for name, value in said.items() if value not in (None, "")}
            logger.emit(
                timestamp=round(datetime.fromisoformat(event.time).timestamp() * 1000) * 1_000_000,
                event_name=f"lido.suggestion.{event.kind}",
                attributes={**common, **own},
            )
            labels = {
                f"lido.{name}": getattr(event, name)
                for name in ("kind", "feature", "language", "editor", "project", "team")
            }
            events.add(1, {**common, **labels})
            if event.kind == "shown":
                if event.latency_ms is not None:
                    duration.record(event.latency_ms / 1000, common)
                if event.first_token_ms is not None:
                    first.record(event.first_token_ms / 1000, common)
                for kind, count in (("input", event.prompt_tokens), ("output", event.completion_tokens)):
                    if count is not None:
                        tokens.record(count, {**common, "gen_ai.token.type": kind})

        with self._lock:
            self._providers = [logs, meters, spans]
            self._export = export
        traces.use(spans.get_tracer("lido", self._version))

    def __call__(self, event: Event) -> None:
        if self._export is not None:
            self._export(event)

    def close(self) -> None:
        """Delivers what is left, if that is quickly done. Blocking."""
        with self._lock:
            providers, self._providers, self._export = self._providers, [], None
        if providers:
            traces.use(None)
        ends = [threading.Thread(target=_end, args=(each,), daemon=True) for each in providers]
        for thread in ends:
            thread.start()
        for thread in ends:
            thread.join(TIMEOUT)


def _end(provider: Any) -> None:
    with suppress(Exception):
        provider.shutdown()
