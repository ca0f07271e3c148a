"""A scripted model server over real HTTP: OpenAI-compatible and llama.cpp endpoints, with faults on demand.

For faults and timing only; used by tests alone. Each request takes the first script whose `match` is found in
its prompt (or messages); a script may be used any number of times.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Script:
    """How to answer. `pieces` are streamed one by one, `delay` seconds before each; `first` before the
    first. `status` other than 200 answers with `body`. `fault` names what goes wrong (see `Server._fault`)."""

    pieces: list[str] = field(default_factory=lambda: ["pass"])
    match: str = ""
    delay: float = 0.0
    first: float = 0.0
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    tool_calls: list[dict[str, str]] = field(default_factory=list)
    """Each with id, name and arguments; streamed after the pieces, to chats alone."""
    times: int | None = None
    """How often it may be used; None: always."""


@dataclass
class Seen:
    """One request as it came."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    closed_early: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client closed the connection before the answer ended."""
    sent: int = 0

    @property
    def prompt(self) -> str:
        if "prompt" in self.body:
            return str(self.body["prompt"])
        if "input_prefix" in self.body:
            return str(self.body["input_prefix"])
        return "\n".join(str(message.get("content")) for message in self.body.get("messages", []))


class ModelServer:
    """Use as an async context manager; `url` is where it listens."""

    def __init__(self, *scripts: Script, model: str = "scripted") -> None:
        self.scripts = list(scripts) or [Script()]
        self.model = model
        self.seen: list[Seen] = []
        self.arrived = asyncio.Condition()
        self.open_connections = 0
        self._server: asyncio.Server | None = None
        self.answer: Callable[[Seen], Script] | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()

    @property
    def url(self) -> str:
        assert self._server
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def requests(self, count: int) -> list[Seen]:
        """Waits until so many generating requests came."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.seen) >= count)
        return self.seen

    # ------------------------------------------------------------------ HTTP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line = await reader.readline()
        if not line:
            return False
        method, path, _ = line.decode().split(" ", 2)
        headers: dict[str, str] = {}
        while (line := await reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        if method == "GET":
            await self._json(writer, {"data": [{"id": self.model}], "status": "ok"})
            return True
        body = json.loads(raw)
        if path.endswith("/tokenize"):
            await self._json(writer, {"tokens": [0] * (len(body["content"]) // 4)})
            return True
        seen = Seen(path, body, headers)
        async with self.arrived:
            self.seen.append(seen)
            self.arrived.notify_all()
        gone = asyncio.create_task(reader.read(1))
        gone.add_done_callback(lambda task: task.cancelled() or task.exception())  # a reset is no news
        answering = asyncio.create_task(self._answer(seen, writer))
        await asyncio.wait([gone, answering], return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            answering.cancel()
            seen.closed_early.set()
            return False
        gone.cancel()
        # Two may not read at once: the next request's first line waits for this one to be gone.
        await asyncio.wait([gone])
        return answering.result()

    def _script(self, seen: Seen) -> Script:
        if self.answer:
            return self.answer(seen)
        for script in self.scripts:
            if script.times != 0 and re.search(script.match, seen.prompt):
                if script.times:
                    script.times -= 1
                return script
        return Script(status=500, body="no script matches")

    async def _json(self, writer: asyncio.StreamWriter, value: object, status: int = 200) -> None:
        await self._send(writer, status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    async def _send(
        self, writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, str]
    ) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    # ------------------------------------------------------------------ answers

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        script = self._script(seen)
        await asyncio.sleep(script.first)
        if script.fault == "reset":
            writer.transport.abort()
            return False
        if script.fault == "hang":
            await asyncio.Event().wait()
        if script.fault == "half a header":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
            await writer.drain()
            return False
        if script.status != 200:
            await self._send(writer, script.status, script.body.encode(), script.headers)
            return True
        if script.fault == "html":
            await self._send(writer, 200, b"<html>Log in</html>", {"Content-Type": "text/html"})
            return True
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        async for event in self._events(seen, script):
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
            seen.sent += 1
        if script.fault in ("reset mid-stream", "cut"):
            if script.fault == "cut":
                writer.close()
            else:
                writer.transport.abort()
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _events(self, seen: Seen, script: Script) -> AsyncIterator[bytes]:
        pieces = iter(script.pieces)
        while True:
            piece = next(pieces, None)
            if piece is None:
                if script.fault == "endless":
                    pieces = iter(script.pieces)
                    continue
                break
            await asyncio.sleep(script.delay)
            yield self._event(seen, piece)
        if script.fault == "stall":
            await asyncio.Event().wait()
        if script.fault == "half utf-8":
            yield b'data: {"choices": [{"text": "caf\xc3'
            return
        if script.fault == "invalid json":
            yield b"data: {this is not json\n\n"
            return
        if script.fault == "error event":
            yield b'data: {"error": {"message": "out of memory"}}\n\n'
            return
        if script.fault == "huge event":
            yield b"data: " + b"x" * (9 << 20) + b"\n\n"
            return
        if script.fault in ("reset mid-stream", "cut"):
            return
        for index, call in enumerate(script.tool_calls):
            function = {"name": call["name"], "arguments": call["arguments"]}
            delta = {"tool_calls": [{"index": index, "id": call["id"], "function": function}]}
            event = {"choices": [{"index": 0, "finish_reason": None, "delta": delta}]}
            yield b"data: " + json.dumps(event).encode() + b"\n\n"
        yield self._event(seen, None, len(script.pieces))
        if script.fault == "duplicate done":
            yield b"data: [DONE]\n\n"
        yield b"data: [DONE]\n\n"

    def _event(self, seen: Seen, piece: str | None, tokens: int = 0) -> bytes:
        if seen.path in ("/completion", "/infill"):
            event: dict[str, Any] = {"content": piece or "", "stop": piece is None}
            if piece is None:
                event |= {"tokens_evaluated": len(seen.prompt) // 4, "tokens_predicted": tokens}
        else:
            finish = "stop" if piece is None else None
            chat = seen.path.endswith("/chat/completions")
            choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
            choice |= {"delta": {"content": piece or ""}} if chat else {"text": piece or ""}
            event = {"choices": [choice]}
            if piece is None:
                event["usage"] = {"prompt_tokens": len(seen.prompt) // 4, "completion_tokens": tokens}
        return b"data: " + json.dumps(event).encode() + b"\n\n"


async def main(scripts: str) -> None:
    """For tests in other languages: scripts as a JSON array, the address on standard output, and the end
    when standard input ends."""
    async with ModelServer(*(Script(**script) for script in json.loads(scripts))) as server:
        print(server.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
