"""Mistral's API: Codestral fills the middle natively.

https://docs.mistral.ai/api
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from lido.models.base import Chunk, TextRequest
from lido.models.openai import OpenAI
from lido.settings import ModelSettings


class Mistral(OpenAI):
    """See `Backend`."""

    provider = "mistral"
    default_url = "https://api.mistral.ai/v1"

    def __init__(self, name: str, settings: ModelSettings) -> None:
        super().__init__(name, settings)
        if settings.fim == "auto":
            self.capabilities = replace(self.capabilities, fim="suffix")

    async def complete(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:
        body = self._common(request.max_tokens, request.temperature, request.stop, request.seed)
        body["prompt"], body["suffix"] = request.prompt, request.suffix or ""
        async with aclosing(self.http.stream("/fim/completions", body, urgent=True)) as events:
            async for event in events:
                yield self._chunk(event, "delta")

    def _common(
        self, max_tokens: int, temperature: float, stop: tuple[str, ...], seed: int | None
    ) -> dict[str, Any]:
        body = super()._common(max_tokens, temperature, stop, None)
        del body["stream_options"]  # refused as unknown; usage comes with the last chunk anyway
        if seed is not None:
            body["random_seed"] = seed
        return body
