"""A Markdown document as a conversation: which turns it holds, what it attaches. Pure.

    ## You
    Why is this slow? [file](src/app.py#L10-L20) @parse_date

    ## Lido
    Because …

Text before the first of these headings is a question, too, so that a new document needs no heading.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from urllib.parse import unquote

from lido.chat.conversations import Role
from lido.workspace.attachments import Attachment

SUFFIX = ".lido.md"
ANSWER = "## Lido"
QUESTION = "## You"

_HEADING = re.compile(r"^##[ \t]+(?P<who>You|Lido)[ \t]*$", re.M | re.I)
_FENCE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?(?:^\1[ \t]*$|\Z)", re.M | re.S)
_LINK = re.compile(r"\[[^\]\n]{0,200}\]\((?P<target>[^)\s]{1,1000})\)")
_LINES = re.compile(r"^L(?P<first>\d{1,7})(?:-L?(?P<last>\d{1,7}))?$")
_SYMBOL = re.compile(r"(?<![\w@/.`])@(?P<name>[A-Za-z_][\w.]{0,200})")


@dataclass(frozen=True, slots=True)
class Notebook:
    """`turns` from the oldest; empty ones are left out. `ends_with_question` says whether there is
    something to answer."""

    turns: tuple[tuple[Role, str], ...]

    @property
    def ends_with_question(self) -> bool:
        return bool(self.turns) and self.turns[-1][0] == "user"


def read(text: str) -> Notebook:
    """The turns of a document; headings inside code fences are text."""
    fenced = [m.span() for m in _FENCE.finditer(text)]
    headings = [m for m in _HEADING.finditer(text) if not any(a <= m.start() < b for a, b in fenced)]
    turns: list[tuple[Role, str]] = []
    first = text[: headings[0].start()] if headings else text
    pieces: list[tuple[Role, str]] = [("user", first)]
    for heading, following in zip_longest(headings, headings[1:]):
        role: Role = "user" if heading["who"].lower() == "you" else "assistant"
        pieces.append((role, text[heading.end() : following.start() if following else len(text)]))
    for role, piece in pieces:
        if not (body := piece.strip()):
            continue
        if turns and turns[-1][0] == role:  # a title, then a question
            turns[-1] = (role, f"{turns[-1][1]}\n\n{body}")
        else:
            turns.append((role, body))
    return Notebook(tuple(turns))


def attachments(question: str, folder: Path, root: Path) -> list[Attachment]:
    """What a question links: files, relative to the document's `folder` or from the workspace's `root`
    with a leading slash, with lines as ``#L10-L20``; ``@name`` for a symbol, ``@workspace`` and ``@diff``.
    Whether they may be read is judged where they are read."""
    found: list[Attachment] = []
    prose = _FENCE.sub("", question)
    for match in _LINK.finditer(prose):
        target, _, fragment = match["target"].partition("#")
        if not target or re.match(r"[a-z][a-z0-9+.-]+:", target, re.I):
            continue
        name = unquote(target)
        path = root / name.lstrip("/") if name.startswith("/") else folder / name
        lines = _LINES.match(fragment)
        if lines:
            first, last = int(lines["first"]), int(lines["last"] or lines["first"])
            found.append(Attachment("selection", path, (max(0, first - 1), last)))
        elif name.endswith("/"):
            found.append(Attachment("folder", path))
        else:
            found.append(Attachment("file", path))
    for match in _SYMBOL.finditer(_LINK.sub("", prose)):
        name = match["name"].rstrip(".")
        if name in ("workspace", "diff"):
            found.append(Attachment("workspace" if name == "workspace" else "diff"))
        else:
            found.append(Attachment("symbol", name=name))
    return found


def outside(linked: Sequence[Attachment], folders: Sequence[Path]) -> Path | None:
    """The first linked path that lies in none of `folders`, links followed. The document may have come with
    a repository, so it can't be what brings a file of the person's own to a model."""
    inside = [os.path.realpath(folder) for folder in folders]
    for path in (attachment.path for attachment in linked if attachment.path):
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(folder) for folder in inside):
            return path
    return None
