"""A model server on raw sockets that misbehaves on purpose: it answers each request by one scripted fault.

Below HTTP libraries, because those refuse to send most of what goes wrong in the field.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass
class Wire:
    """One request, and the socket to answer it on."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def chat(self) -> bool:
        return self.path.endswith("/chat/completions")

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, text: Any, finish: str | None = None) -> bytes:
        """One event as the API streams it, for a chat or a completion."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        choice |= {"delta": {"content": text}} if self.chat else {"text": text}
        return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"

    def abort(self) -> None:
        """The connection is reset (RST)."""
        self.writer.transport.abort()

    async def for_ever(self) -> None:
        """Until the client goes away."""
        while await self.reader.read(1 << 16):
            pass

    async def fine(self, text: str = "fine", newline: bytes = b"\n") -> None:
        """A whole, right answer; the connection stays."""
        await self.raw(CHUNKED)
        for event in (self.event(text), self.event("", "stop"), b"data: [DONE]\n\n"):
            await self.chunk(event.replace(b"\n", newline))
        await self.raw(b"0\r\n\r\n")


Fault = Callable[[Wire], Awaitable[bool | None]]
"""Answers one request; True where the connection can take another one."""


async def fine(wire: Wire) -> bool:
    await wire.fine()
    return True


@dataclass
class FaultBackend:
    """Use as an async context manager. `fault` answers the requests that come."""

    fault: Fault = fine
    tls: ssl.SSLContext | None = None
    greets: bytes = b""
    """Sent to whoever connects, before anything is read; the connection is closed then."""
    connections: int = 0
    requests: list[Wire] = field(default_factory=list)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            if self.greets:
                writer.write(self.greets)
                await writer.drain()
                return
            while wire := await self._request(reader, writer):
                self.requests.append(wire)
                if not await self.fault(wire):
                    return
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Wire | None:
        line = await reader.readline()
        if not line:
            return None
        path = line.decode("latin-1").split(" ")[1]
        headers: dict[str, str] = {}
        while (line := await reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Wire(reader, writer, path, headers, body)
