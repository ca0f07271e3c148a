"""Any OpenAI-compatible endpoint: vLLM, SGLang, TGI, LM Studio, a corporate gateway.

https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from lido.models.base import (
    Capabilities,
    ChatRequest,
    Chunk,
    Finish,
    Message,
    ModelError,
    Probe,
    TextRequest,
    Tool,
    ToolCall,
    Usage,
)
from lido.models.detect import fim_template, is_small
from lido.models.http import Endpoint
from lido.models.keys import Key
from lido.settings import ModelSettings

DEFAULT_WINDOW = 8192
MIN_WINDOW = 512
WINDOW_KEYS = ("context_length", "context_window", "max_context_length", "max_model_len")
"""Under which servers tell a model's context window; the later one is taken where there are several."""


class OpenAI:
    """See `Backend`."""

    provider = "openai"
    default_url = "https://api.openai.com/v1"
    chat_path = "/chat/completions"

    def __init__(self, name: str, settings: ModelSettings) -> None:
        self.name = name
        self.model = settings.model
        self._settings = settings
        self.key = Key(name, settings)
        self.http = Endpoint(name, settings, self._base, self.key.headers)
        fim = fim_template(settings.model) if settings.fim == "auto" else settings.fim
        self.capabilities = Capabilities(
            context_window=settings.context_window or DEFAULT_WINDOW,
            fim=fim,
            json_schema=True,
            tools=True,
            small=is_small(settings.model),
        )

    async def _base(self) -> str:
        return (self._settings.base_url or self.default_url).rstrip("/")

    # ------------------------------------------------------------------ generating

    async def complete(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:
        body = self._common(request.max_tokens, request.temperature, request.stop, request.seed)
        body["prompt"] = request.prompt
        if request.suffix is not None:
            body["suffix"] = request.suffix
        async with aclosing(self.http.stream("/completions", body, urgent=True)) as events:
            async for event in events:
                yield self._chunk(event, "text")

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        calls = _ToolCalls()
        async with aclosing(self.http.stream(self.chat_path, self._chat_body(request))) as events:
            async for event in events:
                calls.add(event)
                chunk = self._chunk(event, "delta")
                if chunk.finish:
                    chunk = replace(chunk, tool_calls=calls.done())
                yield chunk

    def _common(
        self, max_tokens: int, temperature: float, stop: tuple[str, ...], seed: int | None
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if stop:
            body["stop"] = list(stop)
        if seed is not None:
            body["seed"] = seed
        return body

    def _chat_body(self, request: ChatRequest) -> dict[str, Any]:
        body = self._common(request.max_tokens, request.temperature, request.stop, request.seed)
        body["messages"] = [_message(message) for message in request.messages]
        if request.tools:
            body["tools"] = wire_tools(request.tools)
        if request.json_schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": request.json_schema},
            }
        return body

    def _chunk(self, event: dict[str, Any], where: str) -> Chunk:
        choices = event.get("choices") or [{}]
        choice = choices[0] if isinstance(choices[0], dict) else {}
        if where == "text":
            text = choice.get("text")
        else:
            text = (choice.get("delta") or choice.get("message") or {}).get("content")
        return Chunk(
            text=text if isinstance(text, str) else "",
            usage=_usage(event.get("usage")),
            finish=_finish(choice.get("finish_reason")),
        )

    # ------------------------------------------------------------------ around

    async def learn(self) -> None:
        """Takes what the server says of its model, where the settings leave that open: vLLM and SGLang tell
        its window, so do gateways. What cannot be asked stays as the name told."""
        try:
            answer = await self.http.get("/models")
        except ModelError:
            return
        items = [item for item in _items(answer, "data") if item.get("id") == self.model]
        for key in WINDOW_KEYS:
            if items:
                self._learned(window=items[0].get(key))

    def _learned(self, *, window: object = None, model: str = "", **changes: Any) -> None:
        """Sets what was not configured. `model` is a name or a file that tells more than ours."""
        configured = self._settings
        if configured.context_window is None and isinstance(window, int) and window >= MIN_WINDOW:
            changes["context_window"] = window
        if model:
            changes["small"] = is_small(model)
            if configured.fim == "auto":
                changes["fim"] = fim_template(model)
        self.capabilities = replace(self.capabilities, **changes)

    async def count_tokens(self, text: str) -> int | None:  # noqa: ARG002 - the API has no tokeniser
        return None

    async def probe(self) -> Probe:
        """Asks which models there are. Some gateways do not say; being answered at all is enough then."""
        began = time.perf_counter()
        try:
            answer = await self.http.get("/models")
        except ModelError as error:
            if error.kind == "not_found":
                return Probe(True, "reachable; it does not list its models", time.perf_counter() - began)
            return Probe(False, error.message, time.perf_counter() - began, advice=error.advice)
        names = tuple(str(item.get("id")) for item in _items(answer, "data"))
        seconds = time.perf_counter() - began
        if names and self.model not in names:
            close = ", ".join(names[:5])
            return Probe(
                False,
                f"reachable, but it does not offer {self.model!r}",
                seconds,
                names,
                advice=f"Set models.{self.name}.model to one of: {close}",
            )
        return Probe(True, f"reachable, offers {self.model}", seconds, names)

    async def close(self) -> None:
        await self.http.close()


def _items(answer: Any, key: str) -> list[dict[str, Any]]:
    items = answer.get(key) if isinstance(answer, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def wire_tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """Tools as the chat completions API takes them; others copied it."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in tools
    ]


def _message(message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        out["tool_call_id"] = message.tool_call_id
    return out


def _usage(usage: Any) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(
        int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0), int(cached or 0)
    )


def _finish(reason: Any) -> Finish | None:
    if reason is None:
        return None
    if reason == "length":
        return "length"
    return "tool_calls" if reason in ("tool_calls", "function_call") else "stop"


class _ToolCalls:
    """Puts tool calls together from their streamed pieces; some servers send them whole."""

    def __init__(self) -> None:
        self._calls: dict[int, list[str]] = {}

    def add(self, event: dict[str, Any]) -> None:
        for choice in event.get("choices") or []:
            delta = choice.get("delta") or choice.get("message") or {}
            for position, call in enumerate(delta.get("tool_calls") or []):
                index = call.get("index", position)
                known = self._calls.setdefault(index, ["", "", ""])
                function = call.get("function") or {}
                known[0] = call.get("id") or known[0]
                known[1] = known[1] or function.get("name") or ""
                known[2] += function.get("arguments") or ""

    def done(self) -> tuple[ToolCall, ...]:
        return tuple(
            ToolCall(identifier or f"call_{index}", name, arguments)
            for index, (identifier, name, arguments) in sorted(self._calls.items())
        )
