"""Ollama, Mistral and Anthropic: what goes over the wire, and what comes back, as their documentation has it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from lido.models.base import Capabilities, ChatRequest, Chunk, Message, TextRequest, Tool, ToolCall
from lido.models.registry import Models
from lido.settings import Home, ModelSettings, Settings


class Recorded:
    """A server that gives one recorded answer and remembers what it was asked."""

    def __init__(self, kind: str, body: str) -> None:
        recorded = self
        self.path, self.headers, self.body = "", {}, {}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                recorded.path, recorded.headers = self.path, {k.lower(): v for k, v in self.headers.items()}
                recorded.body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.body: dict[str, Any]
        self.headers: dict[str, str]


@asynccontextmanager
async def asked(
    recorded: Recorded, provider: str, request: TextRequest | ChatRequest, **settings: Any
) -> AsyncIterator[list[Chunk]]:
    table = ModelSettings.model_validate(
        {"provider": provider, "base_url": recorded.url, "model": "m", **settings}
    )
    models = Models(Settings(models={"it": table}), Home())
    try:
        async with aclosing(models.stream("chat", lambda _: request)) as chunks:
            yield [chunk async for _, chunk in chunks]
    finally:
        await models.close()
        recorded.server.shutdown()
        recorded.server.server_close()


def events(*items: dict[str, Any]) -> str:
    return "".join(f"event: {item.get('type')}\ndata: {json.dumps(item)}\n\n" for item in items)


def lines(*items: dict[str, Any]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


async def test_ollama_completes_with_a_suffix() -> None:
    answer = lines(
        {"response": "re", "done": False},
        {"response": "turn", "done": True, "eval_count": 2, "prompt_eval_count": 9},
    )
    recorded = Recorded("application/x-ndjson", answer)
    async with asked(recorded, "ollama", TextRequest("a", suffix="b", max_tokens=5)) as chunks:
        assert "".join(c.text for c in chunks) == "return"
        assert chunks[-1].usage
        assert (chunks[-1].usage.prompt_tokens, chunks[-1].finish) == (9, "stop")
    assert recorded.path == "/api/generate"
    assert recorded.body["suffix"] == "b"
    assert recorded.body["options"]["num_predict"] == 5
    assert "raw" not in recorded.body


async def test_ollama_sends_a_prompt_with_a_template_of_its_own_raw() -> None:
    recorded = Recorded(
        "application/x-ndjson", lines({"response": "x", "done": True, "done_reason": "length"})
    )
    async with asked(recorded, "ollama", TextRequest("<fim>")) as chunks:
        assert chunks[-1].finish == "length"
    assert recorded.body["raw"] is True


async def test_ollama_chats_with_tools_and_a_schema() -> None:
    call = {"function": {"name": "read", "arguments": {"path": "a"}}}
    recorded = Recorded(
        "application/x-ndjson", lines({"message": {"content": "", "tool_calls": [call]}, "done": True})
    )
    request = ChatRequest(
        (Message("user", "hi"),), tools=(Tool("read", "", {}),), json_schema={"type": "object"}
    )
    async with asked(recorded, "ollama", request) as chunks:
        assert chunks[-1].tool_calls == (ToolCall("call_0", "read", '{"path": "a"}'),)
        assert chunks[-1].finish == "tool_calls"
    assert recorded.body["format"] == {"type": "object"}


async def test_mistral_fills_the_middle_natively() -> None:
    answer = events(
        {
            "choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1},
        }
    )
    recorded = Recorded("text/event-stream", answer)
    async with asked(recorded, "mistral", TextRequest("a", suffix="b", seed=4)) as chunks:
        assert chunks[-1].text == "x"
    assert recorded.path == "/fim/completions"
    assert (recorded.body["prompt"], recorded.body["suffix"], recorded.body["random_seed"]) == ("a", "b", 4)
    assert "stream_options" not in recorded.body


ANTHROPIC = events(
    {"type": "message_start", "message": {"usage": {"input_tokens": 10, "cache_read_input_tokens": 4}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t1", "name": "read"},
    },
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": '{"p": 1}'},
    },
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
)


async def test_anthropic_streams_text_tools_and_usage(monkeypatch: Any) -> None:
    monkeypatch.setenv("A_KEY", "k")
    recorded = Recorded("text/event-stream", ANTHROPIC)
    request = ChatRequest(
        (
            Message("system", "be brief"),
            Message("user", "hi"),
            Message("assistant", "", (ToolCall("t0", "read", "{}"),)),
            Message("tool", "text", tool_call_id="t0"),
        ),
        tools=(Tool("read", "Reads", {"type": "object"}),),
    )
    async with asked(recorded, "anthropic", request, api_key_env="A_KEY") as chunks:
        assert "".join(c.text for c in chunks) == "hello"
        last = chunks[-1]
        assert last.tool_calls == (ToolCall("t1", "read", '{"p": 1}'),)
        assert last.usage
        assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.cached_tokens) == (
            14,
            7,
            4,
        )
    assert recorded.path == "/messages"
    assert recorded.headers["x-api-key"] == "k"
    assert "authorization" not in recorded.headers
    assert recorded.body["system"][0]["text"] == "be brief"
    assert [turn["role"] for turn in recorded.body["messages"]] == ["user", "assistant", "user"]
    assert recorded.body["messages"][2]["content"][0]["tool_use_id"] == "t0"


async def test_anthropic_answers_by_a_schema_through_a_tool() -> None:
    answer = events(
        {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "t", "name": "answer"},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'},
        },
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    )
    recorded = Recorded("text/event-stream", answer)
    async with asked(
        recorded, "anthropic", ChatRequest((Message("user", "x"),), json_schema={"type": "object"})
    ) as chunks:
        assert "".join(c.text for c in chunks) == '{"a": 1}'
        assert chunks[-1].finish == "stop"
    assert recorded.body["tool_choice"] == {"type": "tool", "name": "answer"}


class Telling:
    """A server that answers each path by JSON, whatever the method."""

    def __init__(self, answers: dict[str, Any]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                found = answers.get(self.path)
                self.send_response(404 if found is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


async def learned(provider: str, answers: dict[str, Any], **settings: Any) -> Capabilities:
    telling = Telling(answers)
    table = {"provider": provider, "base_url": telling.url, "model": "m", **settings}
    models = Models(Settings.model_validate({"models": {"it": table}}), Home())
    try:
        await models.warm_up("completion")
        return models.backend("it").capabilities
    finally:
        await models.close()
        telling.server.shutdown()
        telling.server.server_close()


async def test_the_window_that_a_server_tells_is_taken_unless_one_is_configured() -> None:
    vllm = {
        "/models": {"data": [{"id": "other", "max_model_len": 4096}, {"id": "m", "max_model_len": 32768}]}
    }
    assert (await learned("openai", vllm)).context_window == 32768
    assert (await learned("openai", vllm, context_window=16384)).context_window == 16384
    gateway = {"/models": {"data": [{"id": "m", "context_length": 131072}]}}
    assert (await learned("openai", gateway)).context_window == 131072
    assert (await learned("anthropic", {})).context_window == 200_000


async def test_what_cannot_be_asked_or_makes_no_sense_stays_as_it_was() -> None:
    for nonsense in ("x", -1, 3, None, 1.5, [], {"a": 1}, True):
        told = {"/models": {"data": [{"id": "m", "max_model_len": nonsense}]}}
        assert (await learned("openai", told)).context_window == 8192
        props = {"/props": {"default_generation_settings": nonsense, "model_path": nonsense}}
        assert (await learned("llamacpp", props, model="qwen2.5-coder")).context_window == 8192
        shown = {"/api/show": {"capabilities": nonsense, "model_info": nonsense}}
        assert (await learned("ollama", shown)).context_window == 8192
    for answer in (None, [], "x", {"data": 3}):
        assert (await learned("openai", {"/models": answer})).context_window == 8192


async def test_ollama_tells_whether_a_model_fills_the_middle_and_calls_tools() -> None:
    info = {"general.architecture": "qwen2", "qwen2.context_length": 4096}
    able = await learned(
        "ollama", {"/api/show": {"capabilities": ["completion", "insert"], "model_info": info}}
    )
    assert (able.fim, able.tools, able.context_window) == ("suffix", False, 4096)
    told = {"/api/show": {"capabilities": ["completion", "tools", "insert"], "model_info": {}}}
    able = await learned("ollama", told, model="qwen2.5-coder:7b")
    assert (able.fim, able.tools, able.context_window) == ("qwen", True, 8192)
    assert (await learned("ollama", told, fim="none")).fim == "none"


async def test_llama_cpp_tells_which_model_it_serves() -> None:
    props = {
        "default_generation_settings": {"n_ctx": 6144},
        "model_path": "C:\\models\\starcoder2-3b.Q4_K_M.gguf",
    }
    able = await learned("llamacpp", {"/props": props})
    assert (able.fim, able.small, able.context_window) == ("starcoder", True, 6144)


async def test_no_command_or_keyring_is_asked_for_a_key_that_nobody_needs_yet(tmp_path: Path) -> None:
    telling = Telling({"/models": {"data": [{"id": "m", "max_model_len": 4096}]}})
    ran = tmp_path / "ran"

    def table(**key: object) -> dict[str, object]:
        return {"provider": "openai", "base_url": telling.url, "model": "m", **key}

    settings = {
        "models": {"a": table(), "b": table(api_key_command=["touch", str(ran)]), "c": table()},
        "roles": {"completion": ["a", "b"], "chat": ["b"], "plan": "c"},
    }
    models = Models(Settings.model_validate(settings), Home())
    try:
        await models.warm_up("completion")
        assert not ran.exists()
        windows = [models.backend(name).capabilities.context_window for name in "abc"]
        assert windows == [4096, 8192, 4096]
    finally:
        await models.close()
        telling.server.shutdown()
        telling.server.server_close()
