"""Bytes to messages: the LSP base protocol on stdio, TCP and WebSocket.

pygls' own loop hops through a thread three times per message, gives up silently on a malformed header and
answers invalid JSON with a pop-up; and its writer blocks the event loop when the editor is slow to read.
https://microsoft.github.io/language-server-protocol/specifications/lsp/3.18/specification/#baseProtocol
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import os
import stat
import sys
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lido.lsp.server import LidoServer

MAX_MESSAGE = 256 * 1024 * 1024
"""Bytes of one message; a header that claims more is refused without reading on."""
MAX_HEADER = 64 * 1024
MAX_FIRST = 4 * 1024 * 1024
"""Bytes of the first message of who has not shown a token yet."""
FIRST_SECONDS = 10
"""How long that may take."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INTERNAL_ERROR = -32603
REQUEST_FAILED = -32803

log = logging.getLogger(__name__)


class ProtocolError(Exception):
    """The stream can no longer be split into messages."""


async def read_messages(reader: asyncio.StreamReader, most: int = MAX_MESSAGE) -> AsyncIterator[bytes]:
    """Bodies of the messages on `reader` until its end. Headers that are not understood are skipped.

    Raises ProtocolError where the next message's beginning cannot be known.
    """
    while True:
        length: int | None = None
        seen = 0
        while True:
            try:
                line = await reader.readline()
            except ValueError as error:  # longer than the reader's limit
                raise ProtocolError("a header line is too long") from error
            if not line:
                return
            seen += len(line)
            if seen > MAX_HEADER:
                raise ProtocolError("the header is too long")
            line = line.strip()
            if not line:
                if length is not None:
                    break
                continue
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                try:
                    length = int(value)
                except ValueError:
                    raise ProtocolError("Content-Length is not a number") from None
                if not 0 <= length <= most:
                    raise ProtocolError(f"a message of {length} bytes is out of bounds")
        try:
            yield await reader.readexactly(length)
        except asyncio.IncompleteReadError:
            return


def dispatch(server: LidoServer, body: bytes) -> None:
    """Hands one message to the server; what is not a message gets the error that JSON-RPC asks for."""
    protocol = server.protocol
    try:
        raw: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        server.send_error(None, PARSE_ERROR, f"not JSON: {error}")
        return
    if not isinstance(raw, dict) or raw.get("jsonrpc") != "2.0":
        server.send_error(None, INVALID_REQUEST, 'a message is an object with "jsonrpc": "2.0"')
        return
    identifier = raw.get("id")
    if not isinstance(identifier, int | str | None):
        server.send_error(None, INVALID_REQUEST, "an id is a number or a string")
        return
    asked = "method" in raw and "id" in raw
    if asked and server.protocol._shutdown:  # pygls would not answer at all
        server.send_error(identifier, INVALID_REQUEST, "the server has been shut down")
        return
    try:
        message = protocol.structure_message(raw)
    except Exception as error:  # noqa: BLE001 - cattrs raises many kinds, all of them the client's fault
        log.warning("malformed message", extra={"method": raw.get("method")})
        if asked:
            cause = error.__cause__ or error
            server.send_error(identifier, -32602, f"{raw['method']}: {cause}")
        return
    if not hasattr(message, "jsonrpc"):
        server.send_error(identifier, INVALID_REQUEST, "neither a request, a notification nor a response")
        return
    try:
        protocol.handle_message(message)
    except Exception as error:
        log.warning("a message could not be handled", exc_info=error, extra={"method": raw.get("method")})
        if asked:
            server.send_error(identifier, INTERNAL_ERROR, f"{raw['method']}: {error}")


def refusal(body: bytes, token: str) -> dict[str, Any] | None:
    """None where a connection's first message is ``initialize`` with ``initializationOptions.token`` as it
    must be; otherwise the answer, which says what to do and is the only one."""
    identifier, given = None, None
    with contextlib.suppress(ValueError, RecursionError, AttributeError, LookupError, TypeError):
        raw = json.loads(body)
        if isinstance(raw.get("id"), int | str):
            identifier = raw["id"]
        if raw.get("method") == "initialize":
            given = raw["params"]["initializationOptions"]["token"]
    if isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
        return None
    said = (
        "This server wants its token, as initializationOptions.token: what LIDO_SERVE_TOKEN was when it "
        "started, or what is in the file that it named then."
    )
    data = {"token": "missing" if given is None else "wrong"}
    error = {"code": REQUEST_FAILED, "message": said, "data": data}
    return {"jsonrpc": "2.0", "id": identifier, "error": error}


async def serve_stream(server: LidoServer, reader: asyncio.StreamReader, token: str | None = None) -> None:
    """Feeds the server from `reader` until the stream ends or the client says exit. Where there is a
    `token`, a client is heard once it has shown that."""
    try:
        if token is not None:
            first = None
            with contextlib.suppress(TimeoutError, StopAsyncIteration):
                async with asyncio.timeout(FIRST_SECONDS):
                    first = await anext(read_messages(reader, MAX_FIRST))
            if first is None:
                return
            if refused := refusal(first, token):
                server.protocol._send_data(refused)
                return
            dispatch(server, first)
        async for body in read_messages(reader):
            dispatch(server, body)
            if server.exit_code is not None:
                return
    except ProtocolError as error:
        log.error("stream abandoned: %s", error)
        server.send_error(None, PARSE_ERROR, f"{error}; the connection is closed")


class PipeWriter:
    """pygls' writer on an asyncio transport: writing never blocks the loop."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self.transport = transport

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        self.transport.close()


class BlockingWriter:
    """For what asyncio cannot write to without blocking: files, and pipes on Windows."""

    def __init__(self) -> None:
        self._out = sys.stdout.buffer  # later sys.stdout is another, so that a stray print does no harm

    def write(self, data: bytes) -> None:
        self._out.write(data)
        self._out.flush()

    def close(self) -> None:
        self._out.close()


async def stdio() -> tuple[asyncio.StreamReader, PipeWriter | BlockingWriter]:
    """Standard input and output as a stream pair."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_HEADER)
    if _pollable(sys.stdin.fileno()):
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    else:
        _read_in_thread(loop, reader)
    if not _pollable(sys.stdout.fileno()):
        return reader, BlockingWriter()
    transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout.buffer)
    return reader, PipeWriter(transport)


def _pollable(descriptor: int) -> bool:
    """Asked beforehand: uvloop ends the process where it is given a file."""
    mode = os.fstat(descriptor).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


def _read_in_thread(loop: asyncio.AbstractEventLoop, reader: asyncio.StreamReader) -> None:
    """For what cannot be polled: a pipe on Windows and a file anywhere."""
    descriptor = sys.stdin.fileno()

    def pump() -> None:
        data = b"."
        while data:
            try:
                data = os.read(descriptor, 1 << 16)
            except OSError:
                data = b""
            try:
                loop.call_soon_threadsafe(reader.feed_data if data else lambda _: reader.feed_eof(), data)
            except RuntimeError:  # the loop is closed: the server has gone
                return

    threading.Thread(target=pump, name="stdin", daemon=True).start()
