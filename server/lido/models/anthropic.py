"""Anthropic's messages API. There is no text completion: completions go by a chat prompt (`fim` is "none").

https://docs.anthropic.com/en/api/messages-streaming
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from lido.models.base import ChatRequest, Chunk, Finish, Message, ModelError, TextRequest, ToolCall, Usage
from lido.models.http import Endpoint
from lido.models.openai import OpenAI
from lido.settings import ModelSettings

VERSION = "2023-06-01"
WINDOW = 200_000
"""Tokens that each of its models takes."""
_ANSWER = "answer"
"""The tool by which an answer of a given JSON schema is asked for."""


class Anthropic(OpenAI):
    """See `Backend`."""

    provider = "anthropic"
    default_url = "https://api.anthropic.com/v1"

    def __init__(self, name: str, settings: ModelSettings) -> None:
        super().__init__(name, settings)
        self.http = Endpoint(name, settings, self._base, self._headers)
        self.capabilities = replace(
            self.capabilities,
            context_window=settings.context_window or WINDOW,
            fim="none",
            small=False,
        )

    async def _headers(self, fresh: bool) -> dict[str, str]:
        headers = await self.key.headers(fresh)
        if authorisation := headers.pop("Authorization", ""):
            headers["x-api-key"] = authorisation.removeprefix("Bearer ")
        return {"anthropic-version": VERSION, **headers}

    async def learn(self) -> None:
        """Nothing: the API does not tell."""

    async def complete(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:  # noqa: ARG002
        raise ModelError(
            "refused",
            f"The model {self.name!r} has no text completion.",
            f'Leave models.{self.name}.fim at "auto": completions then go by a chat prompt.',
            backend=self.name,
        )
        yield Chunk()  # makes it the generator that the protocol asks for

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        calls: dict[int, list[str]] = {}
        prompt = cached = 0
        async with aclosing(self.http.stream("/messages", self._body(request))) as events:
            async for event in events:
                match event.get("type"):
                    case "message_start":
                        usage = (event.get("message") or {}).get("usage") or {}
                        cached = int(usage.get("cache_read_input_tokens") or 0)
                        prompt = int(usage.get("input_tokens") or 0) + cached
                    case "content_block_start":
                        block = event.get("content_block") or {}
                        if block.get("type") == "tool_use":
                            calls[int(event.get("index") or 0)] = [
                                block.get("id", ""),
                                block.get("name", ""),
                                "",
                            ]
                    case "content_block_delta":
                        delta = event.get("delta") or {}
                        if delta.get("type") == "text_delta":
                            yield Chunk(str(delta.get("text") or ""))
                        elif (index := int(event.get("index") or 0)) in calls:
                            piece = str(delta.get("partial_json") or "")
                            calls[index][2] += piece
                            if calls[index][1] == _ANSWER and request.json_schema is not None:
                                yield Chunk(piece)
                    case "message_delta":
                        out = int((event.get("usage") or {}).get("output_tokens") or 0)
                        made = tuple(ToolCall(*call) for call in calls.values() if call[1] != _ANSWER)
                        reason = (event.get("delta") or {}).get("stop_reason")
                        finish: Finish = (
                            "length" if reason == "max_tokens" else "tool_calls" if made else "stop"
                        )
                        yield Chunk("", made, Usage(prompt, out, cached), finish)

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        system = "\n\n".join(m.content for m in request.messages if m.role == "system")
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "messages": _turns(request.messages),
            "stream": True,
        }
        if system:
            # The instructions stay the same from turn to turn: the provider may keep them read.
            cache = {"type": "ephemeral"}
            body["system"] = [{"type": "text", "text": system, "cache_control": cache}]
        if request.stop:
            body["stop_sequences"] = list(request.stop)
        tools = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in request.tools
        ]
        if request.json_schema is not None:
            tools.append({"name": _ANSWER, "description": "Answer.", "input_schema": request.json_schema})
            body["tool_choice"] = {"type": "tool", "name": _ANSWER}
        if tools:
            body["tools"] = tools
        return body


def _turns(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """User and assistant turns in alternation; tool results are the user's."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        content: list[dict[str, Any]] = []
        if message.role == "tool":
            content.append(
                {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}
            )
        elif message.content:
            content.append({"type": "text", "text": message.content})
        for call in message.tool_calls:
            try:
                arguments = json.loads(call.arguments or "{}")
            except ValueError:
                arguments = {}
            content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
        role = "assistant" if message.role == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += content
        elif content:
            turns.append({"role": role, "content": content})
    return turns
