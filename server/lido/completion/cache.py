"""Finished suggestions that may be shown again: typed through, after a backspace, or in a later session."""

from __future__ import annotations

import json
import os
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from lido.workspace.documents import Document

ANCHOR = 200
"""Code points before and after the cursor that must be the same for a suggestion to be used again."""
MAX_TYPED = 2000
"""Code points that may have been typed since."""
MAX_DELETED = 32


@dataclass(frozen=True, slots=True)
class Here:
    """What stands around a cursor, read once for all comparisons; `offset` in code points."""

    uri: str
    offset: int
    before: str
    after: str

    @classmethod
    def at(cls, document: Document, offset: int) -> Here:
        return cls(
            document.uri,
            offset,
            document.slice(offset - MAX_TYPED - ANCHOR, offset),
            document.slice(offset, offset + ANCHOR),
        )


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something was asked for, and what must be there still for it to hold."""

    uri: str
    offset: int
    anchor: str
    suffix: str

    @classmethod
    def of(cls, here: Here) -> Spot:
        return cls(here.uri, here.offset, here.before[-ANCHOR:], here.after)

    def typed_since(self, here: Here) -> str | None:
        """What was typed at the place since; None where anything else changed."""
        count = here.offset - self.offset
        if not 0 <= count <= MAX_TYPED or here.after != self.suffix or here.uri != self.uri:
            return None
        at = len(here.before) - count
        return here.before[at:] if here.before[max(0, at - ANCHOR) : at] == self.anchor else None

    def deleted_since(self, here: Here) -> str | None:
        """What was deleted right before the place since; None where anything else changed, or where that
        was more than part of a line."""
        count = self.offset - here.offset
        if not 0 < count <= MAX_DELETED or here.after != self.suffix or here.uri != self.uri:
            return None
        kept, deleted = self.anchor[:-count], self.anchor[-count:]
        if "\n" in deleted or len(deleted) < count:
            return None
        return deleted if here.before.endswith(kept) else None


@dataclass(slots=True)
class Finished:
    spot: Spot
    id: str
    text: str


class Cache:
    """The latest suggestions over all documents; with a `path` they outlive the session.

    Not thread-safe but for `load` and `save`, which touch nothing but the file and what they are given.
    """

    def __init__(self, path: Path | None = None, limit: int = 256) -> None:
        self.path = path
        self._limit = limit
        self._finished: OrderedDict[tuple[str, int], Finished] = OrderedDict()

    def remember(self, spot: Spot, identifier: str, text: str) -> Finished:
        """`text` "" says that nothing is worth showing there."""
        key = spot.uri, spot.offset
        self._finished.pop(key, None)
        found = self._finished[key] = Finished(spot, identifier, text)
        while len(self._finished) > self._limit:
            self._finished.popitem(last=False)
        return found

    def typed(self, here: Here) -> tuple[Finished, str] | None:
        """A suggestion that what was typed since agrees with, and what was typed."""
        for key, finished in reversed(self._finished.items()):
            typed = finished.spot.typed_since(here)
            if typed is None or not finished.text.startswith(typed) or (typed and finished.text == typed):
                continue
            self._finished.move_to_end(key)
            return finished, typed
        return None

    def deleted(self, here: Here) -> tuple[Finished, str] | None:
        """A suggestion made a few characters further on, and what was deleted since."""
        for finished in reversed(self._finished.values()):
            if finished.text and (deleted := finished.spot.deleted_since(here)):
                return finished, deleted
        return None

    def load(self) -> list[Finished]:
        """What an earlier session left, oldest first; nothing where the file is missing or damaged.
        Blocking."""
        if self.path is None:
            return []
        try:
            rows = [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]
            return [Finished(Spot(str(u), int(o), str(a), str(s)), "", str(t)) for u, o, a, s, t in rows]
        except (OSError, ValueError, TypeError):
            return []

    def restore(self, earlier: list[Finished]) -> None:
        """Puts what `load` read behind what this session has found so far."""
        mine = list(self._finished.items())
        self._finished = OrderedDict(((f.spot.uri, f.spot.offset), f) for f in earlier[-self._limit :])
        for key, found in mine:
            self._finished.pop(key, None)
            self._finished[key] = found
        while len(self._finished) > self._limit:
            self._finished.popitem(last=False)

    def rows(self) -> list[tuple[str, int, str, str, str]]:
        """What `save` writes: suggestions for files, not for what lives in the editor alone."""
        return [
            (found.spot.uri, found.spot.offset, found.spot.anchor, found.spot.suffix, found.text)
            for found in self._finished.values()
            if found.text and found.spot.uri.startswith("file:")
        ]

    def save(self, rows: list[tuple[str, int, str, str, str]]) -> None:
        """Replaces the file whole; readable by its owner alone, because it holds code. Blocking; a full disk
        costs the cache and nothing else."""
        if self.path is None or not rows:
            return
        temporary = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            Path(temporary).replace(self.path)
        except OSError:
            if temporary:
                Path(temporary).unlink(missing_ok=True)
