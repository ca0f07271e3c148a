"""Next edits: what a change just made asks for elsewhere.

Two kinds are known by syntax alone: a name that was changed where it is defined (its other uses follow), and
a parameter that was taken out (its argument goes from the calls). A parameter that was added needs a value at
each call; a model is asked for that, as for any completion (see `engine.Completer.next_edits`).

All offsets are code points. Nothing here reads files or asks anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lido.completion.context import _COMMON
from lido.workspace import syntax
from lido.workspace.documents import Document
from lido.workspace.recent import RecentEdit

FRESH = 300.0
"""Seconds for which an edit is worth following up."""
MAX_EDITS = 8
"""How many are offered at once, the nearest first."""

_TOKEN = re.compile(r"[^\W\d]\w*|\d+|[^\w\s]")
_NAME = re.compile(r"[^\W\d]\w*\Z")
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class NextEdit:
    """Replace [start, end) of `document`'s version by `text`."""

    document: Document
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Rename:
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Signature:
    """A definition's parameters as they were and as they are, each as written."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


# ---------------------------------------------------------------------- what an edit means


def renamed(edit: RecentEdit) -> Rename | None:
    """The one name that the edit changed, wherever it stands in the edited lines; None for any other edit."""
    before, after = _TOKEN.findall(edit.before), _TOKEN.findall(edit.after)
    if len(before) != len(after):
        return None
    changed = {(old, new) for old, new in zip(before, after, strict=True) if old != new}
    if len(changed) != 1:
        return None
    ((old, new),) = changed
    if not (_NAME.match(old) and _NAME.match(new)) or len(old) < 2 or {old, new} & _COMMON:
        return None
    return None if new in before else Rename(old, new)


_DEFINES = re.compile(
    r"\b(?:def|class|function|func|fn|fun|let|const|var|val|type|struct|enum|interface|trait|module|package|"
    r"namespace|define|as|for|int|long|float|double|bool|char|string|String|auto)\b"
)


def defines(line: str, name: str) -> bool:
    """Whether `line`, by the look of it, is where `name` comes from: a definition, a parameter of one, an
    assignment, a loop's or an import's variable."""
    where = re.search(rf"(?<![\w.]){re.escape(name)}\b", line)
    if where is None:
        return False
    before, after = line[: where.start()], line[where.end() :].lstrip()
    if re.match(r"(?::[^=]*)?(?::=|=(?!=)|,[^()]*=(?!=))", after) and not set(before) & set(_OPEN + "."):
        return True
    return _DEFINES.search(before) is not None and not re.search(r"(?<![=!<>])=(?!=)", before)


def signature(edit: RecentEdit) -> Signature | None:
    """The parameters that the edit changed, where it changed those of one definition and nothing else."""
    before, after = _parameters(edit.before), _parameters(edit.after)
    if before is None or after is None or before[0] != after[0] or before[1] == after[1]:
        return None
    return Signature(after[0], before[1], after[1])


_HEAD = re.compile(r"\b(?:def|function|func|fn|fun)\s+(?:\([^)]*\)\s*)?([^\W\d]\w*)\s*(?:<[^>]*>)?\(")


def _parameters(text: str) -> tuple[str, tuple[str, ...]] | None:
    found = _HEAD.search(text)
    if found is None:
        return None
    end = closing(text, found.end() - 1)
    if end is None:
        return None
    names = [part.strip() for part in split(text[found.end() : end])]
    return found[1], tuple(name for name in names if name and name not in ("self", "cls", "*", "/", "&self"))


def closing(text: str, at: int) -> int | None:
    """Where the bracket that opens at `at` closes; brackets in strings are not looked at."""
    depth = 0
    quote = ""
    for place in range(at, min(len(text), at + 4000)):
        letter = text[place]
        if quote:
            if letter == quote and text[place - 1] != "\\":
                quote = ""
        elif letter in "\"'`":
            quote = letter
        elif letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
            if depth == 0:
                return place
    return None


def split(arguments: str) -> list[str]:
    """Arguments as written between the brackets, at the commas that are in none."""
    parts, depth, quote, begin = [], 0, "", 0
    for place, letter in enumerate(arguments):
        if quote:
            if letter == quote and arguments[place - 1] != "\\":
                quote = ""
        elif letter in "\"'`":
            quote = letter
        elif letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(arguments[begin:place])
            begin = place + 1
    parts.append(arguments[begin:])
    return parts


# ---------------------------------------------------------------------- what follows from it


def uses(
    rename: Rename, edit: RecentEdit, document: Document, parsed: syntax.Parsed | None
) -> list[NextEdit]:
    """The other uses of the old name in `document`, one edit for each line that has some. Within the
    function where the edited lines are one's locals or parameters; not in strings and comments."""
    first, last = 0, document.line_count
    edited = range(0)
    if document.uri == edit.uri:
        edited = range(edit.line, edit.line + edit.lines)
        if parsed is not None:
            first, last = _reach(rename, edit, document, parsed)
    elif not edit.after.strip() or edit.after[:1].isspace():
        return []  # what is indented is nobody else's
    found = []
    pattern = re.compile(rf"(?<!\w){re.escape(rename.old)}(?!\w)")
    attribute = re.search(rf"\.\s*{re.escape(rename.new)}\b", edit.after) is not None
    member = attribute or re.match(r"\s+(?:async\s+)?(?:def|fn|func|fun|function)\b", edit.after) is not None
    for line in range(first, last):
        text = document.line_text(line)
        if line in edited or rename.old not in text:
            continue
        start = document.line_start(line)
        places = [
            match.start()
            for match in pattern.finditer(text)
            if member or not text[: match.start()].rstrip().endswith(".")
            if parsed is None or syntax.inside(parsed, start + match.start() + 1) is None
        ]
        if not places:
            continue
        begin, end = places[0], places[-1] + len(rename.old)
        parts, at = [], begin
        for place in places:
            parts += [text[at:place], rename.new]
            at = place + len(rename.old)
        found.append(NextEdit(document, start + begin, start + end, "".join(parts)))
    return found


