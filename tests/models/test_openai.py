"""The OpenAI-compatible backend against a scripted server: answers, faults, cancellation."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from fakes.model_server import ModelServer, Script
from lido.models.base import ChatRequest, Chunk, Message, ModelError, TextRequest, Tool
from lido.models.registry import Models
from lido.settings import Home, ModelSettings, Settings

QUICK = {"connect": 1.0, "first_token": 0.4, "between_tokens": 0.4, "total": 3.0}


@asynccontextmanager
async def models(server: ModelServer, gate=lambda text: text, **changes: object) -> AsyncIterator[Models]:
    table = ModelSettings.model_validate(
        {
            "provider": "openai",
            "base_url": f"{server.url}/v1",
            "model": "scripted",
            "timeouts": QUICK,
            **changes,
        }
    )
    made = Models(Settings(models={"it": table}), Home(), gate)
    try:
        yield made
    finally:
        await made.close()


async def read(made: Models, request: TextRequest | ChatRequest | None = None) -> list[Chunk]:
    asked = request or TextRequest("def f():")
    async with aclosing(made.stream("completion", lambda _: asked)) as chunks:
        return [chunk async for _, chunk in chunks]


async def test_a_completion_streams_and_says_what_it_cost() -> None:
    async with ModelServer(Script(["re", "turn ", "1"])) as server, models(server) as made:
        chunks = await read(made, TextRequest("def f():", suffix="\n", max_tokens=7, stop=("x",), seed=3))
        assert "".join(chunk.text for chunk in chunks) == "return 1"
        assert chunks[-1].finish == "stop"
        assert chunks[-1].usage
        assert chunks[-1].usage.completion_tokens == 3
        body = server.seen[0].body
        assert (body["prompt"], body["suffix"], body["max_tokens"]) == ("def f():", "\n", 7)
        assert (body["stop"], body["seed"], body["stream"]) == (["x"], 3, True)


async def test_a_chat_carries_messages_tools_and_schema() -> None:
    async with ModelServer(Script(["hello"])) as server, models(server) as made:
        tool = Tool("read", "Reads a file", {"type": "object"})
        request = ChatRequest((Message("user", "hi"),), tools=(tool,), json_schema={"type": "object"})
        assert "".join(chunk.text for chunk in await read(made, request)) == "hello"
        body = server.seen[0].body
        assert body["messages"] == [{"role": "user", "content": "hi"}]
        assert body["tools"][0]["function"]["name"] == "read"
        assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


async def test_every_text_passes_the_gate() -> None:
    async with ModelServer() as server, models(server, lambda text: text.replace("secret", "…")) as made:
        await read(made, TextRequest("my secret", suffix="secret too"))
        await read(made, ChatRequest((Message("user", "secret"),)))
        assert "secret" not in str([seen.body for seen in server.seen])


async def test_closing_the_stream_closes_the_socket() -> None:
    async with ModelServer(Script(["a"], delay=0.01, fault="endless")) as server, models(server) as made:
        async with aclosing(made.stream("completion", lambda _: TextRequest("x"))) as chunks:
            await anext(chunks)
        await asyncio.wait_for(server.seen[0].closed_early.wait(), 2)


async def test_cancelling_the_reader_closes_the_socket_before_the_first_token_too() -> None:
    async with ModelServer(Script(fault="hang")) as server:
        async with models(server, timeouts={"first_token": 60}) as made:
            task = asyncio.create_task(read(made))
            await server.requests(1)
            task.cancel()
            await asyncio.wait([task])
            await asyncio.wait_for(server.seen[0].closed_early.wait(), 2)


FAULTS = [
    (Script(fault="hang"), "timeout", "overloaded"),
    (Script(fault="stall"), "timeout", "between_tokens"),
    (Script(fault="reset"), "unreachable", "base_url"),
    (Script(fault="half a header"), "unreachable", "base_url"),
    (Script(fault="reset mid-stream"), "unreachable", "base_url"),
    (Script(fault="cut"), "unreachable", "base_url"),
    (Script(fault="html"), "bad_answer", "base_url"),
    (Script(fault="invalid json"), "bad_answer", ""),
    (Script(fault="error event"), "bad_answer", ""),
    (Script(fault="huge event"), "bad_answer", ""),
    (
        Script(status=400, body='{"error": {"message": "maximum context length is 4096"}}'),
        "too_long",
        "context_window",
    ),
    (Script(status=400, body='{"error": "no"}'), "refused", ""),
    (Script(status=401), "auth", "api_key_env"),
    (Script(status=403, body="<html>"), "auth", "api_key_env"),
    (Script(status=404, body='{"detail": "no such model"}'), "not_found", "lido doctor"),
    (Script(status=413), "too_long", "context_window"),
    (Script(status=429, headers={"Retry-After": "60"}), "rate_limited", "later"),
    (Script(status=500, body="x" * 5_000_000), "unreachable", "log"),
    (Script(status=503), "unreachable", "log"),
    (Script(status=302, headers={"Location": "http://127.0.0.1:1/"}), "refused", "redirects"),
]


@pytest.mark.parametrize(
    ("script", "kind", "advice"), FAULTS, ids=lambda value: getattr(value, "fault", "") or ""
)
async def test_each_fault_is_a_clear_error_in_bounded_time_and_the_next_request_works(
    script: Script, kind: str, advice: str
) -> None:
    async with ModelServer(script) as server, models(server, max_retries=1) as made:
        began = time.monotonic()
        with pytest.raises(ModelError) as caught:
            await read(made)
        assert time.monotonic() - began < 5
        assert caught.value.kind == kind
        assert advice in caught.value.advice
        assert "it" in caught.value.message
        assert "def f" not in str(caught.value), "errors never quote the prompt"
        server.scripts = [Script(["fine"])]
        assert "".join(chunk.text for chunk in await read(made)) == "fine"


async def test_half_a_character_at_the_end_of_a_stream_is_an_error_and_not_a_hang() -> None:
    async with ModelServer(Script(["a"], fault="half utf-8")) as server, models(server) as made:
        chunks = await asyncio.wait_for(read(made), 5)
        assert "".join(chunk.text for chunk in chunks).startswith("a")


async def test_what_says_not_now_is_asked_again_before_the_first_token() -> None:
    async with ModelServer(Script(status=503, times=1), Script(["ok"])) as server, models(server) as made:
        assert "".join(chunk.text for chunk in await read(made)) == "ok"
        assert len(server.seen) == 2


async def test_retry_after_is_honoured() -> None:
    busy = Script(status=429, headers={"Retry-After": "0.3"}, times=1)
    async with ModelServer(busy, Script(["ok"])) as server, models(server) as made:
        began = time.monotonic()
        await read(made)
        assert time.monotonic() - began >= 0.3


async def test_nothing_is_asked_again_once_words_have_come() -> None:
    async with ModelServer(Script(["a"], fault="reset mid-stream")) as server, models(server) as made:
        with pytest.raises(ModelError):
            await read(made)
        assert len(server.seen) == 1


async def test_a_backend_that_keeps_failing_is_left_alone_for_a_while() -> None:
    async with ModelServer(Script(status=500)) as server, models(server, max_retries=0) as made:
        for _ in range(3):
            with pytest.raises(ModelError):
                await read(made)
        with pytest.raises(ModelError, match="left alone"):
            await read(made)
        assert len(server.seen) == 3


async def test_the_next_model_of_the_role_answers_where_the_first_fails() -> None:
    async with ModelServer(Script(["ok"])) as server:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            dead = {"provider": "openai", "base_url": f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"}
            settings = Settings.model_validate(
                {
                    "models": {
                        "dead": {**dead, "max_retries": 0},
                        "alive": {"provider": "openai", "base_url": server.url},
                    },
                    "roles": {"completion": ["dead", "alive"]},
                }
            )
            made = Models(settings, Home())
            stream = made.stream("completion", lambda _: TextRequest("x"))
            answered = [(backend.name, chunk.text) async for backend, chunk in stream]
            assert answered[0] == ("alive", "ok")
            states = {status.name: status.state for status in made.statuses()}
            assert states == {"dead": "error", "alive": "ready"}
            await made.close()


async def test_a_key_is_read_again_once_when_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "old")

    def answer(seen) -> Script:
        if seen.headers["authorization"] == "Bearer new":
            return Script(["in"])
        monkeypatch.setenv("THE_KEY", "new")
        return Script(status=401)

    async with ModelServer() as server, models(server, api_key_env="THE_KEY") as made:
        server.answer = answer
        assert "".join(chunk.text for chunk in await read(made)) == "in"
        assert len(server.seen) == 2


async def test_a_key_that_is_not_there_says_which_variable() -> None:
    async with ModelServer() as server, models(server, api_key_env="NO_SUCH_KEY") as made:
        with pytest.raises(ModelError, match="NO_SUCH_KEY is not set") as caught:
            await read(made)
        assert caught.value.kind == "auth"


async def test_a_key_from_a_command() -> None:
    async with ModelServer() as server, models(server, api_key_command=["echo", "k1"]) as made:
        await read(made)
        assert server.seen[0].headers["authorization"] == "Bearer k1"


async def test_nothing_is_left_open() -> None:
    async with ModelServer(Script(["a", "b"])) as server:
        async with models(server) as made:
            for _ in range(20):
                await read(made)
            assert server.open_connections <= 1, "connections are kept and used again"
        before = len(asyncio.all_tasks())
        async with asyncio.timeout(2):
            while server.open_connections:
                await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) <= before


async def test_probe_says_what_is_offered() -> None:
    async with ModelServer(model="other") as server, models(server) as made:
        probe = await made.backend("it").probe()
        assert not probe.ok
        assert "other" in probe.advice


async def test_how_quickly_answers_stream_is_known_afterwards():
    async with ModelServer(Script(["a"] * 20, delay=0.01)) as server, models(server) as made:
        assert made.statuses()[0].tokens_per_second is None
        await read(made)
        pace = made.statuses()[0].tokens_per_second
        assert pace
        assert 5 < pace <= 110
