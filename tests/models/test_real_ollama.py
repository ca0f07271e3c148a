"""Our provider against a real Ollama, where there is one (`tools/build-ollama.sh` builds it)."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import DEFAULT_HOME, SHARED_MODELS
from lido.models import fetch
from lido.models.base import ChatRequest, Chunk, Message, ModelError, TextRequest, Tool
from lido.models.registry import Models
from lido.settings import DEFAULT_MODEL, Home, ModelSettings, Settings

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

OLLAMA = shutil.which("ollama", path=f"{os.environ.get('LIDO_TEST_OLLAMA', '')}:{os.environ['PATH']}")
MODELFILE = '''FROM {file}
PARAMETER num_thread 1
PARAMETER stop <|im_end|>
PARAMETER stop <|endoftext|>
TEMPLATE """{{{{- if .Suffix }}}}<|fim_prefix|>{{{{ .Prompt }}}}<|fim_suffix|>{{{{ .Suffix }}}}<|fim_middle|>
{{{{- else if .Messages }}}}
{{{{- if or .System .Tools }}}}<|im_start|>system
{{{{ .System }}}}{{{{ if .Tools }}}}
To call a function, answer with {{{{ "{{" }}}}"name": its name, "arguments": an object{{{{ "}}" }}}} alone.
{{{{ range .Tools }}}}{{{{ . }}}}
{{{{ end }}}}{{{{ end }}}}<|im_end|>
{{{{ end }}}}
{{{{- range .Messages }}}}<|im_start|>{{{{ .Role }}}}
{{{{ .Content }}}}{{{{ range .ToolCalls }}}}{{{{ "{{" }}}}"name": "{{{{ .Function.Name }}}}", "arguments": {{{{ .Function.Arguments }}}}{{{{ "}}" }}}}{{{{ end }}}}<|im_end|>
{{{{ end }}}}<|im_start|>assistant
{{{{ else }}}}{{{{ .Prompt }}}}{{{{ end }}}}"""
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; it serves our small model, imported from the file, under two names."""
    if OLLAMA is None:
        pytest.skip("there is no ollama on PATH, nor in LIDO_TEST_OLLAMA")
    home = Home(Path(SHARED_MODELS)) if SHARED_MODELS else Home(DEFAULT_HOME)
    if not fetch.present(DEFAULT_MODEL, home):
        pytest.skip(f"the model is not here: lido model pull {DEFAULT_MODEL}")
    small = fetch.model_path("qwen2.5-coder-0.5b", home)
    model = small if small.exists() else fetch.model_path(DEFAULT_MODEL, home)
    folder = tmp_path_factory.mktemp("ollama")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    env = {
        **os.environ, "HOME": str(folder), "OLLAMA_HOST": address, "OLLAMA_MODELS": str(folder / "models"),
        "OLLAMA_NUM_PARALLEL": "1",
    }  # fmt: skip
    env.pop("OLLAMA_DEBUG", None)
    (folder / "Modelfile").write_text(MODELFILE.format(file=model))
    quiet = {"env": env, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([OLLAMA, "serve"], **quiet) as process:
        try:
            began = time.monotonic()
            while time.monotonic() - began < 30:
                try:
                    urllib.request.urlopen(f"http://{address}/api/version", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.05)
            for name in ("qwen2.5-coder", "mine"):
                subprocess.run(
                    [OLLAMA, "create", name, "-f", str(folder / "Modelfile")],
                    check=True,
                    timeout=120,
                    **quiet,
                )
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(20)
            shutil.rmtree(folder)


@asynccontextmanager
async def models(server: str, model: str = "qwen2.5-coder", **changes: Any) -> AsyncIterator[Models]:
    table = {"provider": "ollama", "base_url": server, "model": model, "context_window": 2048, **changes}
    made = Models(Settings(models={"it": ModelSettings.model_validate(table)}), Home())
    try:
        yield made
    finally:
        await made.close()


async def read(made: Models, request: TextRequest | ChatRequest) -> tuple[str, list[Chunk]]:
    async with aclosing(made.stream("chat", lambda _: request)) as stream:
        chunks = [chunk async for _, chunk in stream]
    return "".join(chunk.text for chunk in chunks), chunks


async def test_a_completion_by_a_template_of_ours_and_by_its_own(server: str) -> None:
    fim = "<|fim_prefix|>def add(a, b):\n    return <|fim_suffix|>\n<|fim_middle|>"
    async with models(server) as made:
        text, chunks = await read(made, TextRequest(fim, max_tokens=8, stop=("\n",)))
        assert text.strip() == "a + b"
        (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
        assert 10 < usage.prompt_tokens < 30
        assert 2 < usage.completion_tokens <= 8
        natively = TextRequest("def add(a, b):\n    return ", suffix="\n", max_tokens=8)
        text, chunks = await read(made, natively)
        assert "a" in text
        assert "b" in text
        _, chunks = await read(made, TextRequest(fim, max_tokens=1))
        assert chunks[-1].finish == "length"


async def test_a_chat_streams_by_a_schema_and_by_tools(server: str) -> None:
    async with models(server) as made:
        text, chunks = await read(
            made, ChatRequest((Message("user", "Say hello."),), max_tokens=12, temperature=0)
        )
        assert "hello" in text.lower()
        assert len(chunks) > 2
        assert chunks[-1].usage
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        asked = ChatRequest(
            (Message("user", "What is 2 + 2? As JSON."),), max_tokens=40, temperature=0, json_schema=schema
        )
        assert isinstance(json.loads((await read(made, asked))[0])["n"], int)
        parameters = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
        tools = (Tool("read_file", "Reads a file.", parameters),)
        asked = ChatRequest(
            (Message("user", "Read the file main.py."),), max_tokens=60, temperature=0, tools=tools
        )
        text, chunks = await read(made, asked)  # so small a model rarely makes a right call of it
        calls = [call for chunk in chunks for call in chunk.tool_calls]
        assert "path" in (calls[0].arguments if calls else text)


async def test_what_nobody_reads_any_more_is_not_generated(server: str) -> None:
    """It has one slot; a story of thousands of words would hold up the next request for minutes."""
    story = ChatRequest((Message("user", "Tell a very long story."),), max_tokens=1800)
    async with models(server) as made:
        async with aclosing(made.stream("chat", lambda _: story)) as stream:
            async for _, chunk in stream:
                if chunk.text:
                    break
        async with asyncio.timeout(15):
            assert (await read(made, ChatRequest((Message("user", "Say hi."),), max_tokens=4)))[0]


async def test_it_tells_what_the_model_can_do(server: str) -> None:
    async with models(server, "mine", context_window=None) as made:
        backend = made.backend("it")
        assert (backend.capabilities.fim, backend.capabilities.context_window) == ("none", 8192)
        await made.warm_up("completion")
        able = backend.capabilities
        assert (able.fim, able.tools, able.context_window) == ("suffix", True, 8192)
        assert (await backend.probe()).ok


async def test_a_model_that_was_not_pulled(server: str) -> None:
    async with models(server, "llama99") as made:
        probe = await made.backend("it").probe()
        assert (probe.ok, probe.advice) == (False, "ollama pull llama99")
        with pytest.raises(ModelError) as caught:
            await read(made, TextRequest("x"))
        assert caught.value.kind == "not_found"
