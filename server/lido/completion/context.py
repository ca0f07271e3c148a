"""What goes into a completion's prompt: how much, where it is cut, and what comes from elsewhere.

Blocking and thread-safe; the engine calls it in a thread.
"""

from __future__ import annotations

import keyword
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lido.completion.prompt import Snippet
from lido.workspace import syntax
from lido.workspace.documents import Document

if TYPE_CHECKING:
    from lido.workspace.index import Index
    from lido.workspace.recent import RecentEdit

CHARACTERS_PER_TOKEN = 3.2
"""Code in current vocabularies, until the backend's own counts tell; measured on Python and TypeScript with
the Qwen2.5-Coder tokeniser."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Characters of the document before and after the cursor, and of code from elsewhere."""

    prefix: int
    suffix: int
    elsewhere: int = 0


def budget(
    context_window: int,
    max_tokens: int,
    tokens_per_second: float | None,
    small: bool,
    characters_per_token: float | None = None,
) -> Budget:
    """What fits the model's window, and what it can read in about a second and a half.

    `tokens_per_second` is the backend's measured prompt speed, None before the first answer. The suffix
    is read anew with every keystroke, because what stands before it has changed; so it stays short where
    reading is slow.
    """
    fits = max(256, context_window - max_tokens - 64)
    speed = tokens_per_second or (200.0 if small else 2000.0)
    tokens = min(fits, max(320, int(speed * 3)), 6000)
    suffix = min(tokens // 4, max(48, int(speed * 0.5)))
    # Code from elsewhere stays the same for many keystrokes, but is read in full once.
    elsewhere = tokens // 3 if tokens >= 1000 else tokens // 5
    density = characters_per_token or CHARACTERS_PER_TOKEN
    return Budget(
        int((tokens - suffix - elsewhere) * density), int(suffix * density), int(elsewhere * density)
    )


def before(document: Document, offset: int, characters: int) -> str:
    """The text before the cursor, from a line's beginning.

    The cut moves in steps of half the budget and not with every line, so that consecutive prompts begin
    alike and the engine's prompt cache holds.
    """
    if offset <= characters:
        return document.slice(0, offset)
    step = max(characters // 2, 1)
    start = (offset - characters + step - 1) // step * step
    line = document.line_at(start)
    if document.line_start(line) < start:
        line += 1
    return document.slice(min(document.line_start(line), offset), offset)


def last_lines(text: str, characters: int) -> str:
    """At most so many characters of the text's end, from a line's beginning."""
    if len(text) <= characters:
        return text
    tail = text[len(text) - max(0, characters) :]
    return tail[tail.find("\n") + 1 :] if "\n" in tail else ""


def head(parsed: syntax.Parsed, offset: int, cut: int, characters: int) -> str:
    """What the model needs of the text that `before` left out, in front of `cut`: the imports, and the first
    lines of the scopes around the cursor. The same while the cut and the scope are the same."""
    kept = [syntax.imports(parsed, characters), *syntax.scopes(parsed, offset, cut)]
    text = "\n".join(part for part in kept if part)
    return text + "\n" if text and len(text) <= 2 * characters else ""


def after(document: Document, offset: int, characters: int) -> str:
    """The text after the cursor, up to a line's end."""
    end = offset + characters
    if end >= document.length:
        return document.slice(offset, document.length)
    text = document.slice(offset, end)
    cut = text.rfind("\n")
    return text[: cut + 1] if cut > 0 else text


# ---------------------------------------------------------------------- from elsewhere

_COMMON = frozenset(keyword.kwlist) | frozenset(
    re.findall(
        r"\w+",
        "self this cls new var let const func function def class return import from export default public "
        "private protected static void int string str bool float double long char byte true false null None "
        "undefined package interface struct enum type async await for while else elif then case switch break "
        "continue try catch except finally throw raise with print len range list dict set map the and not "
        "use mut impl pub fn val fun override final extends implements super object args kwargs value values "
        "name data",
    )
)
STEADY_LINES = 12
STEADY_SECONDS = 45.0
"""How far the cursor may move, and how long, while the same code from elsewhere is shown to the model: a
prompt that begins the same is served from the engine's cache."""
WINDOW = 24


@dataclass(frozen=True, slots=True)
class _Chosen:
    line: int
    time: float
    characters: int
    snippets: tuple[Snippet, ...]


@dataclass(frozen=True, slots=True)
class _Windows:
    document: Document
    windows: list[tuple[int, frozenset[str], str]]


class Elsewhere:
    """Code from other files that helps at the cursor: definitions of what is used there, pieces like it
    from open files and from the index, and what was edited lately."""

    def __init__(
        self,
        index: Callable[[], Iterable[Index]] = lambda: (),
        documents: Callable[[], list[Document]] = list,
        edits: Callable[[], list[RecentEdit]] = list,
        relative: Callable[[Path], str] = lambda path: path.name,
        blocked: Callable[[Path], str | None] = lambda _: None,
    ) -> None:
        self._index = index
        self.documents = documents
        self.edits = edits
        self._relative = relative
        self._blocked = blocked
        self._chosen: OrderedDict[str, _Chosen] = OrderedDict()
        self._windows: OrderedDict[str, _Windows] = OrderedDict()
        self._defined: dict[str, tuple[Document, list[syntax.Definition]]] = {}
        self._lock = threading.Lock()

    def snippets(self, document: Document, offset: int, characters: int) -> tuple[Snippet, ...]:
        """At most `characters` of them, in an order that does not depend on the cursor; the same ones while
        the cursor stays about where it is."""
        line, now = document.line_at(offset), time.monotonic()
        with self._lock:
            known = self._chosen.get(document.uri)
        if (
            known is not None
            and abs(known.line - line) <= STEADY_LINES
            and now - known.time < STEADY_SECONDS
            and known.characters == characters
        ):
            return known.snippets
        chosen = self._choose(document, offset, characters)
        with self._lock:
            self._chosen[document.uri] = _Chosen(line, now, characters, chosen)
            self._chosen.move_to_end(document.uri)
            while len(self._chosen) > 32:
                self._chosen.popitem(last=False)
        return chosen

    def forget(self, uri: str) -> None:
        with self._lock:
            self._chosen.pop(uri, None)
            self._windows.pop(uri, None)
            self._defined.pop(uri, None)

    def _choose(self, document: Document, offset: int, characters: int) -> tuple[Snippet, ...]:
        if characters < 200:
            return ()
        line = document.line_at(offset)
        around = document.slice(
            document.line_start(max(0, line - 40)),
            document.line_start(min(document.line_count, line + 5)),
        )
        nearest_first = list(dict.fromkeys(reversed(_words(around))))
        words = [word for word in nearest_first if word not in _COMMON]
        own = self._relative(document.path) if document.path else ""
        candidates = [*self._definitions(words[:12], own), *self._lately(document, words)]
        candidates += self._alike_open(document, frozenset(words)) + self._alike_indexed(
            nearest_first[:24], own
        )
        # By value; what says the same twice is taken once. Measured by tests/bench/cross_file.py: more
        # definitions than the nearest names', or more of each, crowd out pieces that say more.
        candidates.sort(key=lambda found: -found[0])
        taken: list[Snippet] = []
        lines = {text.strip() for text in around.splitlines()}
        room = characters
        for _, snippet in candidates:
            new = [text for text in snippet.text.splitlines() if text.strip() and text.strip() not in lines]
            cost = len(snippet.text) + len(snippet.path) + 8
            if cost > room > 400:  # what is left is filled with a part of it
                snippet = Snippet(snippet.path, _first_lines(snippet.text, room - len(snippet.path) - 8))
                cost = room
            if not snippet.text or cost > room or 2 * len(new) < snippet.text.count("\n") + 1:
                continue
            room -= cost
            taken.append(snippet)
            lines |= {text.strip() for text in new}
        return tuple(sorted(taken, key=lambda snippet: (snippet.path, snippet.text)))

    def _definitions(self, names: list[str], own: str) -> list[tuple[float, Snippet]]:
        found = self._unsaved_definitions(names, own)
        known = {snippet.path for _, snippet in found}
        for index in self._index():
            for symbol in index.definitions(names):
                if symbol.path == own or symbol.path in known or self._blocked(index.root / symbol.path):
                    continue
                text = symbol.signature
                if symbol.kind in ("class", "interface"):
                    members = [f"    {member.signature}" for member in index.members(symbol, 6)]
                    text = "\n".join((text, *members))
                near = 1 / (2 + names.index(symbol.name))
                found.append((1.0 + near, Snippet(symbol.path, text)))
        return found

    def _unsaved_definitions(self, names: list[str], own: str) -> list[tuple[float, Snippet]]:
        """Definitions of the same names in open documents, which the index knows as they were saved."""
        found: list[tuple[float, Snippet]] = []
        for other in self.documents()[:12]:
            if other.path is None or other.version == 0 or other.line_count > 5000:
                continue
            path = self._relative(other.path)
            if path == own or self._blocked(other.path):
                continue
            for definition in self._definitions_of(other):
                if definition.name in names:
                    near = 1 / (2 + names.index(definition.name))
                    found.append((1.0 + near, Snippet(path, definition.signature)))
        return found

    def _definitions_of(self, document: Document) -> list[syntax.Definition]:
        with self._lock:
            known = self._defined.get(document.uri)
        if known is not None and known[0] is document:
            return known[1]
        defined = syntax.definitions(document.language, document.text.encode("utf-8", "surrogatepass"))
        with self._lock:
            self._defined[document.uri] = document, defined
            while len(self._defined) > 12:
                del self._defined[next(iter(self._defined))]
        return defined

    def _lately(self, document: Document, words: list[str]) -> list[tuple[float, Snippet]]:
        found = []
        for edit in self.edits()[:8]:
            if edit.uri == document.uri or edit.path is None or self._blocked(edit.path):
                continue
            shared = len(set(_words(edit.after)) & set(words))
            if edit.after.strip() and shared:
                found.append((0.7 + 0.02 * shared, Snippet(self._relative(edit.path), edit.after)))
        return found

    def _alike_open(self, document: Document, words: frozenset[str]) -> list[tuple[float, Snippet]]:
        found = []
        for other in self.documents()[:12]:
            if other.uri == document.uri or other.path is None or other.line_count > 20_000:
                continue
            if self._blocked(other.path):
                continue
            path = self._relative(other.path)
            best: tuple[float, str] | None = None
            for _, theirs, text in self._windows_of(other):
                score = len(words & theirs) / (len(words | theirs) or 1)
                if score > 0.12 and (best is None or score > best[0]):
                    best = score, text
            if best is not None:
                found.append((0.5 + best[0], Snippet(path, best[1])))
        return found

    def _windows_of(self, document: Document) -> list[tuple[int, frozenset[str], str]]:
        with self._lock:
            known = self._windows.get(document.uri)
        if known is not None and known.document is document:
            return known.windows
        windows = []
        for first in range(0, document.line_count, WINDOW // 2):
            last = min(first + WINDOW, document.line_count)
            text = document.slice(document.line_start(first), document.line_start(last)).rstrip()
            windows.append((first, frozenset(_words(text)) - _COMMON, text))
        with self._lock:
            self._windows[document.uri] = _Windows(document, windows)
            self._windows.move_to_end(document.uri)
            while len(self._windows) > 12:
                self._windows.popitem(last=False)
        return windows

    def _alike_indexed(self, words: list[str], own: str) -> list[tuple[float, Snippet]]:
        found: list[tuple[float, Snippet]] = []
        for index in self._index():
            for rank, piece in enumerate(index.similar(words, 16)):
                if piece.path != own and not self._blocked(index.root / piece.path):
                    found.append((0.55 - 0.02 * rank, Snippet(piece.path, piece.text)))
        return found


def _first_lines(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: text.rfind("\n", 0, characters) + 1].rstrip()


def _words(text: str) -> list[str]:
    from lido.workspace.index import identifiers

    return identifiers(text)
