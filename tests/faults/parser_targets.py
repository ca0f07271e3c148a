"""The parsers that read what others wrote, each as a function of bytes that raises where it misbehaves.

`fuzz_atheris.py` searches for such bytes by coverage; `test_parsers.py` holds those that were found.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx

from lido.edits import formats
from lido.lsp import features, transport
from lido.models.base import ModelError, Tool, ToolCall
from lido.models.http import Endpoint
from lido.plan import answers, calls
from lido.plan.run import Reply
from lido.settings import ModelSettings, Settings, load

T = TypeVar("T")


@cache
def loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def run(work: Coroutine[Any, Any, T]) -> T:
    return loop().run_until_complete(work)


def split(data: bytes) -> tuple[int, bytes]:
    """A number that chooses among ways, and the rest."""
    return (data[0], data[1:]) if data else (0, b"")


def pieces(data: Any, size: int) -> list[Any]:
    return [data[at : at + size] for at in range(0, len(data), size)]


# ---------------------------------------------------------------- the protocol's framing


@cache
def server() -> Any:
    made = features.build()
    made.protocol.handle_message = lambda message: None
    made.send_error = lambda *_: None
    return made


def framing(data: bytes) -> None:
    """Messages come out, or one ProtocolError; whatever they hold can be dispatched."""

    async def work() -> None:
        reader = asyncio.StreamReader(limit=transport.MAX_HEADER)
        reader.feed_data(data)
        reader.feed_eof()
        try:
            async for body in transport.read_messages(reader):
                assert len(body) <= len(data)
                transport.dispatch(server(), body)
        except transport.ProtocolError:
            pass

    run(work())


def message(data: bytes) -> None:
    """What a message holds never raises."""

    async def work() -> None:
        transport.dispatch(server(), data)

    run(work())


# ---------------------------------------------------------------- models' streams

KINDS = (
    "text/event-stream",
    "application/x-ndjson",
    "text/event-stream; charset=latin-1",
    "application/json",
)


def stream(data: bytes) -> None:
    """Events are JSON objects or the end is a ModelError, and it does not matter how the network cut them."""
    way, data = split(data)
    kind = KINDS[way % len(KINDS)]

    async def events(size: int) -> tuple[list[str], str]:
        async def body() -> Any:
            for piece in pieces(data, size):
                yield piece

        endpoint = Endpoint("m", ModelSettings(), _nowhere, _nothing)
        response = httpx.Response(200, headers={"content-type": kind}, content=body())
        found: list[str] = []
        try:
            async for event in endpoint._events(response):
                assert isinstance(event, dict)
                found.append(json.dumps(event))
        except ModelError as error:
            return found, error.kind
        return found, ""

    whole = run(events(max(1, len(data))))
    for size in (1 + way % 7, 64):
        assert run(events(size)) == whole


async def _nowhere() -> str:
    return "http://127.0.0.1:9"


async def _nothing(fresh: bool) -> dict[str, str]:
    return {}


# ---------------------------------------------------------------- models' edits and calls


def edits(data: bytes) -> None:
    """Any text parses, in one piece or in many."""
    way, data = split(data)
    text = data.decode("utf-8", "surrogateescape" if way & 1 else "replace")
    default = "a.py" if way & 2 else None
    rewrites = bool(way & 4)
    whole = formats.parse(text, default, rewrites)
    parser = formats.Parser(default, rewrites)
    for piece in pieces(text, 1 + (way >> 3)):
        parser.feed(piece)
    assert parser.finish() == whole


TOOLS = (
    Tool("read", "", {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}),
    Tool("edit", "", {"type": "object", "properties": {"n": {"type": "integer"}}}),
    Tool("finish", "", {"type": "object"}),
)


def tool_calls(data: bytes) -> None:
    """Only calls of known tools, with arguments that are objects."""
    way, data = split(data)
    text = data.decode("utf-8", "replace")
    native = ()
    if way & 1:
        native = tuple(
            ToolCall(str(number), ("read", "edit", "none")[(way >> 1) % 3], each)
            for number, each in enumerate(text.split("\0"))
        )
    found = calls.read(Reply(text, native), TOOLS)
    assert found.calls or found.problem
    for call in found.calls:
        assert call.name in {tool.name for tool in TOOLS}
        assert isinstance(call.arguments, dict)
        assert call.key()
    for value in answers.json_values(text):
        json.dumps(value)


# ---------------------------------------------------------------- settings


@cache
def _folder() -> Path:
    made = tempfile.TemporaryDirectory(prefix="lido-fuzz-")
    _kept.append(made)
    return Path(made.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def repository_settings(data: bytes) -> None:
    """A repository's file is read or reported, and only ever narrows."""
    root = _folder()
    (root / ".lido.toml").write_bytes(data)
    mine = Settings()
    found, problems = load({}, [root], {}, root / "none.toml")
    assert (found.models, found.roles) == (mine.models, mine.roles)
    for name in ("collector_url", "otlp_endpoint", "collector_token_env", "user", "team"):
        assert getattr(found.events, name) == getattr(mine.events, name)
    assert found.events.enabled <= mine.events.enabled
    assert found.events.store_text <= mine.events.store_text
    assert found.plan.allow_commands == mine.plan.allow_commands
    for name in ("max_steps", "max_tokens", "max_seconds"):
        assert getattr(found.plan, name) <= getattr(mine.plan, name)
    assert found.completion.max_lines <= mine.completion.max_lines
    assert not any(found.completion.languages.values())
    assert all(str(problem) for problem in problems)


