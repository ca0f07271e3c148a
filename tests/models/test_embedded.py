"""The embedded engine for real: completing, chatting by a schema, infill, dying, being missing or damaged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from lido.models.base import ChatRequest, Message, ModelError, TextRequest
from lido.models.embedded import Embedded
from lido.models.registry import Models
from lido.settings import DEFAULT_MODEL, Home, ModelSettings, Settings

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]


@pytest.fixture
async def models(engine_home: Path) -> AsyncIterator[Models]:
    made = Models(Settings(), Home(engine_home))
    yield made
    await made.close()


async def text(models: Models, request: TextRequest | ChatRequest) -> str:
    async with aclosing(models.stream("chat", lambda _: request)) as chunks:
        return "".join([chunk.text async for _, chunk in chunks])


FIM = "<|fim_prefix|>def add(a, b):\n    return <|fim_suffix|>\n<|fim_middle|>"


async def test_it_fills_in_answers_by_a_schema_is_started_again_and_killed_engines_are_said(
    models: Models,
) -> None:
    assert "a + b" in await text(models, TextRequest(FIM, max_tokens=8, stop=("\n",)))
    assert "b" in await text(models, TextRequest("def add(a, b):\n    return ", suffix="\n", max_tokens=8))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    question = ChatRequest((Message("user", "What is 2 + 2?"),), max_tokens=40, json_schema=schema)
    assert isinstance(json.loads(await text(models, question))["n"], int)

    backend = models.backend("local")
    assert isinstance(backend, Embedded)
    assert await backend.count_tokens("hello world") == 2
    assert backend.engine.pid
    story = ChatRequest((Message("user", "Tell a long story."),), max_tokens=400)

    async def listen() -> None:
        async with aclosing(backend.chat(story)) as chunks:
            async for _ in chunks:
                if backend.engine.pid:
                    os.kill(backend.engine.pid, signal.SIGKILL)

    with pytest.raises(ModelError, match="stopped in the middle") as caught:
        await listen()
    assert "Ask again" in caught.value.advice
    assert "a + b" in await text(models, TextRequest(FIM, max_tokens=8, stop=("\n",)))


async def test_a_model_that_is_not_here_says_how_to_fetch_it() -> None:
    made = Models(Settings(), Home())
    with pytest.raises(ModelError) as caught:
        await text(made, TextRequest("x"))
    assert caught.value.advice == f"Fetch it: lido model pull {DEFAULT_MODEL}"
    probe = await made.backend("local").probe()
    assert not probe.ok
    assert "lido model pull" in probe.advice
    await made.close()


async def test_a_damaged_model_file_says_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 1000)
    made = Models(Settings(models={"it": ModelSettings(model=str(broken))}), Home())
    with pytest.raises(ModelError, match="could not load") as caught:
        await text(made, TextRequest("x"))
    assert "damaged" in caught.value.advice
    await made.close()


def test_lido_model_serve_is_an_openai_compatible_endpoint(engine_home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lido", "model", "serve", DEFAULT_MODEL, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LIDO_HOME": str(engine_home)},
    ) as served:
        assert served.stdout
        url = served.stdout.readline().strip()
        body = {"model": "x", "messages": [{"role": "user", "content": "Say hi."}], "max_tokens": 8}
        request = urllib.request.Request(
            f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            assert json.load(answer)["choices"][0]["message"]["content"]
        served.send_signal(signal.SIGINT)
        assert served.wait(20) == 0
