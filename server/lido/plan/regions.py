"""Which lines of a long file a small model is asked to rewrite. Pure.

By indentation and the usual defining keywords, so that it works in any language without a grammar.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lido.workspace.attachments import definition_of
from lido.workspace.search import words

WHOLE_LINES = 80
"""A file of at most so many lines is rewritten whole."""
REGION_LINES = 60

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_CLOSING = re.compile(r"\s*(?:[)\]}]+[;,]?|end\b)")


@dataclass(frozen=True, slots=True)
class Region:
    """Lines `first` up to but not including `last`, from 0."""

    first: int
    last: int


def region(lines: Sequence[str], task: str, limit: int = REGION_LINES) -> Region:
    """The lines that `task` is about: the smallest definition it names, else the window whose words suit
    it best. At most `limit` lines."""
    if len(lines) <= limit:
        return Region(0, len(lines))
    named: list[Region] = []
    for name in dict.fromkeys(_IDENTIFIER.findall(task)):
        if len(name) < 3:
            continue
        pattern = definition_of(name)
        named += [block(lines, number) for number, line in enumerate(lines) if pattern.search(line)]
    fitting = [found for found in named if found.last - found.first <= limit]
    if fitting:
        # A function named inside a named class is what is meant, not the class.
        return min(fitting, key=lambda r: r.last - r.first)
    if named:
        end = named[0].last  # a long class: its end, where members are added
        return Region(max(named[0].first, end - limit // 2), end)
    return _best_window(lines, task, limit)


def block(lines: Sequence[str], number: int) -> Region:
    """The definition that begins at line `number`, with the decorators and comments directly above it and
    the closing bracket below."""
    indent = _indent(lines[number])
    first = number
    while first > 0 and lines[first - 1].strip() and _indent(lines[first - 1]) == indent:
        if not re.match(r"\s*(?:@|#|//|/\*|\*)", lines[first - 1]):
            break
        first -= 1
    last = number + 1
    end = last
    while last < len(lines):
        line = lines[last]
        if line.strip():
            if _indent(line) <= indent:
                # `) -> str:` and `{` on a line of their own still belong to the head.
                if line.lstrip()[0] in "){":
                    last += 1
                    end = last
                    continue
                if _CLOSING.match(line) and _indent(line) == indent:
                    end = last + 1
                break
            end = last + 1
        last += 1
    return Region(first, end)


def _best_window(lines: Sequence[str], task: str, limit: int) -> Region:
    wanted = set(words(task))
    scores = [len(wanted & set(words(line))) for line in lines]
    best, at = -1, 0
    window = sum(scores[:limit])
    for first in range(len(lines) - limit + 1):
        if first:
            window += scores[first + limit - 1] - scores[first - 1]
        if window > best:
            best, at = window, first
    return Region(at, at + limit)


def fitted(answer: str, old: Sequence[str]) -> str:
    """`answer` moved to the indentation of the lines it replaces (small models like to begin at column 0),
    with the comments at the top that it left out, and a line break at its end where `old` has one."""
    first_old = next((line for line in old if line.strip()), "")
    new = answer.splitlines(keepends=True)
    first_new = next((line for line in new if line.strip()), "")
    if first_new != first_old and (head := _dropped_head(first_new, old)):
        new = [*head, *new]
        first_new = first_old
    missing = _indent(first_old) - _indent(first_new)
    if missing > 0 and first_old.strip()[:3] == first_new.strip()[:3]:
        pad = first_old[:missing]
        new = [pad + line if line.strip() else line for line in new]
    text = "".join(new)
    if old and old[-1].endswith("\n") and not text.endswith("\n"):
        text += "\n"
    return text


_HEAD = re.compile(r"(?:\s*(?:#[^\n]*\n|//[^\n]*\n|/\*[\s\S]*?\*/|\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''))+\s*")


def _dropped_head(first_new: str, old: Sequence[str]) -> Sequence[str]:
    """The comments or docstring at the top of `old` that an answer left out by beginning below them."""
    for index, line in enumerate(old):
        if line.strip() == first_new.strip():
            return old[:index] if _HEAD.fullmatch("".join(old[:index])) else ()
    return ()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
