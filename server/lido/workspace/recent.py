"""What the person did lately: which files they were in, and what they changed there."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lido.workspace.documents import Document, Edit

MAX_TEXT = 2000
"""Code points of an edit that are kept; larger ones are pastes and moves, which tell little."""


@dataclass(slots=True)
class RecentEdit:
    """Whole lines as they were and as they are, from line `line` (0-based) of the newest version."""

    uri: str
    path: Path | None
    line: int
    before: str
    after: str
    time: float
    lines: int = 1
    """How many lines `after` is; an empty one at its end does not show in the text."""


class Recent:
    """Follows the open documents; belongs to the event loop. `limit` bounds both lists."""

    def __init__(self, limit: int = 32, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: OrderedDict[str, float] = OrderedDict()
        self._limit = limit
        self._edits: deque[RecentEdit] = deque(maxlen=limit)

    def viewed(self, uri: str) -> None:
        self._used[uri] = self._clock()
        self._used.move_to_end(uri)
        while len(self._used) > self._limit:
            self._used.popitem(last=False)

    def closed(self, document: Document) -> None:
        self._used.pop(document.uri, None)

    def used(self) -> list[str]:
        """URIs, the latest first."""
        return list(reversed(self._used))

    def edits(self) -> list[RecentEdit]:
        """The latest first; what came back to what it was is left out."""
        return [edit for edit in reversed(self._edits) if edit.before != edit.after]

    def changed(self, before: Document, after: Document, edits: Sequence[Edit]) -> None:
        """One change of a document; keystrokes on one line make one edit."""
        self.viewed(after.uri)
        if len(edits) != 1:
            return
        edit = edits[0]
        if edit.end - edit.start > MAX_TEXT or len(edit.text) > MAX_TEXT:
            return
        first, last = before.line_at(edit.start), before.line_at(edit.end)
        added = edit.text.count("\n")
        now = self._clock()
        known = self._edits[-1] if self._edits else None
        moved = added - (last - first)
        if known and known.uri == after.uri and now - known.time < 60:
            lines = known.lines + moved
            if known.line <= first and last < known.line + known.lines and 0 < lines < 40:
                known.lines = lines
                known.after = _lines(after, known.line, known.line + lines)
                known.time = now
                return
        for other in self._edits:
            if other.uri == after.uri and other.line > last:
                other.line += moved
        self._edits.append(
            RecentEdit(
                after.uri,
                after.path,
                first,
                _lines(before, first, last + 1),
                _lines(after, first, first + added + 1),
                now,
                added + 1,
            )
        )


def _lines(document: Document, first: int, last: int) -> str:
    """Lines [first, last), without the last one's ending."""
    return "".join(document.line_text(n) for n in range(first, min(last, document.line_count))).rstrip("\r\n")
