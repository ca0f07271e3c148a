"""Finding text in the workspace: which files there are, lines that match, and files that suit a question.

Everything here is blocking; call it in a thread. Files that the privacy gate blocks are never opened.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_FILE = 512 * 1024
"""Bytes; a larger file is generated data more often than something to search."""
MAX_FILES = 50_000

Blocked = Callable[[Path], str | None]

_SKIPPED = {".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", ".tox", ".mypy_cache"}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "the a an and or of to in is it its for on with that this as be by are was does do how where what "
        "why when which from into not should must can have has i we you my our your if then so at all add "
        "make use self def return import class function file code please",
    )
)


@dataclass(frozen=True, slots=True)
class Match:
    """A line that matched; `line` counts from 0, `path` is relative to the root with forward slashes."""

    path: str
    line: int
    text: str


def files(root: Path, blocked: Blocked) -> list[str]:
    """Text-like files below `root` that may be read: what git knows and does not ignore, else what the
    folder holds. Paths relative to `root`, sorted, at most `MAX_FILES`."""
    names = _git_files(root)
    if names is None:
        names = list(_walk(root))
    allowed = [name for name in sorted(names) if not blocked(root / name)]
    return allowed[:MAX_FILES]


def _git_files(root: Path) -> list[str] | None:
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others"]
    try:
        done = subprocess.run(
            [*command, "--exclude-standard"], cwd=root, capture_output=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    names = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return sorted({name for name in names if name and (root / name).is_file()})


def _walk(root: Path) -> Iterator[str]:
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in names:
            yield (Path(folder) / name).relative_to(root).as_posix()
            count += 1
            if count >= MAX_FILES:
                return


def read_text(path: Path) -> str | None:
    """The file's text; None where it is binary, too large, no regular file or unreadable."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    return None if b"\0" in data[:8192] else data.decode("utf-8", "replace")


def grep(root: Path, names: Iterable[str], pattern: re.Pattern[str], limit: int = 100) -> list[Match]:
    """Lines of the files `names` below `root` that match `pattern`, at most `limit`."""
    found: list[Match] = []
    for name in names:
        text = read_text(root / name)
        if text is None or not pattern.search(text):
            continue
        for number, line in enumerate(text.splitlines()):
            if pattern.search(line):
                found.append(Match(name, number, line))
                if len(found) >= limit:
                    return found
    return found


def words(text: str) -> list[str]:
    """The words of prose or code in lower case; ``parseHTTPDate`` and ``parse_date`` give their parts."""
    found: list[str] = []
    for word in _WORD.findall(text):
        parts = [part.lower() for part in _PART.findall(word)]
        found += parts
        if len(parts) > 1:
            found.append(word.lower())
    return [_stem(word) for word in found if len(word) > 1 and word not in _COMMON]


def _stem(word: str) -> str:
    """Plurals and verb forms under one roof: tests, tested, testing → test."""
    for suffix in ("ing", "ies", "ed", "es", "s"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


@dataclass(frozen=True, slots=True)
class Passage:
    """Lines `first` up to but not including `last` (from 0) of a file, and how well they suit (higher is
    better)."""

    path: str
    first: int
    last: int
    text: str
    score: float


def passages(
    root: Path, names: Iterable[str], question: str, limit: int = 12, window: int = 40
) -> list[Passage]:
    """The passages that suit `question` best, by BM25 (Robertson and Zaragoza 2009; k1 1.2, b 0.75) over
    pieces of about `window` lines; words in a file's path count for each of its pieces."""
    wanted = set(words(question))
    if not wanted:
        return []
    pieces: list[tuple[str, int, int, str, Counter[str], int]] = []
    seen: Counter[str] = Counter()
    total = 0
    for name in names:
        text = read_text(root / name)
        if not text:
            continue
        in_path = words(name)
        lines = text.splitlines()
        for first, last in _pieces(lines, window):
            piece = "\n".join(lines[first:last])
            terms = words(piece)
            counts = Counter(term for term in (*terms, *in_path, *in_path) if term in wanted)
            length = len(terms) + 1
            total += length
            seen.update(counts.keys())
            pieces.append((name, first, last, piece, counts, length))
    average = total / max(1, len(pieces))
    scored = []
    for name, first, last, piece, counts, length in pieces:
        score = 0.0
        for term, count in counts.items():
            rarity = math.log(1 + (len(pieces) - seen[term] + 0.5) / (seen[term] + 0.5))
            score += rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / average))
        if score > 0:
            scored.append(Passage(name, first, last, piece, score))
    scored.sort(key=lambda p: (-p.score, p.path, p.first))
    return scored[:limit]


def _pieces(lines: list[str], window: int) -> Iterator[tuple[int, int]]:
    """Pieces of up to `window` lines that end before a line without indentation where there is one."""
    first = 0
    while first < len(lines):
        last = min(first + window, len(lines))
        if last < len(lines):
            for cut in range(last, first + window // 2, -1):
                if lines[cut][:1].strip() and not lines[cut - 1].strip():
                    last = cut
                    break
        yield first, last
        first = last
