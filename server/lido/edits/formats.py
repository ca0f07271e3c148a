"""Model text → edits. No file is read here; `matching` decides where an edit belongs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Format = Literal[
    "search_replace", "unified_diff", "whole_file", "apply_patch", "json", "lines", "lazy", "command"
]
Kind = Literal["modify", "create", "delete", "rename"]


@dataclass(frozen=True, slots=True)
class Replace:
    """The quoted lines `search` become `replace`. An empty `search` adds: to a new or empty file, or (from
    a patch) at the place that `after` and `line` name.

    `line` is where the model says it is (from 0), which only chooses between equal candidates. `after` are
    lines that stand somewhere above (``@@ class Foo``). `inline`: the quote may begin or end inside a line.
    """

    search: str
    replace: str
    line: int | None = None
    after: tuple[str, ...] = ()
    inline: bool = False
    everywhere: bool = False
    at_end: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines `first` up to but not including `last` (from 0) become `text`."""

    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class Whole:
    """The file's whole text; "… rest unchanged …" lines stand for what was there. `label` is a first line
    that only named the file, such as ``# src/app.py``."""

    text: str
    label: str = ""


Change = Replace | Lines | Whole


@dataclass(frozen=True, slots=True)
class FileEdit:
    """What a model wants of one file. `path` is as the model wrote it: not yet checked."""

    path: str
    kind: Kind
    format: Format
    changes: tuple[Change, ...] = ()
    new_path: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """`problems` are sentences about what looked like an edit but cannot be one."""

    edits: tuple[FileEdit, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class Parser:
    """Reads a stream of model text. `default_path` is the file meant where the text names none."""

    default_path: str | None = None
    _text: list[str] = field(default_factory=list)

    def feed(self, chunk: str) -> tuple[FileEdit, ...]:
        """Take more text; returns the edits that became complete with it."""
        self._text.append(chunk)
        return ()

    def finish(self) -> Parsed:
        """The end of the text: all edits of it, and the problems."""
        text = "".join(self._text)
        edits: list[FileEdit] = []
        path = self.default_path
        lines = text.splitlines(keepends=True)
        i = 0
        while i < len(lines):
            if lines[i].strip() == "<<<<<<< SEARCH":
                before = [line.strip() for line in lines[:i] if line.strip() and not line.startswith("```")]
                if before and "." in before[-1] and " " not in before[-1]:
                    path = before[-1]
                middle = next(k for k in range(i, len(lines)) if lines[k].strip() == "=======")
                end = next(k for k in range(middle, len(lines)) if lines[k].strip() == ">>>>>>> REPLACE")
                if path:
                    change = Replace("".join(lines[i + 1 : middle]), "".join(lines[middle + 1 : end]))
                    edits.append(FileEdit(path, "modify", "search_replace", (change,)))
                i = end
            i += 1
        return Parsed(tuple(edits))


def parse(text: str, default_path: str | None = None) -> Parsed:
    """All edits in a finished answer."""
    parser = Parser(default_path)
    parser.feed(text)
    return parser.finish()
