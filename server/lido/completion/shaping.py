"""From what the model said to what is worth showing: a pipeline of small filters, and when to stop early.

All of it is pure. `Cursor` is what the filters know of the document; each takes the text so far and gives it
back changed, or "" where nothing is left to show.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lido.workspace.privacy import find_secrets


@dataclass(frozen=True, slots=True)
class Cursor:
    """The text around the cursor, and whether several lines are wanted."""

    prefix: str
    suffix: str
    language: str = ""
    multiline: bool = False
    max_lines: int = 24

    @property
    def line_before(self) -> str:
        return self.prefix[self.prefix.rfind("\n") + 1 :]

    @property
    def line_after(self) -> str:
        return self.suffix.split("\n", 1)[0]


Filter = Callable[[str, Cursor], str]

_OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = {close: opening for opening, close in _OPENING.items()}
_FENCE = re.compile(r"^\s*```[\w+-]*[ \t]*\n(.*?)(?:\n```.*|\Z)", re.S)
_LICENCE = re.compile(r"(?i)\b(?:copyright|licensed under|spdx-license|all rights reserved)\b")


def wants_several_lines(prefix: str, suffix: str, language: str) -> bool:
    """Whether a block belongs at the cursor: nothing but closing brackets follows on the line, and the line
    is empty or opens something."""
    before = prefix[prefix.rfind("\n") + 1 :]
    after = suffix.split("\n", 1)[0].strip()
    if after.strip(")]}\"';,"):
        return False
    stripped = before.rstrip()
    if not stripped:
        return True
    return stripped.endswith(("{", "(", "[", "=>", "->")) or (
        stripped.endswith(":") and language in ("python", "yaml", "nim", "gdscript", "")
    )


# ---------------------------------------------------------------------- when to stop


def finished(text: str, cursor: Cursor) -> bool:
    """Whether more text cannot change what will be shown: the rest of the stream may be closed."""
    if not cursor.multiline:
        return "\n" in text.lstrip("\n") if cursor.line_before.strip() else "\n" in text.strip("\n")
    lines = text.split("\n")
    if len(lines) > cursor.max_lines:
        return True
    if _repeats(lines):
        return True
    return len(lines) > 2 and _block_end(lines[:-1], cursor) < len(lines) - 1


def _indent(line: str) -> int:
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())


def _block_end(lines: list[str], cursor: Cursor) -> int:
    """Number of lines up to the end of the block in which the first line stands: where the indentation falls
    below it, but for a line that only closes what was opened here."""
    base = (
        _indent(cursor.line_before) if cursor.line_before.strip() else _indent(cursor.line_before + lines[0])
    )
    opens = bool(cursor.line_before.strip()) and cursor.line_before.rstrip().endswith(("{", "(", "[", ":"))
    for number, line in enumerate(lines):
        if number == 0 or not line.strip():
            continue
        indent = _indent(line)
        if indent > base or (indent == base and not opens):
            continue
        closes = set(line.strip()) <= set(")]};,")
        return number + 1 if closes and indent == base and opens else number
    return len(lines)


def _repeats(lines: list[str]) -> bool:
    """Whether the last lines say again what stands right before them."""
    done = [line for line in lines[:-1] if line.strip()]
    if len(done) >= 3 and done[-1] == done[-2] == done[-3]:
        return True
    for size in (2, 3, 4, 5):
        if (
            len(done) >= 2 * size
            and done[-size:] == done[-2 * size : -size]
            and len("".join(done[-size:])) > 20
        ):
            return True
    return False


# ---------------------------------------------------------------------- filters


def unfenced(text: str, _cursor: Cursor) -> str:
    """Models without fill-in-the-middle wrap code in a fence."""
    match = _FENCE.match(text)
    return match[1] if match else text


def no_echo(text: str, cursor: Cursor) -> str:
    """Takes away the beginning of the line where the model says it again."""
    before = cursor.line_before.strip()
    if len(before) >= 4 and text.lstrip().startswith(before):
        return text.lstrip()[len(before) :]
    return text


def one_line(text: str, cursor: Cursor) -> str:
    """Single-line completions end at the line's end."""
    if cursor.multiline:
        return text
    if not cursor.line_before.strip():
        text = text.lstrip("\n")
    return text.split("\n", 1)[0]


def one_block(text: str, cursor: Cursor) -> str:
    """Cuts at the end of the block that the cursor stands in, and at the line limit."""
    if not cursor.multiline:
        return text
    lines = text.split("\n")
    lines = lines[: min(_block_end(lines, cursor), cursor.max_lines)]
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join(lines)


def no_repetition(text: str, _cursor: Cursor) -> str:
    """Cuts where lines begin to repeat."""
    lines = text.split("\n")
    for end in range(3, len(lines) + 1):
        if _repeats([*lines[:end], ""]):
            done = lines[:end]
            while len(done) > 1 and done[-1] == done[-2]:
                done.pop()
            for size in (5, 4, 3, 2):
                while len(done) >= 2 * size and done[-size:] == done[-2 * size : -size]:
                    del done[-size:]
            return "\n".join(done)
    return text