def _reach(rename: Rename, edit: RecentEdit, document: Document, parsed: syntax.Parsed) -> tuple[int, int]:
    """The lines in which the name means the same: the innermost definition that the edited lines lie in or
    begin, unless it is the definition's own name that changed."""
    everywhere = 0, document.line_count
    own: syntax.Definition | None = None
    for definition in syntax.definitions(document.language, parsed.source, parsed.tree):
        if definition.kind in ("function", "method") and definition.first <= edit.line <= definition.last:
            if definition.name == rename.new and definition.first in range(edit.line, edit.line + edit.lines):
                continue
            if own is None or definition.first >= own.first:
                own = definition
    return everywhere if own is None else (own.first, own.last + 1)


def calls(
    name: str, document: Document, edit: RecentEdit, parsed: syntax.Parsed | None
) -> Iterator[tuple[int, int]]:
    """The offsets between the brackets of each call of `name`, in order."""
    text = document.text
    for match in re.finditer(rf"(?<!\w){re.escape(name)}\(", text):
        line = document.line_at(match.start())
        if document.uri == edit.uri and edit.line <= line < edit.line + edit.lines:
            continue
        before = document.slice(document.line_start(line), match.start())
        if re.search(r"\b(?:def|function|func|fn|fun)\s+(?:\([^)]*\)\s*)?$", before):
            continue
        if parsed is not None and syntax.inside(parsed, match.start() + 1) is not None:
            continue
        end = closing(text, match.end() - 1)
        if end is not None:
            yield match.end(), end


def without(change: Signature, arguments: str) -> str | None:
    """`arguments` without the one whose parameter was taken out; None where nothing is to be done or it is
    not known which."""
    names = [_parameter_name(each) for each in change.before]
    kept = [_parameter_name(each) for each in change.after]
    gone = [name for name in names if name not in kept]
    if len(gone) != 1 or [name for name in names if name in kept] != kept:
        return None
    parts = split(arguments)
    if any(part.strip().startswith(("*", "...")) for part in parts):
        return None
    by_name = [n for n, part in enumerate(parts) if re.match(rf"\s*{re.escape(gone[0])}\s*[=:](?!=)", part)]
    position = names.index(gone[0])
    if by_name:
        at = by_name[0]
    elif position < len(parts) and len(parts) == len(names) and not _by_name(parts[position]):
        at = position
    else:
        return None
    rest = parts[:at] + parts[at + 1 :]
    if rest and at == 0:
        rest[0] = parts[0][: len(parts[0]) - len(parts[0].lstrip())] + rest[0].lstrip()
    return ",".join(rest)


def wants_value(change: Signature) -> bool:
    """Whether callers must now pass more than before: a parameter without a default was added."""
    before = {_parameter_name(each) for each in change.before}
    added = [each for each in change.after if _parameter_name(each) not in before]
    return len(change.after) > len(change.before) and any(
        "=" not in each and "?" not in each and not each.startswith("*") for each in added
    )


def _by_name(argument: str) -> bool:
    return re.match(r"\s*[^\W\d]\w*\s*=(?!=)", argument) is not None


def _parameter_name(parameter: str) -> str:
    bare = re.split(r"[:=?]", parameter.strip(), maxsplit=1)[0].split()
    return bare[0].lstrip("*&.") if bare else ""


def nearest(edits: Sequence[NextEdit], uri: str, offset: int) -> list[NextEdit]:
    """The first of them in the order a person would go: down from the cursor, then from the file's top,
    then the other files."""
    return sorted(
        edits,
        key=lambda edit: (
            edit.document.uri != uri,
            edit.document.uri,
            edit.document.uri == uri and edit.start < offset,
            edit.start,
        ),
    )[:MAX_EDITS]