def own_settings(data: bytes) -> None:
    """A person's file never raises, whatever it holds."""
    path = _folder() / "config.toml"
    path.write_bytes(data)
    _, problems = load({}, [], {}, path)
    assert all(str(problem) for problem in problems)


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (framing, message, stream, edits, tool_calls, repository_settings, own_settings)
}

SEEDS: dict[str, list[bytes]] = {
    "framing": [
        b'Content-Length: 37\r\n\r\n{"jsonrpc": "2.0", "method": "$/none"}',
        b"content-type: x\r\ncontent-length: 2\r\n\r\n{}",
    ],
    "message": [
        b'{"jsonrpc": "2.0", "id": 1, "method": "textDocument/inlineCompletion", "params": {"textDocument": '
        b'{"uri": "file:///a"}, "position": {"line": 0, "character": 0}, "context": {"triggerKind": 1}}}',
        b'{"jsonrpc": "2.0", "id": "a", "result": null}',
        b'{"jsonrpc": "2.0", "method": "lido/completion/shown", "params": {"id": "x"}}',
    ],
    "stream": [
        b'\0data: {"choices": [{"text": "a"}]}\n\ndata: [DONE]\n\n',
        b'\0\xef\xbb\xbf: hello\r\ndata: {"a":\rdata: 1}\r\n\r\n',
        b'\1{"response": "a", "done": false}\n{"done": true}\n',
        b'\3{"error": {"message": "no"}}',
    ],
    "edits": [
        b"\2a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n",
        b"\2```python a.py\nx = 1\n```\n",
        b"\0--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n-x\n+y\n z\n",
        b"\0*** Begin Patch\n*** Update File: a.py\n@@ def f\n-x\n+y\n*** End Patch\n",
        b'\0{"edits": [{"path": "a.py", "search": "x", "replace": "y"}]}',
        b"\0<file path='a.py'><content>\nx\n</content></file>",
        b"\0<search>x</search><replace>y</replace>",
    ],
    "tool_calls": [
        b'\0```json\n{"tool": "read", "arguments": {"path": "a.py"}}\n```',
        b'\1{"path": "a.py"}',
        b'\0[{"function": {"name": "edit", "arguments": "{\\"n\\": 1}"}}]',
    ],
    "repository_settings": [
        b"[completion]\nenabled = false\nmax_lines = 3\n[completion.languages]\npython = false\n",
        b'[plan]\ntest_command = "make"\nmax_steps = 3\n[privacy]\nignore = ["*.pem"]\n',
        b'[models.x]\nbase_url = "http://x"\n',
    ],
    "own_settings": [
        b'[models.a]\nprovider = "openai"\nbase_url = "http://x"\n[roles]\nchat = ["a"]\n[events]\nteam = "x"\n',
    ],
}
