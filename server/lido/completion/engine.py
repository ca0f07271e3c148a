"""The path of a completion, start to end: cursor → reuse → wait → context → prompt → stream → shape.

One generation runs per document. It belongs to no request: a request that is cancelled leaves it running for
as long as what the person types agrees with what comes, and the next request takes it over. As soon as they
disagree, or nobody wants it any more, it is cancelled down to the backend's socket.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lido.completion import context, prompt, shaping
from lido.completion.filters import Place
from lido.models.base import Backend, ChatRequest, ModelError, TextRequest, Usage
from lido.settings import CompletionSettings
from lido.workspace import syntax
from lido.workspace.documents import Document, Edit

if TYPE_CHECKING:
    from lido.events.attribution import Tracker
    from lido.models.registry import Models

Trigger = Literal["invoked", "automatic"]

REMEMBERED = 64
"""Finished suggestions kept for reuse, over all documents."""
ANCHOR = 200
"""Characters before the cursor that must be the same for a suggestion to be used again."""
GRACE = 0.25
"""Seconds that a generation which agrees with the typing waits for the next request."""


_NOWHERE = Place("", "")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Insert `text` in place of [start, end), code-point offsets of the document's version asked about."""

    id: str
    text: str
    start: int
    end: int
    reused: bool = False


@dataclass(slots=True)
class _Spot:
    """Where something was asked for, and what must be there still for it to hold."""

    uri: str
    offset: int
    anchor: str
    suffix: str

    @classmethod
    def at(cls, document: Document, offset: int) -> _Spot:
        return cls(
            document.uri,
            offset,
            document.slice(offset - ANCHOR, offset),
            document.slice(offset, offset + ANCHOR),
        )

    def typed_since(self, document: Document, offset: int) -> str | None:
        """What was typed at the place since; None where anything else changed."""
        if offset < self.offset or document.uri != self.uri or offset - self.offset > 2000:
            return None
        if document.slice(offset, offset + ANCHOR) != self.suffix:
            return None
        if document.slice(max(0, self.offset - ANCHOR), self.offset) != self.anchor:
            return None
        return document.slice(self.offset, offset)

    def deleted_since(self, document: Document, offset: int) -> str | None:
        """What was deleted right before the place since; None where anything else changed, or where that
        was more than part of a line."""
        count = self.offset - offset
        if not 0 < count <= 32 or document.slice(offset, offset + ANCHOR) != self.suffix:
            return None
        kept, deleted = self.anchor[:-count], self.anchor[-count:]
        if "\n" in deleted or len(deleted) < count:
            return None
        return deleted if document.slice(max(0, offset - len(kept)), offset) == kept else None


@dataclass(slots=True)
class _Finished:
    spot: _Spot
    id: str
    text: str


@dataclass(eq=False)
class _Generation:
    """One answer of a model under way."""

    spot: _Spot
    trigger: Trigger
    id: str = ""
    place: Place = _NOWHERE
    parsed: syntax.Parsed | None = None
    stripped: str = ""
    """Blanks before the cursor that were left out of the prompt."""
    said: str = ""
    """As the model says it, so far."""
    text: str = ""
    """The same as it would stand at the cursor."""
    result: str | None = None
    """As shaped, at the end."""
    waiters: int = 0
    task: asyncio.Task[None] | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    error: ModelError | None = None

    def agrees(self, typed: str) -> bool:
        said = self.text if self.result is None else self.result
        return said.startswith(typed) or (self.result is None and typed.startswith(said))

    def tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


@dataclass(slots=True)
class _Rhythm:
    """How fast the person types: a moving mean of the gaps between keystrokes under half a second."""

    last: float = 0.0
    gap: float = 0.12

    def stroke(self, now: float) -> None:
        gap, self.last = now - self.last, now
        if gap < 0.5:
            self.gap += 0.25 * (gap - self.gap)


