"""Where the lines a model quoted stand in the file: a ladder of named rungs, strictest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Rung = Literal["exact"]


@dataclass(frozen=True, slots=True)
class Match:
    """``text[start:end]`` is what was meant; `replacement` is what to put there (re-indented, with the
    file's own spelling of the lines that do not change)."""

    start: int
    end: int
    replacement: str
    rung: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that resembles the quote: line (from 0), its true text, similarity 0–1."""

    line: int
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Why there is no match, as a sentence, and the places that come closest."""

    reason: Literal["not_found", "ambiguous", "weak", "empty"]
    message: str
    candidates: tuple[Candidate, ...] = ()


def find(text: str, search: str, replacement: str, _line: int | None = None) -> Match | NoMatch:
    """The one place of `search` in `text`."""
    count = text.count(search)
    if not search or not count:
        return NoMatch("not_found", "the quoted lines are not in the file")
    if count > 1:
        return NoMatch("ambiguous", f"the quoted lines are in the file {count} times")
    at = text.index(search)
    return Match(at, at + len(search), replacement, "exact")
