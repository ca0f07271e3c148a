"""A llama.cpp server: its own endpoints know more than the OpenAI-compatible ones.

https://github.com/ggml-org/llama.cpp/tree/master/tools/server
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import PureWindowsPath
from typing import Any

from lido.models.base import ChatRequest, Chunk, ModelError, Probe, TextRequest, Usage
from lido.models.openai import OpenAI

COMPLETION_SLOT, CHAT_SLOT = 0, 1
"""Slots of an engine with two: each keeps its own prompt cache, so that a chat does not evict what the next
keystroke builds on."""


class LlamaCpp(OpenAI):
    """See `Backend`. `base_url` is the server's root, without ``/v1``."""

    provider = "llamacpp"
    default_url = "http://127.0.0.1:8080"
    slots = False
    """Whether requests name their slot; only where we started the engine ourselves."""

    async def _base(self) -> str:
        return (await super()._base()).removesuffix("/v1")

    async def complete(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:
        body: dict[str, Any] = {
            "n_predict": request.max_tokens,
            "temperature": request.temperature,
            "stop": list(request.stop),
            "stream": True,
            "cache_prompt": True,
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if self.slots:
            body["id_slot"] = COMPLETION_SLOT
        if request.suffix is None:
            path = "/completion"
            body["prompt"] = request.prompt
        else:
            path = "/infill"
            body["input_prefix"], body["input_suffix"] = request.prompt, request.suffix
            body["input_extra"] = [{"filename": name, "text": text} for name, text in request.files]
        async with aclosing(self.http.stream(path, body, urgent=True)) as events:
            async for event in events:
                content = event.get("content")
                text = content if isinstance(content, str) else ""
                if not event.get("stop"):
                    yield Chunk(text)
                    continue
                timings = event.get("timings") or {}
                usage = Usage(
                    prompt_tokens=int(event.get("tokens_evaluated") or 0),
                    completion_tokens=int(event.get("tokens_predicted") or 0),
                    cached_tokens=int(timings.get("cache_n") or 0),
                )
                limited = event.get("stop_type") == "limit"
                yield Chunk(text, usage=usage, finish="length" if limited else "stop")

    chat_path = "/v1/chat/completions"

    def _chat_body(self, request: ChatRequest) -> dict[str, Any]:
        body = super()._chat_body(request)
        body["cache_prompt"] = True
        if self.slots:
            body["id_slot"] = CHAT_SLOT
        return body

    async def learn(self) -> None:
        """Its window and its model: it serves one, whatever name it is asked for."""
        try:
            props = await self.http.get("/props")
        except ModelError:
            return
        if isinstance(props, dict):
            generation = props.get("default_generation_settings")
            window = generation.get("n_ctx") if isinstance(generation, dict) else None
            file = PureWindowsPath(str(props.get("model_path") or "")).name  # splits at either slash
            self._learned(window=window, model=file)

    async def count_tokens(self, text: str) -> int | None:
        try:
            answer = await self.http.post("/tokenize", {"content": text, "parse_special": True})
            return len(answer["tokens"])
        except (ModelError, KeyError, TypeError):
            return None

    async def probe(self) -> Probe:
        began = time.perf_counter()
        try:
            await self.http.get("/v1/health")
        except ModelError as error:
            return Probe(False, error.message, time.perf_counter() - began, advice=error.advice)
        return Probe(True, f"ready, {self.model}", time.perf_counter() - began)
