"""The protocol each backend keeps, and the words it is spoken in.

Texts in requests have passed the privacy gate before they reach a backend (`Models` applies it).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Speaker = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call; `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the model wrote it; `arguments` is JSON text and may be malformed."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    role: Speaker
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the backend reports them; `cached_tokens` of the prompt were reused."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a streamed answer. The last one has `finish` set; `usage` comes at the latest with it."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish: Finish | None = None


@dataclass(frozen=True, slots=True)
class TextRequest:
    """Raw continuation of `prompt`. With `suffix`, the backend fills the middle natively.

    `files` are (path, text) pairs for backends with a native repository context (llama.cpp ``/infill``);
    others ignore them, so prompts that use a template carry their context in `prompt`.
    """

    prompt: str
    suffix: str | None = None
    max_tokens: int = 128
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    messages: tuple[Message, ...]
    max_tokens: int = 1024
    temperature: float = 0.2
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    json_schema: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do. `fim` is a template's name, "suffix" (native) or "none"."""

    context_window: int = 8192
    fim: str = "none"
    json_schema: bool = False
    tools: bool = False
    small: bool = False
    """A model of roughly 3B parameters or fewer: short prompts, simple formats."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What `lido doctor` shows: `ok`, a sentence, seconds to answer, and how to mend it."""

    ok: bool
    message: str
    seconds: float
    models: tuple[str, ...] = ()
    advice: str = ""


ErrorKind = Literal[
    "unreachable",
    "refused",
    "timeout",
    "auth",
    "rate_limited",
    "too_long",
    "not_found",
    "bad_answer",
    "engine",
    "busy",
    "paused",
]


@dataclass
class ModelError(Exception):
    """A backend failed. `message` says what happened, `advice` what the person can do; neither holds
    prompt text or keys."""

    kind: ErrorKind
    message: str
    advice: str = ""
    retry_after: float | None = None
    backend: str = field(default="", kw_only=True)

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()


class Backend(Protocol):
    """One configured model. Streams are async generators: closing one (or cancelling the task that reads
    it) closes the socket, and the engine stops generating."""

    name: str
    """The ``[models.NAME]`` key."""
    provider: str
    model: str
    capabilities: Capabilities
    """Best knowledge so far; `learn` may refine it."""

    def complete(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:
        """Raises ModelError, before or between chunks."""
        ...

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Raises ModelError, before or between chunks."""
        ...

    async def learn(self) -> None:
        """Asks the server what it can do, where the settings leave that open. Never raises."""
        ...

    async def count_tokens(self, text: str) -> int | None:
        """By the model's own tokenizer; None where the backend offers none."""
        ...

    async def probe(self) -> Probe:
        """Reachable, and is the model there? Never raises."""
        ...

    async def close(self) -> None: ...
