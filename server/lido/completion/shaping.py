"""How far a completion goes, when the stream may stop, and what of it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lido.completion.filters import (
    _CLOSERS,
    FILTERS,
    Filter,
    Mode,
    Place,
    block_end,
    following_lines,
    opens,
    repetition,
    unclosed,
)
from lido.events.traces import traced
from lido.workspace import syntax

Inside = Literal["comment", "string"]

TOKENS = {"line": 64, "statement": 192, "block": 384}
"""Upper bounds of what is generated; most streams are stopped long before."""


def mode(place: Place, inside: Inside | None, invoked: bool) -> Mode:
    """Decided by what stands at the cursor."""
    after = place.line_after.strip()
    if inside is not None or (after and not set(after) <= _CLOSERS):
        return "line"
    before = place.line_before.strip()
    if before:
        if after:
            return "line"
        return "block" if opens(before) else "statement"
    previous = next((line for line in reversed(place.prefix[-4000:].split("\n")[:-1]) if line.strip()), "")
    if invoked or not previous or opens(previous) or previous.rstrip().endswith(('"""', "*/", "'''")):
        return "block"
    return "statement"


_UNFINISHED = ("", "e", "en", "f", "d", "do", "don", "es", "esa")


def finished(text: str, place: Place) -> bool:
    """Whether nothing that may still come would be shown: the stream can stop."""
    content = text.strip()
    if not content:
        return text.count("\n") > 3
    if place.mode == "line":
        return "\n" in text.lstrip("\n") or (text.startswith("\n") and bool(place.line_before.strip()))
    if "\n" not in text:
        return False
    whole, last = text.rsplit("\n", 1)
    # A last line of which only a piece has come could still become a closing word.
    seen = whole if last.strip() in _UNFINISHED else text
    if block_end(seen, place) < len(seen):
        return True
    return len(following_lines(whole, place)) < len(whole) or len(repetition(whole, place)) < len(whole)


@traced("lido.shape")
def shape(
    text: str,
    place: Place,
    parsed: syntax.Parsed | None = None,
    offset: int = 0,
    cut: bool = False,
    filters: Sequence[Filter] = FILTERS,
) -> str:
    """What of the model's `text` is shown at `place`; "" where nothing is. `cut` says that the model was
    stopped by its token limit; with `parsed`, the result adds no syntax error to the document."""
    if cut and place.multiline and "\n" in text:
        text = text[: text.rindex("\n")]
    for each in filters:
        text = each(text, place)
        if not text:
            return ""
    return text if parsed is None else syntax_kept(text, place, parsed, offset)


def syntax_kept(text: str, place: Place, parsed: syntax.Parsed, offset: int) -> str:
    """`text`, if need be with the brackets closed that were opened on the cursor's line, or the longest
    beginning of it by lines, that adds no syntax error to the document."""
    before = syntax.error_count(parsed.tree)
    lines = text.split("\n")
    if syntax.errors_after(parsed, offset, offset, text) <= before:
        return text
    if not place.line_after.strip() and (closing := unclosed(place.line_before + text)):
        closed = text + closing
        if syntax.errors_after(parsed, offset, offset, closed) <= before:
            return closed
    counts = dict.fromkeys((len(lines) - 1, len(lines) - 2, len(lines) - 3, len(lines) // 2, 1))
    for count in counts:
        if not 1 <= count < len(lines):
            continue
        candidate = "\n".join(lines[:count]).rstrip()
        if candidate.strip() and syntax.errors_after(parsed, offset, offset, candidate) <= before:
            return candidate
    return ""


def restore(text: str, stripped: str) -> str:
    """The model's answer to a prompt whose last blanks (`stripped`) were left out, as if they had stood
    there: small models go wrong after trailing blanks."""
    if not stripped:
        return text
    if text.startswith(stripped):
        return text[len(stripped) :]
    lead = len(text) - len(text.lstrip(" \t"))
    # Half of the blanks may still be on their way.
    return text[min(lead, len(stripped)) :]
