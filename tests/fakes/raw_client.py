"""JSON-RPC over the server's stdio with nothing of pygls or of Lido in between: an independent client."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Self


class RawClient:
    """`lido serve` as a child process. Answers `workspace/configuration`; keeps the notifications."""

    def __init__(
        self, root: Path, settings: dict[str, Any], encoding: str = "utf-16", **options: Any
    ) -> None:
        self.root, self.settings, self.encoding, self.options = root, settings, encoding, options
        self.under: list[str] = []
        """A command that runs the server under something, such as strace."""
        self.notifications: list[tuple[str, Any]] = []
        self.news = asyncio.Condition()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *self.under, sys.executable, "-m", "lido", "serve",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=os.environ | {"PYTHONUTF8": "1"},
            limit=1 << 26,
        )  # fmt: skip
        assert self.process.stdin
        assert self.process.stdout
        await self.begin(self.process.stdout, self.process.stdin)
        return self

    async def begin(self, out: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        """Initialises the session on these streams; a child process's, or a connection's."""
        self._out, self._to = out, to
        self._reader = asyncio.create_task(self._read())
        result = await self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": self.root.as_uri(),
                "workspaceFolders": [{"uri": self.root.as_uri(), "name": "root"}],
                "initializationOptions": {"lido": self.settings, **self.options},
                "capabilities": {
                    "general": {"positionEncodings": [self.encoding]},
                    "textDocument": {"inlineCompletion": {}},
                    "notebookDocument": {"synchronization": {}},
                },
            },
        )
        self.capabilities = result["capabilities"]
        self.notify("initialized", {})

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            await asyncio.wait_for(self.request("shutdown", None), 10)
            self.notify("exit", None)
            await asyncio.wait_for(self.process.wait(), 10)
        self._reader.cancel()

    def send(self, body: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **body}).encode()
        self._to.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)

    def notify(self, method: str, params: Any) -> None:
        self.send({"method": method, "params": params} if params is not None else {"method": method})

    async def request(self, method: str, params: Any, timeout: float = 30) -> Any:
        """The result; an error raises RuntimeError."""
        self._number += 1
        future = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        self.send({"id": self._number, "method": method, "params": params})
        return await asyncio.wait_for(future, timeout)

    async def notified(self, method: str, timeout: float = 10) -> Any:
        """The params of the first notification of that name, waiting for it."""

        def found() -> list[Any]:
            return [params for name, params in self.notifications if name == method]

        async with asyncio.timeout(timeout), self.news:
            await self.news.wait_for(found)
        return found()[0]

    async def _read(self) -> None:
        out = self._out
        while header := await out.readline():
            length = 0
            while header.strip():
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                header = await out.readline()
            body = json.loads(await out.readexactly(length))
            if "method" in body and "id" in body:
                items = (
                    body["params"].get("items", []) if body["method"] == "workspace/configuration" else None
                )
                self.send(
                    {"id": body["id"], "result": None if items is None else [self.settings for _ in items]}
                )
            elif "method" in body:
                async with self.news:
                    self.notifications.append((body["method"], body.get("params")))
                    self.news.notify_all()
            elif (future := self._waiting.pop(body["id"], None)) is not None:
                if "error" in body:
                    future.set_exception(RuntimeError(body["error"]["message"]))
                else:
                    future.set_result(body["result"])
