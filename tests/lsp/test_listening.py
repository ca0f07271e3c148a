"""`lido serve --tcp` and `--ws`: who shows the token is heard, nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lido import settings as configuration
from lido.lsp import transport
from lido.lsp.features import build


def message(token: Any = None, method: str = "initialize") -> dict[str, Any]:
    options = {"token": token} if token is not None else {}
    params = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options}
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


@asynccontextmanager
async def serving(kind: str, **environment: str) -> AsyncIterator[tuple[int, str]]:
    """The port, and what the server said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lido", "serve", f"--{kind}", "127.0.0.1:0",
        stderr=asyncio.subprocess.PIPE, env=os.environ | environment,
    )  # fmt: skip
    assert process.stderr
    said = (await asyncio.wait_for(process.stderr.readline(), 60)).decode()
    port = re.search(r":(\d+)\.", said)
    assert port, said
    rest = asyncio.create_task(process.stderr.read())
    try:
        yield int(port[1]), said
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert await rest == b""


async def tcp(port: int, first: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The answer to `first`, and whether the connection was closed after it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(first).encode()
    writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    messages = transport.read_messages(reader)
    async with asyncio.timeout(30):
        answer = json.loads(await anext(messages))
        closed = False
        if "error" in answer:
            closed = await anext(messages, None) is None
    writer.close()
    return answer, closed


async def ws(port: int, first: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    async with connect(f"ws://127.0.0.1:{port}") as socket, asyncio.timeout(30):
        await socket.send(json.dumps(first))
        answer = json.loads(await socket.recv())
        if "error" in answer:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        return answer, "error" in answer


@pytest.mark.parametrize("kind", ["tcp", "ws"])
async def test_the_token_of_its_file_opens_it_and_nothing_else_does(kind: str):
    ask = tcp if kind == "tcp" else ws
    async with serving(kind) as (port, said):
        path = configuration.Home().root / "serve" / f"{port}.token"
        assert str(path) in said
        token = path.read_text()
        assert token not in said
        if os.name == "posix":
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == 0o700
        for wrong, what in (
            (None, "missing"),
            ("", "wrong"),
            (token[:-1], "wrong"),
            (7, "wrong"),
            ("ж", "wrong"),
        ):
            answer, closed = await ask(port, message(wrong))
            assert answer["id"] == 7
            assert answer["error"]["code"] == -32803
            assert "LIDO_SERVE_TOKEN" in answer["error"]["message"]
            assert answer["error"]["data"] == {"token": what}
            assert closed
        answer, closed = await ask(port, message(token, "lido/models"))
        assert answer["error"]["data"] == {"token": "missing"}, "first of all comes initialize"
        answer, _ = await ask(port, message(token))
        assert answer["result"]["serverInfo"]["name"] == "lido"
    assert not path.exists()
    logged = "".join(each.read_text() for each in configuration.Home().logs.iterdir())
    assert token not in logged


async def test_the_environments_token_is_kept_nowhere():
    async with serving("tcp", LIDO_SERVE_TOKEN="chosen-by-the-person") as (port, said):
        assert "LIDO_SERVE_TOKEN" in said
        assert not (configuration.Home().root / "serve").exists()
        answer, _ = await tcp(port, message("chosen-by-the-person"))
        assert "result" in answer


class Said:
    """A connection's other end."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def close(self) -> None: ...


@pytest.mark.parametrize(
    "sent", [b"", b"Content-Length: 99\r\n\r\n{", b"Content-Length: 5000000\r\n\r\n", b"Content-Le"]
)
async def test_who_says_nothing_of_use_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "FIRST_SECONDS", 0.05)
    server = build()
    server.protocol.set_writer(said := Said())
    reader = asyncio.StreamReader()
    reader.feed_data(sent)
    async with asyncio.timeout(10):
        await transport.serve_stream(server, reader, "token")
        await server.close()
    assert b"result" not in said.data


@pytest.mark.parametrize("first", ["[]", "7", "null", '{"id": 1, "method": "initialize", "params": []}',
                                   '{"method": "initialize"}', "{", '"' + "x" * 1000, "[" * 5000])  # fmt: skip
def test_no_shape_of_a_first_message_gets_past(first: str):
    refused = transport.refusal(first.encode(), "token")
    assert refused
    assert "wants its token" in refused["error"]["message"]
