"""Our providers against a real engine by HTTP: llama.cpp's own server, which speaks three of their languages.

What a scripted server proves of the wire, this proves of the engine: it takes what we send, and says what we read.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import DEFAULT_HOME, SHARED_MODELS
from fakes import llama_server
from lido.models import fetch
from lido.models.base import ChatRequest, Chunk, Message, ModelError, TextRequest, Tool
from lido.models.registry import Models
from lido.settings import DEFAULT_MODEL, Home, ModelSettings, Settings

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

FIM = "<|fim_prefix|>def add(a, b):\n    return <|fim_suffix|>\n<|fim_middle|>"
HELLO = ChatRequest(
    (Message("system", "Answer with one word."), Message("user", "Say hello.")), max_tokens=12
)
STORY = ChatRequest((Message("user", "Tell a very long story."),), max_tokens=1500)
PROVIDERS = {"llamacpp": "", "openai": "/v1", "anthropic": "/v1"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("xllamacpp")
    home = Home(Path(SHARED_MODELS)) if SHARED_MODELS else Home(DEFAULT_HOME)
    if not fetch.present(DEFAULT_MODEL, home):
        if os.environ.get("LIDO_TEST_ENGINE"):
            pytest.fail(f"LIDO_TEST_ENGINE is set, but {DEFAULT_MODEL} is not in {home.models}")
        pytest.skip(f"the model is not here: lido model pull {DEFAULT_MODEL}")
    with llama_server.serving(fetch.model_path(DEFAULT_MODEL, home)) as url:
        yield url


@asynccontextmanager
async def models(server: str, provider: str, **changes: Any) -> AsyncIterator[Models]:
    os.environ["A_KEY"] = llama_server.KEY
    table = {
        "provider": provider,
        "base_url": server + PROVIDERS[provider],
        "api_key_env": "A_KEY",
        **changes,
    }
    made = Models(Settings(models={"it": ModelSettings.model_validate(table)}), Home())
    try:
        yield made
    finally:
        await made.close()


async def read(made: Models, request: TextRequest | ChatRequest) -> tuple[str, list[Chunk]]:
    async with aclosing(made.stream("chat", lambda _: request)) as stream:
        chunks = [chunk async for _, chunk in stream]
    return "".join(chunk.text for chunk in chunks), chunks


def usage(chunks: list[Chunk]) -> tuple[int, int]:
    (found,) = [chunk.usage for chunk in chunks if chunk.usage]
    return found.prompt_tokens, found.completion_tokens


@pytest.mark.parametrize("provider", ["llamacpp", "openai"])
async def test_a_completion_by_a_template_and_what_it_cost(server: str, provider: str) -> None:
    async with models(server, provider) as made:
        text, chunks = await read(made, TextRequest(FIM, max_tokens=8, stop=("\n",)))
        assert text.strip() == "a + b"
        prompt, generated = usage(chunks)
        assert 10 < prompt < 30
        assert 2 < generated <= 8
        assert "stop" in [chunk.finish for chunk in chunks]
        text, chunks = await read(made, TextRequest(FIM, max_tokens=1))
        assert "length" in [chunk.finish for chunk in chunks]


async def test_infill_with_files_of_the_repository(server: str) -> None:
    async with models(server, "llamacpp") as made:
        files = (("colours.py", "def favourite_colour_of(person):\n    return person.colour\n"),)
        asked = TextRequest(
            "from colours import *\n\nprint(favourite_", suffix="(me))\n", max_tokens=8, files=files
        )
        text, chunks = await read(made, asked)
        assert text.startswith("colour"), "which only the other file says"
        with_files = usage(chunks)[0]
        _, chunks = await read(made, TextRequest(asked.prompt, suffix=asked.suffix, max_tokens=1))
        assert usage(chunks)[0] < with_files


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_chat_streams_and_says_what_it_cost(server: str, provider: str) -> None:
    async with models(server, provider) as made:
        text, chunks = await read(made, HELLO)
        assert "hello" in text.lower()
        prompt, generated = usage(chunks)
        assert 15 < prompt < 40
        assert 1 <= generated <= 12
        assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"]


@pytest.mark.parametrize("provider", ["llamacpp", "openai"])
async def test_an_answer_by_a_schema(server: str, provider: str) -> None:
    schema = {
        "type": "object",
        "properties": {"sum": {"type": "integer"}, "why": {"enum": ["arithmetic"]}},
        "required": ["sum", "why"],
        "additionalProperties": False,
    }
    asked = ChatRequest(
        (Message("user", "What is 2 + 3?"),), max_tokens=40, temperature=0, json_schema=schema
    )
    async with models(server, provider) as made:
        assert json.loads((await read(made, asked))[0]) == {"sum": 5, "why": "arithmetic"}


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_tool_is_called_in_one_way_or_another(server: str, provider: str) -> None:
    """This model writes its calls into the text; where the server makes a call of it, that is taken."""
    parameters = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    asked = ChatRequest(
        (Message("user", "Use the tool to read the file main.py."),), max_tokens=40, temperature=0,
        tools=(Tool("read_file", "Reads a file.", parameters),),
    )  # fmt: skip
    async with models(server, provider) as made:
        text, chunks = await read(made, asked)
        calls = [call for chunk in chunks for call in chunk.tool_calls]
        said = f"{calls[0].name} {calls[0].arguments}" if calls else text
        assert "read_file" in said
        assert "main.py" in said


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_nobody_reads_any_more_is_not_generated(server: str, provider: str) -> None:
    async def busy() -> bool:
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {llama_server.KEY}"}) as client:
            slots = (await client.get(server + "/slots")).json()
        return any(slot["is_processing"] for slot in slots)

    async with models(server, provider) as made:
        async with aclosing(made.stream("chat", lambda _: STORY)) as stream:
            async for _, chunk in stream:
                if chunk.text:
                    break
            assert await busy()
        async with asyncio.timeout(10):  # the story takes minutes
            while await busy():
                await asyncio.sleep(0.01)

        waiting = asyncio.create_task(read(made, STORY))  # cancelled while it reads the prompt, or just after
        while not await busy():
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
        began = time.monotonic()
        assert (await read(made, HELLO))[0]
        assert time.monotonic() - began < 15, "its only slot was free"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_refusals_of_a_real_server_are_understood(
    server: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with models(server, provider) as made:
        long = ChatRequest((Message("user", "word " * 8000),))
        with pytest.raises(ModelError) as caught:
            await read(made, long)
        assert caught.value.kind == "too_long"
        assert "word" not in str(caught.value)
    async with models(server, provider, api_key_env="WRONG_KEY") as made:
        monkeypatch.setenv("WRONG_KEY", "wrong-key")
        with pytest.raises(ModelError) as caught:
            await read(made, HELLO)
        assert caught.value.kind == "auth"
        assert "wrong-key" not in str(caught.value)


async def test_what_the_server_says_of_itself_is_taken(server: str) -> None:
    async with models(server, "llamacpp", model="whatever") as made:
        backend = made.backend("it")
        assert (backend.capabilities.fim, backend.capabilities.context_window) == ("none", 8192)
        await made.warm_up("completion")
        assert (backend.capabilities.fim, backend.capabilities.context_window) == ("qwen", 4096)
        assert backend.capabilities.small
        assert await backend.count_tokens("hello world") == 2
        probe = await backend.probe()
        assert probe.ok
        assert probe.seconds < 5


async def test_a_wrong_name_is_said_by_the_probe(server: str) -> None:
    async with models(server, "openai", model="another") as made:
        probe = await made.backend("it").probe()
        assert not probe.ok
        assert "qwen2.5-coder" in probe.advice