def no_suffix_overlap(text: str, cursor: Cursor) -> str:
    """Takes away an end that already stands after the cursor."""
    after = cursor.suffix
    line_after = cursor.line_after.rstrip()
    if line_after.strip():
        stripped = text.rstrip()
        if not cursor.multiline or "\n" not in text:
            for size in range(min(len(stripped), len(line_after)), 0, -1):
                if stripped.endswith(line_after[:size]) and (size > 2 or not line_after[:size].isalnum()):
                    return stripped[:-size]
        elif stripped.endswith(line_after):
            return stripped[: -len(line_after)]
        return text
    # Whole lines that follow already.
    following = [line.strip() for line in after.split("\n")[1:] if line.strip()][:8]
    lines = text.split("\n")
    for start in range(len(lines)):
        rest = [line.strip() for line in lines[start:] if line.strip()]
        if start and rest and rest == following[: len(rest)] and len("".join(rest)) > 1:
            return "\n".join(lines[:start]).rstrip("\n")
    if following and [line.strip() for line in lines if line.strip()][:2] == following[:2] and following[:2]:
        return ""
    return text


def balanced(text: str, cursor: Cursor) -> str:
    """Cuts before a closing bracket that would close nothing.

    What the person opened on this line may be closed, unless it is closed after the cursor already.
    """
    open_before: list[str] = []
    for character in cursor.line_before:
        if character in _OPENING:
            open_before.append(character)
        elif character in _CLOSING and open_before and open_before[-1] == _CLOSING[character]:
            open_before.pop()
    for character in cursor.line_after:
        if character in _CLOSING and open_before and open_before[-1] == _CLOSING[character]:
            open_before.pop()
    stack = open_before
    quote = ""
    skip = False
    for at, character in enumerate(text):
        if skip:
            skip = False
        elif quote:
            if character == "\\":
                skip = True
            elif character == quote or character == "\n":
                quote = ""
        elif character in "\"'`" and not (character == "'" and text[at - 1 : at].isalnum()):
            quote = character
        elif character in _OPENING:
            stack.append(character)
        elif character in _CLOSING:
            if stack and stack[-1] == _CLOSING[character]:
                stack.pop()
            elif not stack and "\n" not in text[:at]:
                return text[:at].rstrip() if text[:at].strip() else ""
    return text


def no_secrets(text: str, _cursor: Cursor) -> str:
    """A suggestion that holds something like a key is cut before it."""
    spans = find_secrets(text)
    return text[: spans[0][0]].rstrip() if spans else text


def no_licence(text: str, cursor: Cursor) -> str:
    """Licence headers are never suggested."""
    return "" if _LICENCE.search(text) and not _LICENCE.search(cursor.prefix[-2000:]) else text


def no_trailing_space(text: str, _cursor: Cursor) -> str:
    return "\n".join(
        line.rstrip() if number else line for number, line in enumerate(text.split("\n"))
    ).rstrip()


def not_blank(text: str, _cursor: Cursor) -> str:
    return text if text.strip() else ""


def not_the_next_line(text: str, cursor: Cursor) -> str:
    """Nothing that only says the next or the previous line again."""
    said = (cursor.line_before + text).strip()
    before = cursor.prefix.rstrip("\n").split("\n")
    previous = before[-2].strip() if len(before) > 1 and cursor.line_before.strip() else ""
    following = next((line.strip() for line in cursor.suffix.split("\n")[1:] if line.strip()), "")
    if "\n" not in text and len(said) > 6 and said in (previous, following):
        return ""
    return text


FILTERS: tuple[Filter, ...] = (
    unfenced,
    no_echo,
    one_line,
    no_repetition,
    one_block,
    no_suffix_overlap,
    not_the_next_line,
    balanced,
    no_secrets,
    no_licence,
    no_trailing_space,
    not_blank,
)


def shape(text: str, cursor: Cursor) -> str:
    """`text` through every filter, in order; "" where nothing is worth showing."""
    text = text.replace("\r\n", "\n")
    for each in FILTERS:
        if not text:
            return ""
        text = each(text, cursor)
    return text


def without_new_errors(
    text: str, cursor: Cursor, errors: Callable[[str, str], int], window: int = 6000
) -> str:
    """`text`, shortened line by line until the document parses no worse with it than without.

    Judged on up to `window` characters around the cursor.
    """
    start = cursor.prefix.rfind("\n", 0, max(0, len(cursor.prefix) - window)) + 1
    head, tail = cursor.prefix[start:], cursor.suffix[:window]
    cut = tail.rfind("\n")
    tail = tail if len(cursor.suffix) <= window or cut < 0 else tail[: cut + 1]
    # The line as it stands is unfinished as a rule; what counts is whether the suggestion leaves it worse.
    allowed = errors(cursor.language, head + tail)
    lines = text.split("\n")
    while lines:
        candidate = "\n".join(lines)
        if candidate.strip() and errors(cursor.language, head + candidate + tail) <= allowed:
            return candidate
        lines.pop()
    return ""
