"""Ollama: its own API, which streams lines of JSON.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from lido.models.base import ChatRequest, Chunk, ModelError, Probe, TextRequest, ToolCall, Usage
from lido.models.openai import OpenAI, wire_tools


class Ollama(OpenAI):
    """See `Backend`. `base_url` is the server's root."""

    provider = "ollama"
    default_url = "http://127.0.0.1:11434"

    async def _base(self) -> str:
        return (await super()._base()).removesuffix("/v1")

    def _options(self, request: TextRequest | ChatRequest) -> dict[str, Any]:
        options: dict[str, Any] = {
            "num_predict": request.max_tokens,
            "temperature": request.temperature,
            "num_ctx": self.capabilities.context_window,
        }
        if request.stop:
            options["stop"] = list(request.stop)
        if request.seed is not None:
            options["seed"] = request.seed
        return options

    async def complete(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": request.prompt,
            "stream": True,
            "options": self._options(request),
        }
        if request.suffix is None:
            body["raw"] = True  # the prompt carries its template already
        else:
            body["suffix"] = request.suffix
        async with aclosing(self.http.stream("/api/generate", body, urgent=True)) as events:
            async for event in events:
                yield _chunk(event, str(event.get("response") or ""), ())

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "stream": True,
            "options": self._options(request),
        }
        if request.tools:
            body["tools"] = wire_tools(request.tools)
        if request.json_schema is not None:
            body["format"] = request.json_schema
        calls: list[ToolCall] = []
        async with aclosing(self.http.stream("/api/chat", body)) as events:
            async for event in events:
                message = event.get("message") or {}
                for call in message.get("tool_calls") or []:
                    function = call.get("function") or {}
                    arguments = json.dumps(function.get("arguments") or {})
                    calls.append(ToolCall(f"call_{len(calls)}", str(function.get("name") or ""), arguments))
                done = tuple(calls) if event.get("done") else ()
                yield _chunk(event, str(message.get("content") or ""), done)

    async def learn(self) -> None:
        """Whether the model fills the middle, and calls tools; its window, up to what is asked for."""
        try:
            shown = await self.http.post("/api/show", {"model": self.model}, timeout=5)
        except ModelError:
            return
        if not isinstance(shown, dict):
            return
        able, info = shown.get("capabilities"), shown.get("model_info")
        if isinstance(able, list):
            changes: dict[str, Any] = {"tools": "tools" in able}
            if self.capabilities.fim == "none" and self._settings.fim == "auto" and "insert" in able:
                changes["fim"] = "suffix"
            self._learned(**changes)
        if isinstance(info, dict):
            longest = next((value for key, value in info.items() if key.endswith(".context_length")), None)
            if isinstance(longest, int):
                self._learned(window=min(longest, self.capabilities.context_window))

    async def probe(self) -> Probe:
        """Is it reachable, and has the model been pulled?"""
        began = time.perf_counter()
        try:
            answer = await self.http.get("/api/tags")
        except ModelError as error:
            return Probe(False, error.message, time.perf_counter() - began, advice=error.advice)
        items = answer.get("models", []) if isinstance(answer, dict) else []
        names = tuple(str(item.get("name")) for item in items if isinstance(item, dict))
        seconds = time.perf_counter() - began
        if self.model not in names and f"{self.model}:latest" not in names:
            message = f"reachable, but {self.model!r} has not been pulled"
            return Probe(False, message, seconds, names, advice=f"ollama pull {self.model}")
        return Probe(True, f"reachable, has {self.model}", seconds, names)


def _chunk(event: dict[str, Any], text: str, calls: tuple[ToolCall, ...]) -> Chunk:
    if not event.get("done"):
        return Chunk(text)
    usage = Usage(int(event.get("prompt_eval_count") or 0), int(event.get("eval_count") or 0))
    finish = "length" if event.get("done_reason") == "length" else "stop"
    return Chunk(text, calls, usage, "tool_calls" if calls else "length" if finish == "length" else "stop")
