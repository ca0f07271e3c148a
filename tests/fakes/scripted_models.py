"""Stands in for `Models` where a test is about what is done with answers, not about the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from lido.models.base import Capabilities, ChatRequest, Chunk, ModelError, ToolCall, Usage

Answer = str | ModelError | tuple[ToolCall, ...] | Callable[[ChatRequest], str]

SMALL = Capabilities(context_window=4096, json_schema=True, small=True)
LARGE = Capabilities(context_window=32768, json_schema=True, tools=True)


class ScriptedBackend:
    name = "scripted"
    provider = "scripted"
    model = "scripted-1"

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities


class ScriptedModels:
    """Gives `answers` one after the other, in pieces; `requests` is what was asked. After a piece that is
    "…" the answer hangs until it is cancelled, and `closed` then counts it."""

    def __init__(self, *answers: Answer, capabilities: Capabilities = LARGE) -> None:
        self.answers = list(answers)
        self.requests: list[ChatRequest] = []
        self.backend = ScriptedBackend(capabilities)
        self.hanging = asyncio.Event()
        self.closed = 0

    def for_role(self, role: str, name: str | None = None) -> list[Any]:
        return [self.backend]

    def cost(self, name: str, usage: Usage) -> float:
        return usage.completion_tokens / 1000

    async def stream(
        self, role: str, build: Callable[[Any], Any], name: str | None = None
    ) -> AsyncIterator[tuple[Any, Chunk]]:
        request = build(self.backend)
        self.requests.append(request)
        if not self.answers:
            raise AssertionError(f"no answer is left for {request.messages[-1].content!r}")
        answer = self.answers.pop(0)
        if callable(answer) and not isinstance(answer, ModelError):
            answer = answer(request)
        usage = Usage(sum(len(m.content) // 4 for m in request.messages), 10)
        try:
            if isinstance(answer, ModelError):
                raise answer
            if isinstance(answer, tuple):
                yield self.backend, Chunk(tool_calls=answer)
                yield self.backend, Chunk(finish="tool_calls", usage=usage)
                return
            text, hang, _ = answer.partition("…hang…")
            for at in range(0, len(text), 7):
                yield self.backend, Chunk(text[at : at + 7])
                await asyncio.sleep(0)
            if hang:
                self.hanging.set()
                await asyncio.Event().wait()
            yield self.backend, Chunk(finish="stop", usage=usage)
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            raise
