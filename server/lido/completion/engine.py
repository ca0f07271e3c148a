"""The path of a completion, start to end: cursor → reuse → wait → context → prompt → stream → shape.

One generation runs per document. It belongs to no request: a request that is cancelled leaves it running for
as long as what the person types agrees with what comes, and the next request takes it over. As soon as they
disagree, or nobody wants it any more, it is cancelled down to the backend's socket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lido.completion import context, next_edit, prompt, shaping
from lido.completion.cache import Cache, Finished, Here, Spot
from lido.completion.filters import Place
from lido.completion.next_edit import NextEdit
from lido.events.traces import annotate, happened, traced
from lido.models.base import Backend, ChatRequest, ModelError, TextRequest, Usage
from lido.settings import CompletionSettings
from lido.workspace import syntax
from lido.workspace.documents import Document, Edit

if TYPE_CHECKING:
    from lido.events.attribution import Tracker
    from lido.events.schema import Feature
    from lido.models.registry import Models
    from lido.workspace.recent import RecentEdit

Trigger = Literal["invoked", "automatic"]

ALTERNATIVES = 2
"""How many more answers are asked for where someone wants to choose."""
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


@dataclass(eq=False)
class _Generation:
    """One answer of a model under way."""

    spot: Spot
    trigger: Trigger
    id: str = ""
    place: Place = _NOWHERE
    parsed: syntax.Parsed | None = None
    stripped: str = ""
    """Blanks before the cursor that were left out of the prompt."""
    asked: int = 0
    """Characters of the prompt, 0 where it was no plain text."""
    feature: Feature = "completion"
    temperature: float = 0.0
    extra: tuple[prompt.Snippet, ...] = ()
    """What must be in the prompt whatever the budget."""
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

    def end(self) -> None:
        """Nothing more will come: nobody may wait any longer."""
        if self.result is None and self.error is None:
            self.result = ""
        self.tell()


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
        cache: Cache | None = None,
        around: Callable[[Document], tuple[str, str]] = lambda _: ("", ""),
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
        self._around = around
        self._on_request = on_request
        self._on_close = on_close
        self._cache = cache or Cache()
        self._loading: asyncio.Task[None] | None = None
        self._offered: dict[tuple[str, str, str], tuple[str, str]] = {}
        """Next edits by what they are, with their ids and texts: what was declined is not offered again."""
        self._running: dict[str, _Generation] = {}
        self._rhythm = _Rhythm()
        self._speed: dict[str, float] = {}
        self._density: dict[str, float] = {}
        """Characters per token of each backend's tokeniser, as its own counts tell."""
        self._latency = 0.3
        """Moving mean of the seconds from a request to its whole answer."""
        self._trees = syntax.Trees()
        self._latest: dict[str, object] = {}
        self._allowed: dict[Path, tuple[float, bool]] = {}
        self._changed_since: set[str] = set()
        """Documents that were typed in since their generation began."""

    # ------------------------------------------------------------------ asking

    @traced("lido.completion")
    async def complete(
        self,
        document: Document,
        offset: int,
        trigger: Trigger = "automatic",
        selected: tuple[int, int, str] | None = None,
        *,
        several: bool = False,
    ) -> list[Suggestion]:
        """The suggestion for the cursor, if there is one; after it, others, where `several` are wanted or
        where someone asks explicitly though a suggestion stands there. Raises ModelError where the model
        failed.

        `selected` is the entry of the editor's own completion list that is highlighted: offsets that it
        will replace, and its text; the suggestion then begins with it.
        """
        settings = self._settings()
        if not settings.enabled or not settings.languages.get(document.language, True):
            return []
        if self._loading is None:
            self._loading = asyncio.create_task(self._load(), name="load completions")
        if document.path is not None and not await self._may_leave(document.path):
            return []
        start, end, head = selected or (offset, offset, "")
        if selected:
            document = document.replaced(Edit(start, max(end, offset), head), document.version)
            offset = start + len(head)
        me = self._latest[document.uri] = object()
        here = Here.at(document, offset)
        found = self._reuse(document, here)
        if found is None:
            generation = self._join(here)
            if generation is None:
                if trigger == "automatic" and not await self._pause(document.uri, me, settings):
                    return []
                generation = self._join(here) or self._start(document, here, trigger, settings)
            found = await self._wait(generation, here)
            if found is None and self._latest.get(document.uri) is me and generation.spot.offset != offset:
                # It was under way for what stood there before, and turned out not to be what was typed.
                self._cancel(generation)
                generation = self._start(document, here, trigger, settings)
                found = await self._wait(generation, here)
        if found is None or not found[1]:
            return []
        identifier, text, reused = found
        stop = max(end, start) if selected else offset
        suggestions = [Suggestion(identifier, head + text, start, stop, reused)]
        # Someone who asks again where a suggestion stands already wants another one.
        if several or (trigger == "invoked" and reused):
            for identifier, other in await self._alternatives(document, here, text, settings):
                suggestions.append(Suggestion(identifier, head + other, start, stop))
        return suggestions

    async def _load(self) -> None:
        self._cache.restore(await asyncio.to_thread(self._cache.load))

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

    def _reuse(self, document: Document, here: Here) -> tuple[str, str, bool] | None:
        """A finished suggestion that what was typed since agrees with, less what was typed; or one that was
        made a few characters further on, with what was deleted since. "" where it is known that nothing
        is worth showing here."""
        if (known := self._cache.typed(here)) is not None:
            finished, typed = known
            return self._again(finished, document, len(typed)), finished.text[len(typed) :], True
        if (known := self._cache.deleted(here)) is not None:
            finished, deleted = known
            text = deleted + finished.text
            return self._again(self._cache.remember(Spot.of(here), "", text), document, 0), text, True
        return None

    def _again(self, finished: Finished, document: Document, matched: int) -> str:
        """The id under which it is shown again: a new one where it has none that is open."""
        if finished.id and self._tracker.is_open(finished.id):
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

    def _join(self, here: Here) -> _Generation | None:
        """The generation under way, where what was typed since agrees with it; else it is cancelled."""
        generation = self._running.get(here.uri)
        if generation is None:
            return None
        typed = generation.spot.typed_since(here)
        if typed is not None and generation.agrees(typed):
            return generation
        self._cancel(generation)
        return None

    async def _wait(self, generation: _Generation, here: Here) -> tuple[str, str, bool] | None:
        """What the generation brings for this request, None where it disagrees with what was typed."""
        typed = generation.spot.typed_since(here)
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
        typed = generation.spot.typed_since(Here.at(after, last.start + len(last.text)))
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

    def _cancel(self, generation: _Generation) -> None:
        if self._running.get(generation.spot.uri) is generation:
            del self._running[generation.spot.uri]
        task = generation.task
        # Once only: cancelling again would interrupt the closing of the backend's stream.
        if generation.result is None and task is not None and not task.cancelling():
            task.cancel()

    # ------------------------------------------------------------------ generating

    def _start(
        self, document: Document, here: Here, trigger: Trigger, settings: CompletionSettings
    ) -> _Generation:
        generation = _Generation(Spot.of(here), trigger)
        self._changed_since.discard(document.uri)
        self._running[document.uri] = generation
        generation.task = asyncio.create_task(
            self._generate(generation, document, here.offset, settings), name="completion"
        )
        # A task that is cancelled before its first step never runs, nor does its `finally`.
        generation.task.add_done_callback(lambda _: generation.end())
        return generation

    @traced("text_completion")
    async def _generate(
        self,
        generation: _Generation,
        document: Document,
        offset: int,
        settings: CompletionSettings,
    ) -> None:
        began = time.perf_counter()
        generation.id = self._tracker.requested(generation.feature, document.language)
        self._on_request()
        first: float | None = None
        usage: Usage | None = None
        backend: Backend | None = None
        cut = False
        try:
            # `build` runs in a thread: parsing and gathering context never hold up the loop.
            stream = self._models.stream(
                "completion",
                lambda asked: self._request(asked, generation, document, offset, settings),
            )
            async with aclosing(stream) as chunks:
                async for answering, chunk in chunks:
                    backend = answering
                    usage = chunk.usage or usage
                    cut = chunk.finish == "length"
                    if chunk.text:
                        if not first:
                            first = time.perf_counter() - began
                            happened("first token")
                        generation.said += chunk.text
                        generation.text = shaping.restore(generation.said, generation.stripped)
                        generation.tell()
                        if shaping.finished(generation.text, generation.place):
                            break
                # In a thread: what breaks the syntax takes tree-sitter a tenth of a second to make sense of.
                text = await asyncio.to_thread(
                    shaping.shape, generation.text, generation.place, generation.parsed, offset, cut
                )
                if "\r\n" in document.slice(offset - 2000, offset + 2000):
                    text = text.replace("\n", "\r\n")
                latency = time.perf_counter() - began
                if backend is not None and first:
                    self._latency += 0.3 * (latency - self._latency)
                    if usage is not None:
                        self._learn(backend.name, usage, first, generation.asked)
                self._tracker.answered(
                    generation.id,
                    text,
                    # The document tells nothing of an edit elsewhere: the client says what became of it.
                    uri=document.uri if generation.feature == "completion" else "",
                    start=offset if generation.feature == "completion" else -1,
                    model=backend.model if backend else "",
                    backend=backend.provider if backend else "",
                    latency_ms=round(latency * 1000, 1),
                    first_token_ms=round(first * 1000, 1) if first else None,
                    prompt_tokens=usage.prompt_tokens if usage else None,
                    completion_tokens=usage.completion_tokens if usage else None,
                )
                annotate(
                    {
                        "gen_ai.operation.name": "text_completion",
                        "gen_ai.provider.name": backend.provider if backend else None,
                        "gen_ai.request.model": backend.model if backend else None,
                        "gen_ai.usage.input_tokens": usage.prompt_tokens if usage else None,
                        "gen_ai.usage.output_tokens": usage.completion_tokens if usage else None,
                        "lido.language": document.language,
                        "lido.suggestion_id": generation.id,
                    }
                )
                generation.result = text
                if generation.feature == "completion" and not generation.temperature:
                    self._cache.remember(generation.spot, generation.id, text)
                generation.tell()  # the person need not wait for the stream to be closed
        except ModelError as error:
            generation.error = error
            self._tracker.failed(generation.id, error.kind)
        except asyncio.CancelledError:
            if generation.result is None:
                self._tracker.dropped(generation.id)
                generation.result = ""
            raise
        finally:
            if self._running.get(document.uri) is generation:
                del self._running[document.uri]
            generation.parsed = None
            generation.end()

    async def _alternatives(
        self, document: Document, here: Here, known: str, settings: CompletionSettings
    ) -> list[tuple[str, str]]:
        """Other answers than `known`, with their ids: as many as come in little more than the usual time."""
        generations = [_Generation(Spot.of(here), "invoked", temperature=0.8) for _ in range(ALTERNATIVES)]
        tasks = [
            asyncio.create_task(
                self._generate(generation, document, here.offset, settings),
                name="alternative completion",
            )
            for generation in generations
        ]
        try:
            await asyncio.wait(tasks, timeout=max(1.0, 2 * self._latency))
        finally:
            for task in tasks:
                task.cancel()
        found: dict[str, str] = {}
        for generation in generations:
            if generation.result and generation.result != known:
                found.setdefault(generation.result, generation.id)
        return [(identifier, text) for text, identifier in found.items()]

    @traced("lido.prompt")
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
        room = context.budget(
            able.context_window,
            max_tokens,
            self._speed.get(backend.name),
            able.small,
            self._density.get(backend.name),
        )
        prefix = context.before(document, offset, room.prefix)
        if parsed is not None and len(prefix) < offset:
            prefix = context.head(parsed, offset, offset - len(prefix), room.prefix // 5) + prefix
        suffix = context.after(document, offset, room.suffix)
        above, below = self._around(document)
        if above and len(prefix) == offset:  # the other cells of a notebook, where there is room
            prefix = context.last_lines(above, room.prefix - len(prefix)) + prefix
        if below and len(suffix) == document.length - offset:
            suffix += below[: max(0, room.suffix - len(suffix))]
        hole = prompt.Hole(
            path=self._relative(document.path) if document.path else "",
            language=document.language,
            prefix=prefix,
            suffix=suffix,
            repository=self._repository,
            snippets=(*generation.extra, *self._elsewhere.snippets(document, offset, room.elsewhere)),
        )
        if able.fim != "none":
            bare = prefix.rstrip(" \t")
            generation.stripped = prefix[len(bare) :]
            hole = replace(hole, prefix=bare)
        made = prompt.request(hole, able, backend.model, max_tokens, generation.temperature)
        if isinstance(made, TextRequest):
            generation.asked = len(made.prompt)
        if isinstance(made, TextRequest) and place.mode == "line" and place.line_before.strip():
            made = replace(made, stop=(*made.stop, "\n"))
        return made

    # ------------------------------------------------------------------ next edits

    async def next_edits(self, document: Document, offset: int) -> list[tuple[str, NextEdit]]:
        """What the latest edit asks for elsewhere in `document` and the other open ones, with the ids of the
        suggestions; the nearest to the cursor first. Raises ModelError."""
        settings = self._settings()
        if not settings.enabled or not settings.languages.get(document.language, True):
            return []
        if document.path is not None and not await self._may_leave(document.path):
            return []
        now = time.monotonic()
        found: list[NextEdit] = []
        others = [other for other in self._elsewhere.documents() if other.uri != document.uri]
        for edit in self._elsewhere.edits():
            if now - edit.time > next_edit.FRESH or found:
                break
            found = await asyncio.to_thread(self._follow_up, edit, (document, *others))
            if not found and (change := next_edit.signature(edit)) and next_edit.wants_value(change):
                return await self._arguments(change, edit, document, offset, settings)
        offered: list[tuple[str, NextEdit]] = []
        for each in next_edit.nearest(found, document.uri, offset):
            key = self._key(each)
            if key not in self._offered:
                identifier = self._tracker.requested("next_edit", each.document.language)
                self._tracker.answered(identifier, each.text, latency_ms=0.0)
                self._offer(key, identifier, each.text)
            if (again := self._again_offered(key)) is not None:
                offered.append((again[0], each))
        return offered

    def _key(self, edit: NextEdit) -> tuple[str, str, str]:
        line = edit.document.line_text(edit.document.line_at(edit.start))
        return edit.document.uri, line, edit.text

    def _again_offered(self, key: tuple[str, str, str]) -> tuple[str, str] | None:
        """Id and text of what was offered before and not declined."""
        known = self._offered.get(key)
        return known if known and self._tracker.is_open(known[0]) else None

    def _offer(self, key: tuple[str, str, str], identifier: str, text: str) -> None:
        self._offered[key] = identifier, text
        while len(self._offered) > 200:
            del self._offered[next(iter(self._offered))]

    def _follow_up(self, edit: RecentEdit, documents: Sequence[Document]) -> list[NextEdit]:
        """What follows by syntax alone. Runs in a thread."""
        rename, change = next_edit.renamed(edit), next_edit.signature(edit)
        if rename is not None and not next_edit.defines(edit.after, rename.new):
            rename = None
        found: list[NextEdit] = []
        for document in documents:
            if document.line_count > 20_000 or not (rename or change):
                continue
            parsed = self._trees.of(document)
            if rename is not None and document.language == documents[0].language:
                found += next_edit.uses(rename, edit, document, parsed)
            elif change is not None:
                for start, end in next_edit.calls(change.name, document, edit, parsed):
                    arguments = document.slice(start, end)
                    if (less := next_edit.without(change, arguments)) is not None:
                        found.append(NextEdit(document, start, end, less))
        return found

    async def _arguments(
        self,
        change: next_edit.Signature,
        edit: RecentEdit,
        document: Document,
        offset: int,
        settings: CompletionSettings,
    ) -> list[tuple[str, NextEdit]]:
        """The value of the added parameter at the nearest call, from the model."""

        def places() -> list[NextEdit]:
            found = next_edit.calls(change.name, document, edit, self._trees.of(document))
            short = [
                NextEdit(document, end, end, "")
                for start, end in found
                if len(next_edit.split(document.slice(start, end))) < len(change.after)
                or not document.slice(start, end).strip()
            ]
            return next_edit.nearest(short, document.uri, offset)

        own = self._relative(document.path) if document.path else ""
        for place in (await asyncio.to_thread(places))[:2]:
            key = self._key(replace(place, text=change.after[-1]))
            if key in self._offered:
                if (again := self._again_offered(key)) is not None:
                    return [(again[0], replace(place, text=again[1]))]
                continue
            generation = _Generation(
                Spot.of(Here.at(document, place.start)),
                "invoked",
                feature="next_edit",
                extra=(prompt.Snippet(own, edit.after.strip()),),
            )
            await self._generate(generation, document, place.start, settings)
            if generation.error is not None:
                raise generation.error
            text = generation.result or ""
            empty = document.slice(place.start - 1, place.start) == "("
            if text and "\n" not in text and (empty or text.lstrip().startswith(",")):
                self._offer(key, generation.id, text)
                return [(generation.id, replace(place, text=text))]
            self._tracker.dropped(generation.id)
        return []

    def _learn(self, name: str, usage: Usage, first: float, asked: int) -> None:
        """The backend's prompt speed, from prompts of which enough had to be read anew, and how much text
        its tokens hold."""
        if asked > 500 and usage.prompt_tokens:
            density = min(6.0, max(1.0, asked / usage.prompt_tokens))
            # In steps: a budget that moved with every answer would cut every prompt elsewhere.
            if abs(density / self._density.get(name, context.CHARACTERS_PER_TOKEN) - 1) > 0.15:
                self._density[name] = density
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
        if self._loading is not None:
            await asyncio.gather(self._loading, return_exceptions=True)
            await asyncio.to_thread(self._cache.save, self._cache.rows())
        await asyncio.gather(*self._on_close())


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n") if "\r" in text else text
