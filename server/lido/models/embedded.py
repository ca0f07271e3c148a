"""The embedded engine: llama.cpp in a process of its own, started when first needed, supervised.

Figures behind the default model (two cores, no GPU, Q4_K_M) are in docs/models.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import IO, Any, Literal

from lido.models import fetch
from lido.models.base import ChatRequest, Chunk, ModelError, Probe, TextRequest
from lido.models.http import Endpoint
from lido.models.llamacpp import LlamaCpp
from lido.settings import Home, ModelSettings

CONTEXT = 8192
"""Tokens shared by both slots unless configured: some 230 MB for the 1.5B model."""
START_TIMEOUT = 120.0
"""Seconds the model may take to load; a cold disk is slow."""

EngineState = Literal["cold", "warming", "ready", "error"]


class Engine:
    """One engine process and its address. `start` may be called by many; one start serves them all."""

    def __init__(
        self, name: str, settings: ModelSettings, home: Home, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self.key = secrets.token_urlsafe(24)
        self.state: EngineState = "cold"
        self.problem = ""
        self._name = name
        self._settings = settings
        self._home = home
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._url = ""
        self._starting: asyncio.Task[str] | None = None
        self._died: list[float] = []
        self._watching: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._running() and self._process else None

    def _running(self) -> bool:
        return self._process is not None and self._process.returncode is None and bool(self._url)

    async def url(self) -> str:
        """The address, after starting the engine where it does not run. Raises ModelError."""
        if self._running():
            return self._url
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start(), name=f"engine {self._name}")
        # A request that is cancelled must not cancel the start that others wait for.
        return await asyncio.shield(self._starting)

    def _set(self, state: EngineState, problem: str = "") -> None:
        self.state, self.problem = state, problem
        self._on_change()

    async def _start(self) -> str:
        try:
            return await self._launch()
        except ModelError as error:
            self._set("error", str(error))
            raise

    async def _launch(self) -> str:
        now = time.monotonic()
        self._died = [at for at in self._died if now - at < 60]
        if len(self._died) >= 3:
            raise self._error(
                "died three times within a minute and is not started again for now",
                f"Its log is {self._log_path()}; too little memory is the usual cause: try a smaller model "
                "(`lido model list`).",
            )
        if find_spec("xllamacpp") is None:
            raise self._error("is not installed", f"Run: {sys.executable} -m pip install 'lido-lsp[local]'")
        model = fetch.model_path(self._settings.model, self._home)
        if not fetch.present(self._settings.model, self._home):
            raise ModelError(
                "not_found",
                f"The model {self._settings.model} is not on this machine.",
                f"Fetch it: lido model pull {self._settings.model}",
                backend=self._name,
            )
        self._set("warming")
        await self._end()
        log = await asyncio.to_thread(self._open_log)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "lido.models.engine_process",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONSAFEPATH": "1"},
            )
        except OSError as error:
            raise self._error(f"cannot be started: {error.strerror}", "Close other programs.") from error
        finally:
            if log:
                log.close()
        self._process = process
        line = await self._handshake(process, str(model))
        answer = json.loads(line) if line else {}
        if "url" not in answer:
            await self._end()
            why = answer.get("error", f"ended with code {process.returncode}")
            raise self._error(
                f"could not load the model ({why})",
                f"The file may be damaged: delete {model} and run `lido model pull {self._settings.model}`; "
                f"the log is {self._log_path()}.",
            )
        self._url = answer["url"]
        self._watching = asyncio.create_task(self._watch(process), name=f"engine {self._name} watch")
        self._set("ready")
        return self._url

    async def _handshake(self, process: asyncio.subprocess.Process, model: str) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        config = engine_config(
            model,
            port=0,
            key=self.key,
            context=self._settings.context_window or CONTEXT,
            threads=self._settings.threads or physical_cores(),
        )
        try:
            process.stdin.write(json.dumps(config).encode() + b"\n")
            await process.stdin.drain()
            async with asyncio.timeout(START_TIMEOUT):
                return await process.stdout.readline()
        except TimeoutError:
            await self._end()
            raise self._error(
                f"did not load the model within {START_TIMEOUT:.0f} s",
                "Close other programs, or take a smaller model.",
            ) from None
        except ConnectionError:
            return b""

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        if process is self._process:
            self._url = ""
            self._died.append(time.monotonic())
            self._set("cold", f"the engine ended with code {code}; the next request starts it again")

    async def ended(self) -> bool:
        """Whether the process is gone; its end may reach us a moment after that of its connections."""
        process = self._process
        if process is None:
            return True
        try:
            await asyncio.wait_for(process.wait(), 1)
        except TimeoutError:
            return False
        return True

    def died_error(self) -> ModelError:
        return self._error("stopped in the middle of an answer", "Ask again: it is started anew.")

    def _error(self, what: str, advice: str) -> ModelError:
        return ModelError("engine", f"The embedded engine {what}.", advice, backend=self._name)

    def _log_path(self) -> str:
        return str(self._home.logs / "engine.log")

    def _open_log(self) -> IO[bytes] | None:
        try:
            self._home.logs.mkdir(parents=True, exist_ok=True)
            return (self._home.logs / "engine.log").open("wb")
        except OSError:
            return None  # a read-only home must not stop the engine

    async def _end(self) -> None:
        process, self._process, self._url = self._process, None, ""
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            await asyncio.wait([self._starting])
        await self._end()
        self.state = "cold"


def physical_cores() -> int:
    """Cores to compute on. Hyper-threads share what a matrix multiplication needs, so they count half on
    machines with many."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return available if available <= 4 else max(4, available // 2)