class Completer:
    """Completions of one session. Belongs to the event loop."""

    def __init__(
        self,
        models: Models,
        tracker: Tracker,
        settings: Callable[[], CompletionSettings],
        blocked: Callable[[Path], str | None],
        relative: Callable[[Path], str] = lambda path: path.name,
        elsewhere: context.Elsewhere | None = None,
        repository: str = "",
        on_request: Callable[[], None] = lambda: None,
        on_close: Callable[[], Iterable[Awaitable[None]]] = tuple,
    ) -> None:
        self._models = models
        self._tracker = tracker
        self._settings = settings
        self._blocked = blocked
        self._relative = relative
        self._elsewhere = elsewhere or context.Elsewhere()
        self._repository = repository
        self._on_request = on_request
        self._on_close = on_close
        self._finished: OrderedDict[tuple[str, int], _Finished] = OrderedDict()
        self._running: dict[str, _Generation] = {}
        self._rhythm = _Rhythm()
        self._speed: dict[str, float] = {}
        self._latency = 0.3
        """Moving mean of the seconds from a request to its whole answer."""
        self._trees = syntax.Trees()
        self._latest: dict[str, object] = {}
        self._allowed: dict[Path, tuple[float, bool]] = {}
        self._changed_since: set[str] = set()
        """Documents that were typed in since their generation began."""

    # ------------------------------------------------------------------ asking

    async def complete(
        self,
        document: Document,
        offset: int,
        trigger: Trigger = "automatic",
        selected: tuple[int, int, str] | None = None,
    ) -> list[Suggestion]:
        """At most one suggestion for the cursor. Raises ModelError where the model failed.

        `selected` is the entry of the editor's own completion list that is highlighted: offsets that it
        will replace, and its text; the suggestion then begins with it.
        """
        settings = self._settings()
        if not settings.enabled or not settings.languages.get(document.language, True):
            return []
        if document.path is not None and not await self._may_leave(document.path):
            return []
        start, end, head = selected or (offset, offset, "")
        if selected:
            document = document.replaced(Edit(start, max(end, offset), head), document.version)
            offset = start + len(head)
        me = self._latest[document.uri] = object()
        found = self._reuse(document, offset)
        if found is None:
            generation = self._join(document, offset)
            if generation is None:
                if trigger == "automatic" and not await self._pause(document.uri, me, settings):
                    return []
                generation = self._join(document, offset) or self._start(document, offset, trigger, settings)
            found = await self._wait(generation, document, offset)
            if found is None and self._latest.get(document.uri) is me and generation.spot.offset != offset:
                # It was under way for what stood there before, and turned out not to be what was typed.
                self._cancel(generation)
                generation = self._start(document, offset, trigger, settings)
                found = await self._wait(generation, document, offset)
        if found is None or not found[1]:
            return []
        identifier, text, reused = found
        return [Suggestion(identifier, head + text, start, max(end, start) if selected else offset, reused)]

    async def _may_leave(self, path: Path) -> bool:
        now = time.monotonic()
        known = self._allowed.get(path)
        if known is None or now - known[0] > 5:
            if len(self._allowed) > 500:
                self._allowed.clear()
            reason = await asyncio.to_thread(self._blocked, path)
            known = self._allowed[path] = (now, reason is None)
        return known[1]

    async def _pause(self, uri: str, me: object, settings: CompletionSettings) -> bool:
        """Waits for the person's next keystroke to be late; whether this request is still the latest."""
        limit = settings.debounce_ms / 1000
        # A backend that answers before the next keystroke is asked at once.
        if limit and self._latency > 0.7 * self._rhythm.gap:
            await asyncio.sleep(min(limit, max(0.015, 1.3 * self._rhythm.gap)))
        return self._latest.get(uri) is me

    # ------------------------------------------------------------------ reusing

    def _reuse(self, document: Document, offset: int) -> tuple[str, str, bool] | None:
        """A finished suggestion that what was typed since agrees with, less what was typed; or one that was
        made a few characters further on, with what was deleted since. "" where it is known that nothing
        is worth showing here."""
        nearby: tuple[_Finished, str] | None = None
        for key, finished in reversed(self._finished.items()):
            if finished.spot.uri != document.uri:
                continue
            typed = finished.spot.typed_since(document, offset)
            if typed is None:
                deleted = finished.spot.deleted_since(document, offset)
                if nearby is None and deleted and finished.text:
                    nearby = finished, deleted
                continue
            if not finished.text.startswith(typed) or (typed and finished.text == typed):
                continue
            self._finished.move_to_end(key)
            return self._again(finished, document, len(typed)), finished.text[len(typed) :], True
        if nearby is not None:
            finished, deleted = nearby
            spot = _Spot.at(document, offset)
            identifier = self._tracker.requested("completion", document.language)
            self._remember(spot, identifier, deleted + finished.text)
            return (
                self._again(self._finished[spot.uri, spot.offset], document, 0),
                deleted + finished.text,
                True,
            )
        return None

    def _again(self, finished: _Finished, document: Document, matched: int) -> str:
        """The id under which it is shown again: a new one where its outcome is recorded already."""
        if self._tracker.is_open(finished.id):
            self._tracker.typed_through(finished.id, matched)
            return finished.id
        finished.id = self._tracker.requested("completion", document.language)
        self._tracker.answered(
            finished.id,
            finished.text,
            uri=document.uri,
            start=finished.spot.offset,
            matched=matched,
            latency_ms=0.0,
        )
        return finished.id

    def _join(self, document: Document, offset: int) -> _Generation | None:
        """The generation under way, where what was typed since agrees with it; else it is cancelled."""
        generation = self._running.get(document.uri)
        if generation is None:
            return None
        typed = generation.spot.typed_since(document, offset)
        if typed is not None and generation.agrees(typed):
            return generation
        self._cancel(generation)
        return None

    async def _wait(
        self, generation: _Generation, document: Document, offset: int
    ) -> tuple[str, str, bool] | None:
        """What the generation brings for this request, None where it disagrees with what was typed."""
        typed = generation.spot.typed_since(document, offset)
        if typed is None:
            return None
        generation.waiters += 1
        try:
            while generation.result is None and generation.error is None:
                if not generation.agrees(typed):
                    return None
                await generation.news.wait()
        finally:
            generation.waiters -= 1
            if generation.result is None and not generation.waiters:
                self._unwanted(generation)
        if generation.error is not None:
            raise generation.error
        text = generation.result or ""
        if not text.startswith(typed):
            return None
        return generation.id, text[len(typed) :], False

    def _unwanted(self, generation: _Generation) -> None:
        """Nobody waits: a request for what was typed since may come, if anything was and it agrees."""

        def give_up() -> None:
            if not generation.waiters:
                self._cancel(generation)

        if generation.spot.uri in self._changed_since and generation.error is None:
            asyncio.get_running_loop().call_later(GRACE, give_up)
        else:
            give_up()

    def document_changed(self, _before: Document, after: Document, edits: Sequence[Edit]) -> None:
        """A keystroke: what it disagrees with is cancelled at once."""
        self._rhythm.stroke(time.monotonic())
        generation = self._running.get(after.uri)
        if generation is None:
            return
        last = edits[-1]
        typed = generation.spot.typed_since(after, last.start + len(last.text))
        if typed is None or not generation.agrees(typed):
            self._cancel(generation)
        else:
            self._changed_since.add(after.uri)

    def document_closed(self, uri: str) -> None:
        if generation := self._running.get(uri):
            self._cancel(generation)
        self._latest.pop(uri, None)
        self._trees.forget(uri)
        self._elsewhere.forget(uri)
        for key in [key for key in self._finished if key[0] == uri]:
            del self._finished[key]

    def _cancel(self, generation: _Generation) -> None:
        if self._running.get(generation.spot.uri) is generation:
            del self._running[generation.spot.uri]
        task = generation.task
        # Once only: cancelling again would interrupt the closing of the backend's stream.
        if generation.result is None and task is not None and not task.cancelling():
            task.cancel()

    # ------------------------------------------------------------------ generating

    def _start(
        self, document: Document, offset: int, trigger: Trigger, settings: CompletionSettings
    ) -> _Generation:
        generation = _Generation(_Spot.at(document, offset), trigger)
        self._changed_since.discard(document.uri)
        self._running[document.uri] = generation
        generation.task = asyncio.create_task(
            self._generate(generation, document, offset, settings), name="completion"
        )
        return generation

    async def _generate(
        self, generation: _Generation, document: Document, offset: int, settings: CompletionSettings
    ) -> None:
        began = time.perf_counter()
        generation.id = self._tracker.requested("completion", document.language)
        self._on_request()
        first: float | None = None
        usage: Usage | None = None
        backend: Backend | None = None
        cut = False
        try:
            # `build` runs in a thread: parsing and gathering context never hold up the loop.
            stream = self._models.stream(
                "completion", lambda asked: self._request(asked, generation, document, offset, settings)
            )
            async with aclosing(stream) as chunks:
                async for answering, chunk in chunks:
                    backend = answering
                    usage = chunk.usage or usage
                    cut = chunk.finish == "length"
                    if chunk.text:
                        first = first or time.perf_counter() - began
                        generation.said += chunk.text
                        generation.text = shaping.restore(generation.said, generation.stripped)
                        generation.tell()
                        if shaping.finished(generation.text, generation.place):
                            break
            text = await asyncio.to_thread(
                shaping.shape, generation.text, generation.place, generation.parsed, offset, cut
            )
            if "\r\n" in document.slice(offset - 2000, offset + 2000):
                text = text.replace("\n", "\r\n")
            latency = time.perf_counter() - began
            if backend is not None and first:
                self._latency += 0.3 * (latency - self._latency)
                if usage is not None:
                    self._learn(backend.name, usage, first)
            self._tracker.answered(
                generation.id,
                text,
                uri=document.uri,
                start=offset,
                model=backend.model if backend else "",
                backend=backend.provider if backend else "",
                latency_ms=round(latency * 1000, 1),
                first_token_ms=round(first * 1000, 1) if first else None,
                prompt_tokens=usage.prompt_tokens if usage else None,
                completion_tokens=usage.completion_tokens if usage else None,
            )
            generation.result = text
            self._remember(generation.spot, generation.id, text)
        except ModelError as error:
            generation.error = error
            self._tracker.failed(generation.id, error.kind)
        except asyncio.CancelledError:
            self._tracker.dropped(generation.id)
            generation.result = ""
            raise
        finally:
            if self._running.get(document.uri) is generation:
                del self._running[document.uri]
            if generation.result is None and generation.error is None:
                generation.result = ""
            generation.parsed = None
            generation.tell()

    def _remember(self, spot: _Spot, identifier: str, text: str) -> None:
        key = spot.uri, spot.offset
        self._finished.pop(key, None)
        self._finished[key] = _Finished(spot, identifier, text)
        while len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)

    def _request(
        self,
        backend: Backend,
        generation: _Generation,
        document: Document,
        offset: int,
        settings: CompletionSettings,
    ) -> TextRequest | ChatRequest:
        """Looks at the cursor and makes the prompt. Runs in a thread."""
        able = backend.capabilities
        parsed = self._trees.of(document)
        place = Place(
            _unix(document.slice(max(0, offset - 4000), offset)),
            _unix(document.slice(offset, offset + 4000)),
            document.language,
            max_lines=settings.max_lines,
        )
        inside = syntax.inside(parsed, offset) if parsed else None
        mode = shaping.mode(place, inside, generation.trigger == "invoked")
        place = replace(place, mode=mode if settings.max_lines > 1 else "line")
        generation.place, generation.parsed = place, parsed
        max_tokens = shaping.TOKENS[place.mode]
        if able.small:
            max_tokens = max_tokens * 2 // 3
        room = context.budget(able.context_window, max_tokens, self._speed.get(backend.name), able.small)
        prefix = context.before(document, offset, room.prefix)
        hole = prompt.Hole(
            path=self._relative(document.path) if document.path else "",
            language=document.language,
            prefix=prefix,
            suffix=context.after(document, offset, room.suffix),
            repository=self._repository,
            snippets=self._elsewhere.snippets(document, offset, room.elsewhere),
        )
        if able.fim != "none":
            bare = prefix.rstrip(" \t")
            generation.stripped = prefix[len(bare) :]
            hole = replace(hole, prefix=bare)
        made = prompt.request(hole, able, backend.model, max_tokens)
        if isinstance(made, TextRequest) and place.mode == "line" and place.line_before.strip():
            made = replace(made, stop=(*made.stop, "\n"))
        return made

    def _learn(self, name: str, usage: Usage, first: float) -> None:
        """The backend's prompt speed, from prompts of which enough had to be read anew."""
        read = usage.prompt_tokens - usage.cached_tokens
        if read >= 64 and first > 0.05:
            speed = read / first
            known = self._speed.get(name)
            self._speed[name] = speed if known is None else known + 0.3 * (speed - known)

    async def close(self) -> None:
        tasks = [g.task for g in self._running.values() if g.task]
        for generation in list(self._running.values()):
            self._cancel(generation)
        if tasks:
            await asyncio.wait(tasks, timeout=2)
        await asyncio.gather(*self._on_close())


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n") if "\r" in text else text
