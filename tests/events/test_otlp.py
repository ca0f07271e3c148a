"""What an OTLP receiver gets: decoded with OpenTelemetry's own protobuf messages."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra otel")

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lido.events import traces
from lido.events.otlp import Exporter
from lido.events.schema import Event, uuid7
from lido.events.store import EventLog

MESSAGES = {
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/traces": ExportTraceServiceRequest,
}


class Receiver(ThreadingHTTPServer):
    def __init__(self) -> None:
        self.got: dict[str, list[Any]] = {path: [] for path in MESSAGES}
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        message = MESSAGES[self.path]()
        message.ParseFromString(body)
        self.server.got[self.path].append(message)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def event(kind: Any = "shown", **members: Any) -> Event:
    return Event(
        uuid7(), "2026-11-01T10:00:00.250Z", "s1", kind, "completion", language="python", team="core",
        model="qwen", backend="mistral", **members,
    )  # fmt: skip


async def test_what_is_logged_arrives_as_logs_and_metrics(receiver, tmp_path):
    exporter = Exporter(receiver.url, "1.2.3")
    await asyncio.to_thread(exporter.begin)
    log = EventLog(tmp_path / "events.sqlite3")
    log.observer = exporter
    log.record(event(latency_ms=200.0, first_token_ms=90.0, prompt_tokens=500, completion_tokens=20))
    log.record(event("accepted", accepted_characters=12))
    await log.flush()
    await asyncio.to_thread(log.close)
    await asyncio.to_thread(exporter.close)

    (batch,) = receiver.got["/v1/logs"]
    resource = plain(batch.resource_logs[0].resource.attributes)
    assert (resource["service.name"], resource["service.version"]) == ("lido", "1.2.3")
    shown, accepted = batch.resource_logs[0].scope_logs[0].log_records
    assert (shown.event_name, accepted.event_name) == ("lido.suggestion.shown", "lido.suggestion.accepted")
    assert shown.time_unix_nano == 1793527200_250_000_000
    said = plain(shown.attributes)
    assert said["gen_ai.operation.name"] == "text_completion"
    assert (said["gen_ai.provider.name"], said["gen_ai.request.model"]) == ("mistral_ai", "qwen")
    assert (said["lido.language"], said["lido.prompt_tokens"]) == ("python", 500)
    assert "lido.text" not in said
    assert plain(accepted.attributes)["lido.accepted_characters"] == 12

    measured = {
        metric.name: metric
        for metric in receiver.got["/v1/metrics"][-1].resource_metrics[0].scope_metrics[0].metrics
    }
    counts = {plain(p.attributes)["lido.kind"]: p.as_int for p in measured["lido.events"].sum.data_points}
    assert counts == {"shown": 1, "accepted": 1}
    assert measured["gen_ai.client.operation.duration"].histogram.data_points[0].sum == pytest.approx(0.2)
    first = measured["gen_ai.client.operation.time_to_first_chunk"].histogram.data_points[0]
    assert first.sum == pytest.approx(0.09)
    tokens = measured["gen_ai.client.token.usage"].histogram.data_points
    assert {plain(p.attributes)["gen_ai.token.type"]: p.sum for p in tokens} == {"input": 500, "output": 20}


async def test_spans_of_tasks_and_threads_hang_together(receiver):
    exporter = Exporter(receiver.url, "1.2.3")
    await asyncio.to_thread(exporter.begin)

    @traces.traced("prompt")
    def build() -> None:
        traces.annotate({"lido.language": "go", "lido.none": None})

    @traces.traced("completion")
    async def complete() -> str:
        await asyncio.to_thread(build)
        traces.happened("first token")
        return "text"

    assert await complete() == "text"
    with pytest.raises(ValueError, match="secret"), traces.span("fails"):
        raise ValueError("secret")
    await asyncio.to_thread(exporter.close)
    (batch,) = receiver.got["/v1/traces"]
    spans = {span.name: span for span in batch.resource_spans[0].scope_spans[0].spans}
    assert spans["prompt"].parent_span_id == spans["completion"].span_id
    assert plain(spans["prompt"].attributes) == {"lido.language": "go"}
    assert [each.name for each in spans["completion"].events] == ["first token"]
    assert b"secret" not in batch.SerializeToString()


async def test_without_an_endpoint_spans_are_nothing():
    assert traces.span("a") is traces.span("b", c=1)
    with traces.span("a"):
        traces.annotate({"b": 1})
        traces.happened("c")


async def test_a_receiver_that_is_gone_holds_nothing_up(tmp_path):
    exporter = Exporter("http://127.0.0.1:9", "1.2.3")
    await asyncio.to_thread(exporter.begin)
    log = EventLog(tmp_path / "events.sqlite3")
    log.observer = exporter
    log.record(event())
    began = time.monotonic()
    await log.flush()
    assert time.monotonic() - began < 2
    await asyncio.to_thread(log.close)
    await asyncio.to_thread(exporter.close)
    assert time.monotonic() - began < 12


async def test_a_completion_is_one_trace_from_the_editors_request_to_its_shape(receiver, tmp_path):
    from fakes.model_server import ModelServer, Script
    from fakes.raw_client import RawClient

    async with ModelServer(Script(["compute(total)"])) as backend:
        model = {"provider": "openai", "base_url": f"{backend.url}/v1", "model": "qwen2.5-coder-7b"}
        settings = {
            "models": {"m": model},
            "completion": {"debounce_ms": 0},
            "events": {"otlp_endpoint": receiver.url},
        }
        async with RawClient(tmp_path, settings) as client:
            uri = (tmp_path / "a.py").as_uri()
            text = "def f(total):\n    value = "
            document = {"uri": uri, "languageId": "python", "version": 0, "text": text}
            client.notify("textDocument/didOpen", {"textDocument": document})
            found = []
            for _ in range(50):  # what happens while the SDK loads is not exported
                answer = await client.request(
                    "textDocument/inlineCompletion",
                    {
                        "textDocument": {"uri": uri},
                        "position": {"line": 1, "character": 12},
                        "context": {"triggerKind": 1},
                    },
                )
                found = answer["items"]
            assert found
    spans = [
        span
        for batch in receiver.got["/v1/traces"]
        for scope in batch.resource_spans[0].scope_spans
        for span in scope.spans
    ]
    asked = [span for span in spans if span.name == "text_completion" and span.events]
    assert plain(asked[0].attributes)["gen_ai.request.model"] == "qwen2.5-coder-7b"
    whole = [each for each in spans if each.trace_id == asked[-1].trace_id]
    assert {"lido.completion", "lido.prompt", "text_completion", "lido.shape"} <= {
        each.name for each in whole
    }
    assert b"def f(total)" not in b"".join(batch.SerializeToString() for batch in receiver.got["/v1/traces"])
