"""How much of what was accepted is still there: in a document, in a file, in a commit.

All of it blocks; it runs in the log's thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lido.workspace import git

if TYPE_CHECKING:
    from lido.workspace.documents import Document

MAX_TEXT = 2_000_000
"""Bytes of a file in which is looked."""


def similarity(accepted: str, now: str) -> float:
    """How much of `accepted` still stands, 0 to 1: one minus the edit distance over the longer length."""
    from rapidfuzz.distance import Levenshtein

    return round(Levenshtein.normalized_similarity(accepted, now), 4)


def closest(accepted: str, text: str) -> str:
    """The passage of `text` that is most like `accepted`."""
    if not accepted or not text:
        return ""
    if accepted in text:
        return accepted
    from rapidfuzz.fuzz import partial_ratio_alignment

    found = partial_ratio_alignment(accepted, text)
    if found is None:
        return ""
    return text[found.dest_start : found.dest_end] if len(accepted) <= len(text) else text


def path_of(uri: str) -> Path | None:
    """The local file that a URI names."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.path else None


def read(document: Document | None, path: Path | None) -> str:
    """The document's text where it is open, else the file's; "" where there is none."""
    if document is not None:
        return document.text
    try:
        if path is None or path.stat().st_size > MAX_TEXT:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Head:
    """A repository at a moment: where it lies, and how long the log of its HEAD was."""

    root: Path
    log: Path
    length: int
    commit: str


def head(path: Path | None) -> Head | None:
    """The repository that holds `path`; None outside of one."""
    for folder in path.parents if path else ():
        log = git.head_log(folder)
        if log is not None:
            lines = _lines(log)
            return Head(folder, log, len(lines), _commit(lines))
    return None


def committed(since: Head, path: Path | None) -> tuple[str | None, Head]:
    """The file's text in the newest commit, if since then it was committed with changes; and the repository
    now. A checkout, a pull or a reset is no commit, and none of somebody else's work counts."""
    lines = _lines(since.log)
    now = Head(since.root, since.log, len(lines), _commit(lines))
    if now == since or path is None:
        return None, since
    new = lines[since.length :] if len(lines) >= since.length else lines
    if not any(line.partition("\t")[2].startswith("commit") for line in new):
        return None, now
    name = path.relative_to(since.root).as_posix()
    text = git.show(since.root, now.commit, name)
    if text is None or text == git.show(since.root, since.commit, name):
        return None, now
    return text, now


def _lines(log: Path) -> list[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _commit(lines: list[str]) -> str:
    fields = lines[-1].split(" ", 2) if lines else []
    return fields[1] if len(fields) > 1 and fields[1].isalnum() else ""
