"""Names → backends: built when first needed, asked in fail-over order, behind the privacy gate."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from lido.models.base import Backend, ChatRequest, Chunk, ModelError, TextRequest, Usage
from lido.settings import Home, ModelSettings, Role, Settings

if TYPE_CHECKING:
    from lido.models.embedded import EngineState

log = logging.getLogger(__name__)

Request = TextRequest | ChatRequest
ROLES: tuple[Role, ...] = ("completion", "chat", "plan")
Gate = Callable[[str], str]

# provider → module and class; a module is imported with its first use.
PROVIDERS = {
    "openai": ("openai", "OpenAI"),
    "llamacpp": ("llamacpp", "LlamaCpp"),
    "ollama": ("ollama", "Ollama"),
    "mistral": ("mistral", "Mistral"),
    "anthropic": ("anthropic", "Anthropic"),
}


@dataclass(frozen=True, slots=True)
class BackendStatus:
    name: str
    provider: str
    model: str
    state: EngineState
    message: str = ""
    tokens_per_second: float | None = None
    """Of its latest answers, while they streamed; None before the first of some length."""


def _open_gate(text: str) -> str:
    return text


class _Pace:
    """How quickly one answer streams."""

    def __init__(self) -> None:
        self._pieces = 0
        self._tokens: int | None = None
        self._began = time.perf_counter()
        self._first = self._last = 0.0

    def told(self) -> dict[str, float]:
        """For the log: how many tokens, and the milliseconds to the first and to the end."""
        told: dict[str, float] = {
            "tokens": self._tokens or self._pieces,
            "milliseconds": round((time.perf_counter() - self._began) * 1000, 1),
        }
        if self._first:
            told["first_milliseconds"] = round((self._first - self._began) * 1000, 1)
        return told

    def saw(self, chunk: Chunk) -> None:
        if chunk.text:
            self._last = time.perf_counter()
            self._first = self._first or self._last
            self._pieces += 1
        if chunk.usage is not None:
            self._tokens = chunk.usage.completion_tokens

    def tokens_per_second(self) -> float | None:
        """A piece counts as a token where the backend did not say how many there were."""
        tokens = (self._tokens or self._pieces) - 1
        took = self._last - self._first
        return tokens / took if self._pieces >= 8 and took > 0 else None


async def _shaped(name: str, stream: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
    """`stream`, where an answer that is JSON but not of the API's shape is a ModelError, and halves of
    characters, which no editor takes, are replaced."""
    try:
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                try:
                    chunk.text.encode()
                except UnicodeEncodeError:
                    text = chunk.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
                    chunk = replace(chunk, text=text)
                yield chunk
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError) as error:
        log.warning("an answer of the model %r is not of its API's shape: %s", name, type(error).__name__)
        raise ModelError(
            "bad_answer",
            f"The model {name!r}: the answer is not of the shape that its API promises.",
            f"Is models.{name}.provider the right one?",
            backend=name,
        ) from error


class Models:
    """Every configured model of a session. `gate` sees each text before it leaves (invariant: one gate)."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        gate: Gate = _open_gate,
        on_status: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._home = home
        self._gate = gate
        self._on_status = on_status
        self._backends: dict[str, Backend] = {}
        self._last_error: dict[str, str] = {}
        self._broke_off: set[str] = set()
        """Whose last answer broke off; their next first word proves nothing."""
        self._pace: dict[str, float] = {}

    async def configure(self, settings: Settings) -> None:
        """Other settings from now on: backends whose own table changed are closed and built anew when next
        asked; the others, and their engines, stay."""
        old, self._settings = self._settings, settings
        gone = [name for name in self._backends if settings.models.get(name) != old.models.get(name)]
        await asyncio.gather(*(self._backends.pop(name).close() for name in gone), return_exceptions=True)
        self._last_error = {}

    # ------------------------------------------------------------------ finding

    def backend(self, name: str) -> Backend:
        """The backend of ``[models.NAME]``. Raises ModelError for an unknown name."""
        if name not in self._backends:
            settings = self._settings.models.get(name)
            if settings is None:
                known = ", ".join(self._settings.models)
                raise ModelError("not_found", f"No model is called {name!r}.", f"Configured: {known}.")
            self._backends[name] = self._build(name, settings)
        return self._backends[name]

    def _build(self, name: str, settings: ModelSettings) -> Backend:
        backend: Backend
        if settings.provider == "embedded":
            from lido.models.embedded import Embedded

            backend = Embedded(name, settings, self._home, self._on_status)
        else:
            module, kind = PROVIDERS[settings.provider]
            backend = getattr(import_module(f"lido.models.{module}"), kind)(name, settings)
        return backend

    def for_role(self, role: Role, name: str | None = None) -> list[Backend]:
        """Backends that serve `role`, in fail-over order; just the one called `name` where it is given.
        Raises ModelError for an unknown name."""
        return [self.backend(each) for each in ([name] if name else self._settings.role(role))]

    async def warm_up(self, role: Role) -> None:
        """Starts the engine of the role's first model where it is embedded, so that it loads while the person
        still types, and asks the others what they can do. What fails shows in the status."""
        try:
            first = self.for_role(role)[0]
            names = {name for each in ROLES for name in self._settings.role(each)}
            # A keyring may ask for its password: not for a model that nobody has asked anything yet.
            names = {name for name in names if name == first.name or not self._asks_for_key(name)}
            begin = [self.backend(name).learn() for name in names]
            if (warm := getattr(first, "warm_up", None)) is not None:
                begin.append(warm())
            await asyncio.gather(*begin)
        except ModelError:
            self._on_status()

    def _asks_for_key(self, name: str) -> bool:
        settings = self._settings.models.get(name)
        return settings is not None and bool(settings.api_key_command or settings.api_key_keyring)

    # ------------------------------------------------------------------ asking

    async def stream(
        self, role: Role, build: Callable[[Backend], Request], name: str | None = None
    ) -> AsyncGenerator[tuple[Backend, Chunk], None]:
        """Streams an answer from the first backend of the role that gives one.

        `build` makes the request to suit the backend. Fails over only before the first chunk; raises the
        last backend's ModelError.
        """
        backends = self.for_role(role, name)
        for position, backend in enumerate(backends):
            begun = False
            pace = _Pace()
            outcome = "ok"
            try:
                request = await asyncio.to_thread(lambda asked: self._gated(build(asked)), backend)
                if isinstance(request, TextRequest):
                    stream = backend.complete(request)
                else:
                    stream = backend.chat(request)
                async with aclosing(_shaped(backend.name, stream)) as chunks:
                    async for chunk in chunks:
                        if not begun:
                            begun = True
                            if backend.name not in self._broke_off:
                                self._heard(backend.name, "")
                        pace.saw(chunk)
                        yield backend, chunk
                self._broke_off.discard(backend.name)
                self._heard(backend.name, "")
                return
            except (GeneratorExit, asyncio.CancelledError):
                outcome = "stopped"
                if begun:  # enough was read
                    self._broke_off.discard(backend.name)
                    self._heard(backend.name, "")
                raise
            except ModelError as error:
                outcome = error.kind
                if not error.backend:
                    error.backend = backend.name
                if begun:
                    self._broke_off.add(backend.name)
                # Why it is left alone says more than that it is.
                if error.kind != "paused" or not self._last_error.get(backend.name):
                    self._heard(backend.name, str(error))
                if begun or position == len(backends) - 1:
                    raise
            finally:
                self._paced(backend.name, pace)
                log.info("model answered", extra={"model": backend.name, "outcome": outcome, **pace.told()})

    def _gated(self, request: Request) -> Request:
        if isinstance(request, TextRequest):
            return replace(
                request,
                prompt=self._gate(request.prompt),
                suffix=None if request.suffix is None else self._gate(request.suffix),
                files=tuple((path, self._gate(text)) for path, text in request.files),
            )
        messages = tuple(
            replace(
                message,
                content=self._gate(message.content),
                tool_calls=tuple(
                    replace(call, arguments=self._gate(call.arguments)) for call in message.tool_calls
                ),
            )
            for message in request.messages
        )
        return replace(request, messages=messages)

    # ------------------------------------------------------------------ status

    def _heard(self, name: str, problem: str) -> None:
        if self._last_error.get(name, "") != problem:
            self._last_error[name] = problem
            self._on_status()

    def _paced(self, name: str, pace: _Pace) -> None:
        if (now := pace.tokens_per_second()) is not None:
            known = self._pace.get(name, now)
            self._pace[name] = known + 0.3 * (now - known)
            self._on_status()

    def cost(self, name: str, usage: Usage) -> float:
        """Of one answer, in the currency of the settings' prices; 0 where there are none."""
        model = self._settings.models.get(name)
        if model is None:
            return 0.0
        prompt, completion = model.prompt_price or 0.0, model.completion_price or 0.0
        return (usage.prompt_tokens * prompt + usage.completion_tokens * completion) / 1e6

    def statuses(self) -> list[BackendStatus]:
        """Each configured model as it was last seen; nothing is asked for this."""
        found = []
        for name, settings in self._settings.models.items():
            backend = self._backends.get(name)
            problem = self._last_error.get(name, "")
            engine = getattr(backend, "engine", None)
            state: EngineState = engine.state if engine else "ready"
            if problem:
                state = "error"
            pace = self._pace.get(name)
            if pace is not None:
                pace = float(f"{pace:.2g}")  # so that not every answer is news
            found.append(BackendStatus(name, settings.provider, settings.model, state, problem, pace))
        return found

    async def close(self) -> None:
        """Closes connections and stops engines."""
        backends, self._backends = list(self._backends.values()), {}
        await asyncio.gather(*(backend.close() for backend in backends), return_exceptions=True)
