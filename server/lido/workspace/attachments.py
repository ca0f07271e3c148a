"""What a person points at, as text that fits a model.

`Attachments.resolve` reads (in a thread, through the privacy gate); `fit` then cuts what was read to a
budget of tokens, which is pure, so that each backend of a fail-over chain can have its own budget.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lido.workspace import git, search

Kind = Literal["file", "selection", "symbol", "folder", "diagnostics", "output", "diff", "workspace"]

MAX_CHARACTERS = 400_000
"""Of one attachment; more fits no model's context."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """`lines` are [first, last) from 0; `text` is what the client already holds."""

    kind: Kind
    path: Path | None = None
    lines: tuple[int, int] | None = None
    text: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of the workspace to show a model. `path` is relative to its root with forward slashes, ""
    where the text is no file's; `first` is the line (from 0) where the text starts in it."""

    title: str
    text: str
    path: str = ""
    first: int = 0
    language: str = ""
    whole: bool = False
    """The text is the complete file."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """`problems` are sentences about attachments that could not be read."""

    excerpts: tuple[Excerpt, ...] = ()
    problems: tuple[str, ...] = ()


def tokens(text: str) -> int:
    """A careful estimate: code takes a token per 3 to 4 characters in current vocabularies, other scripts
    up to one per character."""
    wide = sum(1 for character in text if ord(character) > 0x2FF) if not text.isascii() else 0
    return (len(text) - wide + 2) // 3 + wide


Blocked = Callable[[Path], str | None]
"""Why a file may not be read, or None."""
Opened = Callable[[Path], str | None]
"""The text of the document an editor has open for a path, or None."""


class Attachments:
    """Reads attachments for the given workspace roots. Nothing is read that `blocked` gives a reason for."""

    def __init__(self, roots: Sequence[Path], blocked: Blocked, opened: Opened = lambda _: None) -> None:
        self.roots = roots
        self.blocked = blocked
        self._opened = opened

    async def resolve(self, attachments: Sequence[Attachment], question: str = "") -> Resolved:
        """Each attachment as excerpts; `question` steers the search of a "workspace" attachment."""
        excerpts: list[Excerpt] = []
        problems: list[str] = []
        for attachment in attachments:
            try:
                excerpts += await self._resolve(attachment, question)
            except _Unreadable as error:
                problems.append(str(error))
        return Resolved(tuple(excerpts), tuple(problems))

    def opened(self, path: Path) -> str | None:
        """What the editor has open for the path."""
        return self._opened(path)

    def name(self, path: Path) -> str:
        """How people call `path`: relative to its root."""
        for root in self.roots:
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return path.name

    def locate(self, name: str) -> Path | None:
        """The readable file of that relative name in one of the roots, or None. Blocking."""
        for root in self.roots:
            path = root / name
            if path.resolve().is_relative_to(root.resolve()) and path.is_file():
                return None if self.blocked(path) else path
        return None

    def line_count(self, path: Path) -> int | None:
        """Blocking; None where the file cannot be read as text."""
        text = self._opened(path)
        text = search.read_text(path) if text is None else text
        return None if text is None else len(text.splitlines())

    async def files(self) -> list[tuple[Path, str]]:
        """(root, relative name) of every file that may be read."""
        found: list[tuple[Path, str]] = []
        for root in self.roots:
            names = await asyncio.to_thread(search.files, root, self.blocked)
            found += [(root, name) for name in names]
        return found

    async def read(self, path: Path) -> Excerpt | None:
        """The whole file as an excerpt; None where it may not or cannot be read as text."""
        try:
            return (await self._resolve(Attachment("file", path), ""))[0]
        except _Unreadable:
            return None

    async def _resolve(self, attachment: Attachment, question: str) -> list[Excerpt]:
        match attachment.kind:
            case "folder":
                return [await self._folder(attachment)]
            case "diff" if attachment.text is None:
                return [await self._diff()]
            case "workspace":
                return await self._search(attachment.text or question)
            case "symbol" if attachment.path is None and attachment.text is None:
                return await self._symbol(attachment.name or "")
            case "diagnostics" | "output" | "diff":
                return [Excerpt(attachment.name or attachment.kind, (attachment.text or "")[:MAX_CHARACTERS])]
        return [await self._file(attachment)]

    async def _file(self, attachment: Attachment) -> Excerpt:
        path = attachment.path
        if path is None:
            if attachment.text is None:
                raise _Unreadable(f"The {attachment.kind} attachment has neither a file nor a text.")
            return Excerpt(attachment.name or attachment.kind, attachment.text[:MAX_CHARACTERS])
        name = self.name(path)
        if why := await asyncio.to_thread(self.blocked, path):
            raise _Unreadable(f"{name} is not sent to the model: {why}.")
        text = attachment.text if attachment.kind == "file" else None
        if text is None:
            text = self._opened(path)
        if text is None:
            text = await asyncio.to_thread(search.read_text, path)
        if text is None:
            if attachment.text is None:
                raise _Unreadable(f"{name} cannot be read as text.")
            return Excerpt(name, attachment.text[:MAX_CHARACTERS], name, 0, language(path))
        if attachment.lines is None:
            return Excerpt(name, text[:MAX_CHARACTERS], name, 0, language(path), len(text) <= MAX_CHARACTERS)
        lines = text.splitlines(keepends=True)
        first = max(0, min(attachment.lines[0], len(lines)))
        last = max(first, min(attachment.lines[1], len(lines)))
        title = f"{name} lines {first + 1}-{max(last, first + 1)}"
        return Excerpt(title, "".join(lines[first:last])[:MAX_CHARACTERS], name, first, language(path))

    async def _folder(self, attachment: Attachment) -> Excerpt:
        path = attachment.path or (self.roots[0] if self.roots else None)
        if path is None:
            raise _Unreadable("No folder is open.")
        names = await asyncio.to_thread(search.files, path, self.blocked)
        listing = "\n".join(names[:400]) + (f"\n… and {len(names) - 400} more" if len(names) > 400 else "")
        return Excerpt(f"Files in {self.name(path)}", listing)

    async def _diff(self) -> Excerpt:
        if not self.roots:
            raise _Unreadable("No folder is open.")
        root = self.roots[0]
        try:
            changed = (await git.diff(root, "HEAD", "--name-only", "-z", "--relative")).split("\0")
            allowed = [name for name in changed if name and not self.blocked(root / name)]
            text = await git.diff(root, "HEAD", "--", *allowed) if allowed else ""
        except git.GitError as error:
            raise _Unreadable(f"The git diff cannot be read: {error}.") from None
        return Excerpt("git diff", text[:MAX_CHARACTERS] or "(no changes)", language="diff")

    async def _search(self, question: str) -> list[Excerpt]:
        found: list[search.Passage] = []
        for root in self.roots:
            names = await asyncio.to_thread(search.files, root, self.blocked)
            found += await asyncio.to_thread(search.passages, root, names, question)
        found.sort(key=lambda passage: -passage.score)
        return [
            Excerpt(f"{p.path} lines {p.first + 1}-{p.last}", p.text, p.path, p.first, language(p.path))
            for p in found[:12]
        ]

    async def _symbol(self, name: str) -> list[Excerpt]:
        if not re.fullmatch(r"[\w$.:]{1,200}", name):
            raise _Unreadable(f"{name!r} is not a symbol's name.")
        pattern = definition_of(re.split(r"[.:]+", name)[-1])
        for root in self.roots:
            names = await asyncio.to_thread(search.files, root, self.blocked)
            matches = await asyncio.to_thread(search.grep, root, names, pattern, 3)
            if matches:
                return [
                    await self._file(Attachment("selection", root / m.path, (m.line, m.line + 60)))
                    for m in matches
                ]
        raise _Unreadable(f"{name} is not defined in the workspace.")


class _Unreadable(Exception):  # noqa: N818 - becomes a sentence, not an error
    pass


def definition_of(name: str) -> re.Pattern[str]:
    """Matches the lines that define `name` in common languages."""
    return re.compile(
        r"\b(?:def|class|func|function|fn|struct|enum|trait|interface|type|const|let|var|module|impl|object|"
        rf"record|val|fun)\s+(?:\([^)]{{0,200}}\)\s*)?{re.escape(name)}\b"
    )


def fit(excerpts: Sequence[Excerpt], budget: int) -> list[Excerpt]:
    """`excerpts` cut to about `budget` tokens in all: earlier ones matter more, each gets a fair share
    first, and what is left out of one is said in its place."""
    kept: list[Excerpt] = []
    left = budget
    for index, excerpt in enumerate(excerpts):
        need = tokens(excerpt.text)
        later = sum(min(tokens(e.text), 150) for e in excerpts[index + 1 :])
        share = max(left - later, left // (len(excerpts) - index))
        if need > share:
            if share < 40:
                continue
            excerpt = _cut(excerpt, share)
            need = tokens(excerpt.text)
        kept.append(excerpt)
        left -= need
    return kept


def _cut(excerpt: Excerpt, budget: int) -> Excerpt:
    """The beginning and (a third) the end; whole lines, with a line that says how many are missing."""
    lines = excerpt.text.splitlines(keepends=True)
    head: list[str] = []
    tail: list[str] = []
    left = budget - 10
    i, j = 0, len(lines)
    while i < j:
        from_end = sum(map(len, tail)) * 2 < sum(map(len, head))
        line = lines[j - 1] if from_end else lines[i]
        cost = tokens(line)
        if cost > left:
            break
        left -= cost
        if from_end:
            tail.insert(0, line)
            j -= 1
        else:
            head.append(line)
            i += 1
    if not head and lines:
        head, i = [lines[0][: budget * 3] + "\n"], 1
    return replace(excerpt, text="".join(head) + f"… {j - i} lines left out …\n" + "".join(tail), whole=False)


def fenced(excerpt: Excerpt) -> str:
    """The excerpt as Markdown; the fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`{3,}", excerpt.text)), default=2)
    fence = "`" * (longest + 1)
    return f"{excerpt.title}\n{fence}{excerpt.language}\n{excerpt.text.rstrip()}\n{fence}"


_LANGUAGES = {
    "py": "python", "pyi": "python", "js": "javascript", "mjs": "javascript", "jsx": "javascriptreact",
    "ts": "typescript", "tsx": "typescriptreact", "rs": "rust", "rb": "ruby", "kt": "kotlin",
    "md": "markdown", "yml": "yaml", "sh": "shellscript", "h": "c", "hpp": "cpp", "cc": "cpp", "cs": "csharp",
}  # fmt: skip


def language(path: Path | str) -> str:
    """The LSP language id a file's name suggests; its suffix where that is the id, "" without one."""
    suffix = Path(path).suffix.lstrip(".").lower()
    return _LANGUAGES.get(suffix, suffix)