class Embedded(LlamaCpp):
    """See `Backend`. The engine speaks llama.cpp's protocol on loopback, behind a key of its own."""

    provider = "embedded"
    slots = True

    def __init__(
        self, name: str, settings: ModelSettings, home: Home, on_change: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(name, settings)
        self.engine = Engine(name, settings, home, on_change)
        self._home = home
        # Never through a proxy, and with the engine's own key alone.
        self.http = Endpoint(name, settings, self._base, self._engine_headers, trust_env=False)
        self.capabilities = replace(
            self.capabilities,
            context_window=settings.context_window or CONTEXT,
            tools=False,  # the models write calls as JSON in their text
        )

    async def _base(self) -> str:
        return await self.engine.url()

    async def _engine_headers(self, fresh: bool) -> dict[str, str]:  # noqa: ARG002 - it never changes
        return {"Authorization": f"Bearer {self.engine.key}"}

    async def complete(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:
        async with aclosing(super().complete(request)) as chunks:
            async for chunk in self._guarded(chunks):
                yield chunk

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        async with aclosing(super().chat(request)) as chunks:
            async for chunk in self._guarded(chunks):
                yield chunk

    async def _guarded(self, chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
        """A connection that breaks because the engine died says so."""
        try:
            async for chunk in chunks:
                yield chunk
        except ModelError as error:
            if error.kind == "unreachable" and await self.engine.ended():
                raise self.engine.died_error() from None
            raise

    async def learn(self) -> None:
        """Nothing: it is started with what there is to know."""

    async def warm_up(self) -> None:
        """Starts the engine. Raises ModelError."""
        await self.engine.url()

    async def probe(self) -> Probe:
        """Without starting the engine: is it installed, and is the model there?"""
        began = time.perf_counter()
        name = self._settings.model
        try:
            there = await asyncio.to_thread(fetch.present, name, self._home)
        except ModelError as error:
            return Probe(False, error.message, time.perf_counter() - began, advice=error.advice)
        if not there:
            return Probe(
                False,
                f"the model {name} is not on this machine",
                time.perf_counter() - began,
                advice=f"lido model pull {name}",
            )
        return Probe(True, f"{name} is here ({self.engine.state})", time.perf_counter() - began)

    async def close(self) -> None:
        await super().close()
        await self.engine.close()


def engine_config(model: str, **changes: Any) -> dict[str, Any]:
    """What the engine process is told: `model` is a path, the rest has defaults."""
    return {
        "model": model,
        "host": "127.0.0.1",
        "port": 8080,
        "key": "",
        "context": CONTEXT,
        "slots": 2,
        "threads": physical_cores(),
        "gpu_layers": -1,
        **changes,
    }
