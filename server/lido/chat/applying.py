"""From a code block of an answer to a review: where in its file the block belongs.

A chat model answers with the function it changed as a rule, seldom with the file. Each definition of the
block takes the place of the one definition of that name in the file; a name that the file has not is added at
its end. What can't be placed so is refused with the reason: guessing would spoil the file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lido.chat.blocks import CodeBlock
from lido.workspace import syntax

if TYPE_CHECKING:
    from lido.edits.apply import Reviews
    from lido.edits.files import Workspace
    from lido.edits.review import Review
    from lido.workspace.syntax import Definition

Defines = Callable[[str], Sequence["Definition"]]


class UnplacedError(Exception):
    """The block cannot be applied; the text says why and what to do."""


async def review_block(block: CodeBlock, path: str, workspace: Workspace, reviews: Reviews) -> Review:
    """Opens a review of applying `block` to the file `path` (as the model or the person named it). Nothing
    is written before hunks are accepted.

    Raises UnplacedError, and Refused where the file may not be touched.
    """
    from lido.edits.apply import Resolution, resolve
    from lido.edits.formats import FileEdit, Whole, parse

    def work() -> Resolution:
        before = workspace.read(path)
        parsed = parse(block.text, path)
        edits = list(parsed.edits)
        if not edits:
            language = syntax.language_of(path)
            text = place(before, block.text, lambda code: syntax.definitions(language, code.encode()))
            kind = "create" if before is None else "modify"
            edits = [FileEdit(path, kind, "whole_file", (Whole(text),))]  # type: ignore[arg-type]
        return resolve(edits, workspace.read, syntax.path_errors)

    found = await asyncio.to_thread(work)
    if found.rejected or not found.changes:
        raise UnplacedError(found.feedback() or "The file is like that already.")
    name = await asyncio.to_thread(lambda: workspace.name(workspace.locate(path)))
    return await reviews.open(found.changes, f"Code from chat for {name}", "chat_apply")


def place(before: str | None, block: str, defines: Defines) -> str:
    """The file's text with `block` in it. Raises UnplacedError."""
    if before is None or not before.strip():
        return block
    new_lines, old_lines = block.splitlines(), before.splitlines(keepends=True)
    ending = "\r\n" if old_lines[0].endswith("\r\n") else "\n"
    wanted, there = _outermost(defines(block)), defines(before)
    if not wanted:
        raise UnplacedError("The block defines nothing that could be found in the file; copy it by hand.")
    around = _outside(old_lines, _outermost(there), comments=True)
    if {d.name for d in _outermost(there)} <= {d.name for d in wanted} and {
        line.strip() for line in around
    } <= {line.strip() for line in new_lines}:
        return block  # everything the file has is in it: it is the file
    outside = _outside(new_lines, wanted)
    known = {line.strip() for line in old_lines}
    if strange := [line for line in outside if line.strip() not in known]:
        raise UnplacedError(
            f"It is not clear where this belongs: {strange[0].strip()[:80]!r}. Copy the block by hand, "
            "or ask for a plan."
        )
    replacements: list[tuple[int, int, list[str]]] = []
    added: list[str] = []
    for definition in wanted:
        body = new_lines[definition.first : definition.last + 1]
        places = [d for d in there if d.name == definition.name]
        if len(places) > 1:
            raise UnplacedError(f"The file defines {definition.name} {len(places)} times.")
        if places:
            first = places[0].first
            indent = _indent(old_lines[first])
            replacements.append((first, places[0].last + 1, _shifted(body, indent)))
        else:
            added += ["", "", *_shifted(body, "")] if not _indent(body[0]) else ["", *body]
    for first, last, body in sorted(replacements, reverse=True):
        old_lines[first:last] = [line + ending for line in body]
    text = "".join(old_lines)
    if added:
        text = text.rstrip("\r\n") + ending + "".join(line + ending for line in added)
    return text


def _outermost(definitions: Sequence[Definition]) -> list[Definition]:
    return [
        d
        for d in definitions
        if not any(o is not d and o.first <= d.first and d.last <= o.last for o in definitions)
    ]


def _outside(lines: Sequence[str], definitions: Sequence[Definition], *, comments: bool = False) -> list[str]:
    """Lines in no definition that say something: not blank, no decorator, no closing bracket; no comment
    either unless `comments`."""
    inside = {n for d in definitions for n in range(d.first, d.last + 1)}
    marks = ("@",) if comments else ("@", "#", "//", "/*", "*", "--")
    return [
        line
        for n, line in enumerate(lines)
        if n not in inside
        and line.strip()
        and not line.strip().startswith(marks)
        and line.strip() not in ("...", "…", "}", ")", "]")
    ]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _shifted(lines: Sequence[str], indent: str) -> list[str]:
    """`lines` with the first one's indentation exchanged for `indent`."""
    old = _indent(lines[0])
    return [indent + line.removeprefix(old) if line.strip() else "" for line in lines]
