"""Model text → edits. No file is read here; `matching` decides where an edit belongs.

Read are: search/replace blocks (aider's, Cline's and Roo's markers), unified diffs (numbers and counts are
not trusted, headers may be missing), ``*** Begin Patch``, whole files in fences or tags, JSON edits and tool
calls, and line ranges. The parser goes line by line in one pass, so that a stream and a finished text read
the same, and its time is linear. What breaks off before its end marker is a problem, never an edit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

Format = Literal["search_replace", "unified_diff", "whole_file", "apply_patch", "json", "lines", "tags"]
Kind = Literal["modify", "create", "delete", "rename"]

MAX_TEXT = 8_000_000
"""Characters of an answer that are read; longer ones are refused."""
MAX_READINGS = 8
"""Lines of a search/replace block that may be its divider."""


@dataclass(frozen=True, slots=True)
class Replace:
    """The quoted lines `search` become `replace`. An empty `search` adds: to a new or empty file, or (from
    a patch) after the line that `after` names, or at the end.

    `line` is where the model says it is (from 0), which only chooses between equal candidates. `after` are
    lines that stand somewhere above (``@@ class Foo``). `inline`: the quote may begin or end inside a line.
    `ordered`: it comes after the one before it, as in a patch. `alternatives` are other readings
    (search, replace) of the same block, where its divider also occurs in its text.
    """

    search: str
    replace: str
    line: int | None = None
    after: tuple[str, ...] = ()
    inline: bool = False
    everywhere: bool = False
    ordered: bool = False
    at_end: bool = False
    alternatives: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines `first` up to but not including `last` (from 0) become `text`."""

    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class Whole:
    """The file's whole text; "… rest unchanged …" lines stand for what was there. `label` is a first line
    that only named the file, such as ``# src/app.py``. `explicit` where the form says "write this file";
    `asked` where a code block is the file because the model was asked for that; otherwise a code block may
    also be an excerpt. (Small models leave the file's end off even when asked for all of it.)"""

    text: str
    label: str = ""
    explicit: bool = False
    asked: bool = False


Change = Replace | Lines | Whole


@dataclass(frozen=True, slots=True)
class FileEdit:
    """What a model wants of one file. `path` is as the model wrote it: not yet checked. "create" and
    "modify" are the model's words; what the file needs is decided when it is read."""

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


def parse(text: str, default_path: str | None = None, rewrites: bool = False) -> Parsed:
    """All edits in a finished answer. `default_path` is the file meant where the text names none;
    `rewrites` says that a code block is the file's whole text, because that was asked for."""
    parser = Parser(default_path, rewrites)
    parser.feed(text)
    return parser.finish()


# ---------------------------------------------------------------- markers

# Fixed patterns with bounded repetition, applied to one line; nothing of the model's becomes a pattern.
_SEARCH = re.compile(
    r"^[ \t>]{0,8}\\?(?:<{5,9}[ \t]{0,4}|-{5,20}[ \t]{1,4}|\[{5,9}[ \t]{0,4})"
    r"(?:SEARCH|ORIGINAL|BEFORE|OLD|FIND)\b:?>?[ \t]*"
    r"(?P<path>.{0,400}?)\s*$"
)
_MARKS = frozenset("<>-+=[]\\`~")
"""What a line that is a marker or a fence begins with."""
_DIVIDER = re.compile(r"^[ \t]{0,8}={5,20}\s*$")
_REPLACE = re.compile(
    r"^[ \t]{0,8}(?:>{5,9}|\+{5,20}|\]{5,9}|<{5,9}/?)[ \t]{0,4}(?:REPLACE|UPDATED|AFTER|NEW)\b.{0,200}$"
)
_MIDDLE = re.compile(r"^[ \t]{0,8}(?:={5,9}|-{5,9})[ \t]*(?:REPLACE|UPDATED|AFTER|NEW|WITH)[ \t]*$")
_ESCAPED = re.compile(r"^\\(?=(?:<{5,}|={5,}|>{5,}|-{5,}|\+{5,}))", re.M)
_FENCE = re.compile(r"^(?P<indent>[ \t]{0,12})(?P<fence>`{3,20}|~{3,20})(?P<info>[^`]{0,500})$")
_BEGIN_PATCH = re.compile(r"^\s{0,8}\*{3} Begin Patch\s*$")
_END_PATCH = re.compile(r"^\s{0,8}\*{3} End Patch\s*$")
_PATCH_FILE = re.compile(
    r"^\s{0,8}\*{3} (?P<verb>Add|Update|Delete|Create|Modify) File:\s*(?P<path>.{1,2000}?)\s*$"
)
_PATCH_MOVE = re.compile(r"^\s{0,8}\*{3} (?:Move|Rename) to:\s*(?P<path>.{1,2000}?)\s*$", re.I)
_PATCH_EOF = re.compile(r"^\s{0,8}\*{3} End of File\s*$")
_HUNK = re.compile(r"^\s?@@(?:\s*-(?P<line>\d{1,9})(?:,\d{1,9})?\s+\+\d{1,9}(?:,\d{1,9})?)?.*$")
_HEADING = re.compile(
    r"^\s?@@(?:[ \t]*[-+.\d][-+., \d]{0,60})?(?:[ \t]*@@)?[ \t]?(?P<heading>.{0,1000}?)\s*$"
)
_TAG_OPEN = re.compile(
    r"^\s{0,12}<(?P<tag>file|content|contents|file_content|new_content|search|replace|old_string|new_string|"
    r"old_str|new_str|old_text|new_text|tool_call)(?P<attributes>\s[^<>]{0,500})?>(?P<rest>.*)$",
    re.S,
)
_ATTRIBUTE_PATH = re.compile(r"\b(?:path|name|filename|file)\s?=\s?[\"'](?P<path>[^\"']{1,400})[\"']")
_PATH_TAG = re.compile(
    r"<(?:path|file_path|filename|target_file)>\s*(?P<path>[^<>]{1,400}?)\s*</(?:path|file_path|filename|target_file)>"
)
_NUMBERED = re.compile(r"^\s{0,8}(?P<number>\d{1,7}) ?\|(?: |$)")
_ROO_LINE = re.compile(r"^:(?:start|end)_line:\s?(?P<number>\d{1,9})\s*$")
_RANGE = re.compile(r"^(?P<path>.{1,400}?)(?::|#L|:L)(?P<first>\d{1,7})-L?(?P<last>\d{1,7})$")

_SHELL = {
    "bash",
    "sh",
    "shell",
    "console",
    "zsh",
    "fish",
    "cmd",
    "powershell",
    "ps1",
    "terminal",
    "shellsession",
}
_DIFF = {"diff", "patch", "udiff"}
_BARE_NAMES = {
    "makefile", "dockerfile", "rakefile", "gemfile", "procfile", "jenkinsfile", "vagrantfile",
    "cmakelists.txt", "license", "readme", "changelog", "justfile", ".gitignore", ".editorconfig",
    ".dockerignore", ".lido.toml",
}  # fmt: skip
_FILE_NAME = re.compile(r"^(?:[A-Za-z]:)?[^\s*?<>|:\"'`]{0,380}\.[A-Za-z0-9_+\-]{1,12}$")
_QUOTED = re.compile(r"[`\"'*]{1,3}([^`\"'*\n]{1,400})[`\"'*]{1,3}")
_COMMENT_LABEL = re.compile(
    r"^\s{0,4}(?:#|//|--|;|%|<!--|/\*+)\s*(?:file(?:name|path)?\s*[:=]\s*)?"
    r"(?P<path>[^\s]{1,400}?)\s*(?:-->|\*+/)?\s*$",
    re.I,
)
_LABEL = re.compile(
    r"^(?:file(?:name|path)?|path|create|update|modify|edit|new file)\s*:\s*(?P<path>.+)$", re.I
)


def is_marker(line: str) -> bool:
    """Whether the line is a SEARCH or REPLACE marker: in a file's text it is debris of a broken block."""
    return bool(_SEARCH.match(line) or _REPLACE.match(line)) and line.lstrip()[:1] in "<>"


def _headed(lines: Sequence[str]) -> str:
    """The path in a block of code that begins with it and ``=======``, with no other marker; "" elsewhere."""
    if len(lines) < 3 or lines[1].strip() != "=======" or not any(line.strip() for line in lines[2:]):
        return ""
    if any(is_marker(line) or line.strip() == "=======" for line in lines[2:]):
        return ""
    return path if _looks_like_path(path := lines[0].strip()) else ""


def _looks_like_path(word: str) -> bool:
    if not word or len(word) > 400 or word.startswith(("http://", "https://", "-", "@")):
        return False
    if word.rsplit("/", 1)[-1].lower() in _BARE_NAMES:
        return True
    if not _FILE_NAME.match(word):
        return False
    stem, _, extension = word.rpartition(".")
    # "e.g.", "1.5", "foo.bar()" are not files.
    return bool(stem) and not extension.isdigit() and not word.endswith("()")


def _path_alone(line: str) -> str | None:
    """The path, where the line is nothing else: ``**`src/a.py`**:``, ``### a.py``, ``File: a.py``."""
    text = line.strip().strip("#").strip()
    if match := _LABEL.match(text):
        text = match["path"]
    for _ in range(3):
        text = text.strip().rstrip(":").strip("*`\"'").strip()
    text = text.removeprefix("# ").removeprefix("// ").strip()
    if text.startswith(("(", "[")) and text.endswith((")", "]")):
        text = text[1:-1]
    if _looks_like_path(text):
        return text
    # A path with spaces counts only where it has a folder and an extension.
    if " " in text and "/" in text and _looks_like_path(text.replace(" ", "_")) and text.count(" ") <= 4:
        return text
    return None


def _path_mentioned(line: str) -> str | None:
    """The one quoted path in a sentence that introduces something: "Change `src/a.py` to:"."""
    text = line.strip()
    if not text.rstrip("*").endswith(":"):
        return None
    found = {word for word in _QUOTED.findall(text[:2000]) if _looks_like_path(word.strip())}
    return found.pop().strip() if len(found) == 1 else None


# ---------------------------------------------------------------- the parser


@dataclass(slots=True)
class _Fence:
    mark: str
    info: str
    indent: str
    path: str | None
    lines: list[str] = field(default_factory=list)
    depth: int = 0
    consumed: bool = False
    """Blocks inside it were already read."""


@dataclass(slots=True)
class _Block:
    """Between SEARCH and REPLACE."""

    path: str | None
    lines: list[str] = field(default_factory=list)
    dividers: list[int] = field(default_factory=list)
    closed_fence: int | None = None
    """The line where the surrounding fence seemed to close, after the divider."""


@dataclass(slots=True)
class Parser:
    """Reads a stream of model text. `default_path` is the file meant where the text names none."""

    default_path: str | None = None
    rewrites: bool = False
    """Code blocks are whole files, because that is what was asked for."""
    _rest: str = ""
    _size: int = 0
    _edits: list[FileEdit] = field(default_factory=list)
    _problems: list[str] = field(default_factory=list)
    _recent: list[str] = field(default_factory=list)
    _path: str | None = None
    """The file the last block was about; a block without a name goes on with it."""
    _fence: _Fence | None = None
    _block: _Block | None = None
    _patch: list[str] | None = None
    _diff: list[str] | None = None
    _tag: tuple[str, list[str]] | None = None
    _quoted: str | None = None
    """A <search> that waits for its <replace>."""
    _prose: list[str] = field(default_factory=list)
    _prose_size: int = 0

    def feed(self, chunk: str) -> tuple[FileEdit, ...]:
        """Take more text; returns the edits that became complete with it."""
        before = len(self._edits)
        self._size += len(chunk)
        if self._size > MAX_TEXT:
            return ()
        pieces = (self._rest + chunk).split("\n") if "\n" in chunk else [self._rest + chunk]
        self._rest = pieces.pop()
        for line in pieces:
            self._line(line.removesuffix("\r"))
        return tuple(self._edits[before:])

    def finish(self) -> Parsed:
        """The end of the text: all edits of it, and the problems."""
        if self._size > MAX_TEXT:
            return Parsed((), (f"The answer is longer than {MAX_TEXT} characters.",))
        if self._rest:
            self._line(self._rest.removesuffix("\r"))
            self._rest = ""
        if self._block is not None:
            self._end_block(finished=False)
        if self._patch is not None:
            self._end_patch(finished=False)
        if self._fence is not None:
            self._problems.append("A code block is not closed; the answer seems to have been cut off.")
            self._fence = None
        if self._diff is not None:
            self._end_diff()
        if self._tag is not None:
            self._problems.append(f"<{self._tag[0]}> is not closed; the answer seems to have been cut off.")
        if not self._edits:
            self._bare()
        return Parsed(tuple(_merged(self._edits)), tuple(self._problems))

    # ------------------------------------------------------------ one line

    def _line(self, line: str) -> None:
        if self._block is not None:
            self._in_block(line)
        elif self._patch is not None:
            self._in_patch(line)
        elif self._tag is not None:
            self._in_tag(line)
        elif self._fence is not None:
            self._in_fence(line)
        elif self._diff is not None:
            self._in_diff(line)
        else:
            self._in_prose(line)

    def _in_prose(self, line: str) -> None:
        if self._opens(line):
            return
        if match := _FENCE.match(line):
            info = match["info"].strip()
            self._fence = _Fence(match["fence"], info, match["indent"], self._named())
            return
        if line.startswith(("diff --git ", "--- ")):
            self._diff = [line]
            return
        if match := _TAG_OPEN.match(line):
            self._open_tag(match)
            return
        if match := _PATH_TAG.search(line):
            self._path = match["path"]
            self._recent = [match["path"]]
            return
        self._prose_size += len(line)
        self._prose.append(line)
        if line.strip():
            self._recent = [*self._recent[-2:], line[:2000]]

    def _opens(self, line: str) -> bool:
        """Whether the line begins a search/replace block or a patch, which stand in fences or alone."""
        if match := _SEARCH.match(line):
            named = match["path"].strip("`\"' ")
            path = named if _looks_like_path(named) else self._named(block=True)
            self._block = _Block(path)
            if self._fence is not None:
                self._fence.consumed = True
            return True
        if _BEGIN_PATCH.match(line) or _PATCH_FILE.match(line):
            self._patch = [line]
            if self._fence is not None:
                self._fence.consumed = True
            return True
        return False

    def _named(self, block: bool = False) -> str | None:
        """The path that the lines just before name, nearest first."""
        lines = list(self._recent)
        if self._fence is not None:
            inner = [text for text in self._fence.lines if text.strip()][-2:]
            info = self._fence.info.split()
            for text in reversed(inner):
                if path := _path_alone(text):
                    return path
            for word in info[1:] or info:
                if _looks_like_path(word):
                    return word
            if self._fence.path:
                return self._fence.path
        for text in reversed(lines):
            if path := _path_alone(text):
                return path
            if path := _path_mentioned(text):
                return path
        return self._path if block else None

    # ------------------------------------------------------------ search/replace

    def _in_block(self, line: str) -> None:
        block = self._block
        assert block is not None
        if line.lstrip(" \t")[:1] not in _MARKS:
            block.lines.append(line)
            return
        if _SEARCH.match(line) and not (line.startswith("-") and not block.dividers):
            # A new block begins though this one has no end marker.
            self._end_block(finished=False)
            self._opens(line)
            return
        if _MIDDLE.match(line) and not block.dividers:
            block.dividers.append(len(block.lines))
            block.lines.append(line)
            return
        if _REPLACE.match(line):
            self._end_block(finished=True)
            return
        if _DIVIDER.match(line):
            block.dividers.append(len(block.lines))
        elif block.dividers and self._fence is not None and line.strip() == self._fence.mark:
            block.closed_fence = len(block.lines)
        block.lines.append(line)

    def _end_block(self, finished: bool) -> None:
        block = self._block
        assert block is not None
        self._block = None
        lines = block.lines
        if not finished:
            if block.closed_fence is None or not block.dividers:
                self._problems.append("A SEARCH block has no end (>>>>>>> REPLACE).")
                return
            lines = lines[: block.closed_fence]
            block.dividers = [number for number in block.dividers if number < len(lines)]
            self._fence = None
        if not block.dividers:
            self._problems.append("A SEARCH block has no ======= line between old and new text.")
            return
        path = block.path or self.default_path
        if path is None:
            self._problems.append("A SEARCH block names no file.")
            return
        self._path = path
        if len(block.dividers) > 1 and block.dividers[-1] == len(lines) - 1:
            lines = lines[:-1]  # a divider once more before the end marker
            block.dividers.pop()
        usual = [n for n in block.dividers if lines[n].strip() == "======="]
        if len(usual or block.dividers) > MAX_READINGS:
            self._problems.append("A SEARCH block has too many ======= lines to tell old from new text.")
            return
        readings: list[tuple[str, str]] = []
        hint: int | None = None
        for divider in usual or block.dividers:
            old, line = _search_lines(lines[:divider])
            hint = line if hint is None else hint
            new = lines[divider + 1 :]
            if line is not None and _numbered(new):
                new = _unnumbered(new)
            readings.append((_text(old), _text(new)))
        (search, new_text), *others = readings
        change = Replace(search, new_text, hint, alternatives=tuple(others))
        self._add(FileEdit(path, "modify", "search_replace", (change,)))

    # ------------------------------------------------------------ *** Begin Patch

    def _in_patch(self, line: str) -> None:
        assert self._patch is not None
        if _END_PATCH.match(line):
            self._patch.append(line)
            self._end_patch(finished=True)
        elif self._fence is not None and line.strip() == self._fence.mark:
            self._end_patch(finished=True)
            self._fence = None
        else:
            self._patch.append(line)

    def _end_patch(self, finished: bool) -> None:
        lines, self._patch = self._patch or [], None
        if not finished:
            self._problems.append("The patch has no end (*** End Patch); it seems to have been cut off.")
            return
        edits, problems = _read_patch(lines)
        self._problems += problems
        if not problems:  # a patch is one thing: all of it or nothing
            for edit in edits:
                self._add(edit)

    # ------------------------------------------------------------ diffs outside fences

    def _in_diff(self, line: str) -> None:
        assert self._diff is not None
        if len(self._diff) == 1 and self._diff[0].startswith("--- ") and not line.startswith("+++ "):
            first, self._diff = self._diff[0], None
            self._prose.append(first)
            self._line(line)
            return
        if line[:1] in ("", " ", "+", "-", "@", "\\", "\t") or line.startswith(_DIFF_WORDS):
            self._diff.append(line)
            return
        self._end_diff()
        self._line(line)

    def _end_diff(self) -> None:
        lines, self._diff = self._diff or [], None
        self._read_diff(lines, None)

    def _read_diff(self, lines: list[str], path: str | None) -> None:
        edits, problems = _read_unified(lines, path or self.default_path)
        self._problems += problems
        for edit in edits:
            self._add(edit)

    # ------------------------------------------------------------ fences

    def _in_fence(self, line: str) -> None:
        fence = self._fence
        assert fence is not None
        if self._opens(line):
            return
        if fence.indent and line.startswith(fence.indent):
            line = line[len(fence.indent) :]
        if match := _FENCE.match(line):
            mark, info = match["fence"], match["info"].strip()
            if mark[0] == fence.mark[0] and len(mark) >= len(fence.mark):
                if info and len(mark) == len(fence.mark):
                    fence.depth += 1  # a fence within the text, as in Markdown files and docstrings
                elif not info and fence.depth:
                    fence.depth -= 1
                elif not info:
                    self._end_fence()
                    return
        fence.lines.append(line)

    def _end_fence(self) -> None:
        fence = self._fence
        assert fence is not None
        path_before = self._named() or fence.path
        self._fence = None
        lines = fence.lines
        words = fence.info.split()
        language = words[0].lower() if words else ""
        if fence.consumed:
            self._recent = []
            return
        if not any(line.strip() for line in lines):
            return
        if language in _DIFF or _is_diff(lines):
            self._read_diff(lines, path_before)
            self._recent = []
            return
        text = _text(lines)
        first = text.lstrip()[:1]
        if language in ("json", "jsonc", "tool_call", "tool_code", "") and first in ("{", "["):
            value = _load_json(text)
            if value is not None and (edits := list(_json_edits(value, path_before or self.default_path))):
                for edit in edits:
                    self._add(edit)
                self._recent = []
                return
        if len(lines) == 1 and (only := _path_alone(lines[0])):
            self._recent = [only]  # the file's name in a fence of its own
            return
        self._whole(fence, language, lines, path_before)

    def _whole(self, fence: _Fence, language: str, lines: list[str], path_before: str | None) -> None:
        info_path = next((w for w in fence.info.replace("=", " ").split() if _looks_like_path(w)), None)
        ranged = next((m for w in fence.info.split() if (m := _RANGE.match(w))), None)
        self._recent = []
        if ranged is not None:
            path = ranged["path"] if _looks_like_path(ranged["path"]) else path_before or self.default_path
            first, last = int(ranged["first"]) - 1, int(ranged["last"])
            if path and 0 <= first < last:
                self._path = path
                self._add(FileEdit(path, "modify", "lines", (Lines(first, last, _text(lines)),)))
            return
        label = ""
        path = info_path or path_before
        if headed := _headed(lines):
            # A search/replace block that lost all but its divider: what follows is the file, or a part of it.
            known = path or self.default_path
            if known is None or f"/{known}".endswith(f"/{headed}") or headed.endswith(f"/{known}"):
                path, lines = known or headed, lines[2:]
        if match := _COMMENT_LABEL.match(lines[0]):
            named = match["path"].strip("`")
            if _looks_like_path(named) and (path is None or path.endswith(named) or named.endswith(path)):
                label, path = lines[0], path or named
        elif path is not None and lines[0].strip() == path:
            label = lines[0]
        if path is None and language not in _SHELL:
            path = self.default_path
        if path is None or (
            language in _SHELL and not path.endswith((".sh", ".bash", ".zsh", ".fish", ".ps1"))
        ):
            return
        self._path = path
        self._add(FileEdit(path, "modify", "whole_file", (Whole(_text(lines), label, asked=self.rewrites),)))

    # ------------------------------------------------------------ tags

    def _open_tag(self, match: re.Match[str]) -> None:
        attributes = match["attributes"] or ""
        if named := _ATTRIBUTE_PATH.search(attributes):
            self._path = named["path"]
        self._tag = (match["tag"], [])
        rest = match["rest"]
        if rest.strip():
            self._in_tag(rest)

    def _in_tag(self, line: str) -> None:
        assert self._tag is not None
        tag, lines = self._tag
        closing = f"</{tag}>"
        if tag == "file" and not lines and _PATH_TAG.search(line):
            self._tag = None  # <file> as a mere wrapper
            self._in_prose(line)
            return
        at = line.find(closing)
        if at < 0 or (line.strip() != closing and line[at + len(closing) :].strip()):
            lines.append(line)
            return
        if line[:at].strip():
            lines.append(line[:at])
        self._tag = None
        self._end_tag(tag, lines)

    def _end_tag(self, tag: str, lines: list[str]) -> None:
        path = self._path or self._named() or self.default_path
        if tag == "tool_call":
            value = _load_json(_text(lines))
            if value is None:
                self._problems.append("A tool call is not valid JSON.")
            else:
                for edit in _json_edits(value, path):
                    self._add(edit)
            return
        if lines and not lines[0].strip():
            lines = lines[1:]
        text = _text(lines)
        if tag.startswith(("search", "old")):
            self._quoted = text
        elif tag.startswith(("replace", "new_s", "new_t")):
            quoted, self._quoted = self._quoted, None
            if quoted is None or path is None:
                self._problems.append(f"<{tag}> names no file, or nothing to replace.")
            else:
                self._add(FileEdit(path, "modify", "tags", (Replace(quoted, text, inline=True),)))
        elif path is None:
            self._problems.append(f"<{tag}> names no file.")
        else:
            self._add(FileEdit(path, "modify", "tags", (Whole(text, explicit=True),)))

    # ------------------------------------------------------------ the rest

    def _bare(self) -> None:
        """An answer without any fence or marker: JSON, or a diff without headers."""
        text = "\n".join(self._prose)
        first = text.lstrip()[:1]
        if first in ("{", "["):
            value = _load_json(text)
            if value is None:
                self._problems.append("The answer is not valid JSON.")
                return
            for edit in _json_edits(value, self.default_path):
                self._add(edit)
        elif self.default_path and _is_diff(self._prose):
            start = next(i for i, line in enumerate(self._prose) if line.startswith("@@"))
            self._read_diff(self._prose[start:], None)

    def _add(self, edit: FileEdit) -> None:
        self._edits.append(edit)
        self._path = edit.path
        self._recent = []


_DIFF_WORDS = (
    "diff --git ", "index ", "new file mode", "deleted file mode", "old mode", "new mode", "similarity index",
    "rename from", "rename to", "Binary files",
)  # fmt: skip


def _text(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _merged(edits: list[FileEdit]) -> Iterator[FileEdit]:
    """Consecutive edits of one file as one."""
    held: FileEdit | None = None
    for edit in edits:
        if (
            held is not None
            and (held.path, held.format, held.kind, held.new_path)
            == (edit.path, edit.format, edit.kind, None)
            and edit.kind == "modify"
        ):
            held = replace(held, changes=held.changes + edit.changes)
            continue
        if held is not None:
            yield held
        held = edit
    if held is not None:
        yield held


# ---------------------------------------------------------------- search/replace details


def _search_lines(lines: list[str]) -> tuple[list[str], int | None]:
    """The quoted lines without Roo's ``:start_line:`` preamble and line numbers, and the hint they gave."""
    hint: int | None = None
    while lines and (match := _ROO_LINE.match(lines[0])):
        if hint is None:
            hint = int(match["number"]) - 1
        lines = lines[1:]
    if hint is not None and lines and re.fullmatch(r"-{3,20}", lines[0].strip()):
        lines = lines[1:]
    if _numbered(lines):
        match = _NUMBERED.match(lines[0])
        assert match is not None
        hint = int(match["number"]) - 1
        lines = _unnumbered(lines)
    return [_ESCAPED.sub("", line) for line in lines], hint


def _numbered(lines: list[str]) -> bool:
    """Whether every line carries its number, counting up."""
    numbers = [match["number"] for line in lines if (match := _NUMBERED.match(line))]
    return (
        bool(lines) and len(numbers) == len(lines) and all(int(b) == int(a) + 1 for a, b in pairwise(numbers))
    )


def _unnumbered(lines: list[str]) -> list[str]:
    return [_NUMBERED.sub("", line) for line in lines]


# ---------------------------------------------------------------- diffs


def _is_diff(lines: list[str]) -> bool:
    hunk = any(line.startswith("@@") for line in lines)
    signs = any(line.startswith(("+", "-")) for line in lines)
    header = any(a.startswith("--- ") and b.startswith("+++ ") for a, b in pairwise(lines))
    return signs and (hunk or header)


def _body(lines: list[str]) -> tuple[list[str], list[str]] | None:
    """Old and new lines of one hunk; None where it changes nothing.

    Some models leave out the space before lines that stay. Where any line has no sign at all, none of the
    unchanged lines is taken to have one.
    """
    while lines and not lines[0]:
        lines = lines[1:]
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    bare = any(line and line[0] not in " +-\\" for line in lines)
    old: list[str] = []
    new: list[str] = []
    changes = False
    for line in lines:
        if line.startswith("-"):
            old.append(line[1:])
            changes = True
        elif line.startswith("+"):
            new.append(line[1:])
            changes = True
        elif line.startswith("\\ No newline") or line.startswith("\\No newline"):
            continue
        else:
            same = line if bare else line[1:]
            old.append(same)
            new.append(same)
    return (old, new) if changes else None


def _hunks(
    lines: list[str], heading_known: bool
) -> Iterator[tuple[int | None, tuple[str, ...], list[str], bool]]:
    """The pieces between ``@@`` lines: line hint, headings, body, whether it is at the end of the file."""
    line: int | None = None
    headings: list[str] = []
    body: list[str] = []
    at_end = False
    for text in [*lines, "@@"]:
        if text.startswith("@@") or (heading_known and text.startswith(" @@")):
            if any(t.strip() for t in body):
                yield line, tuple(headings), body, at_end
                headings = []
                line = None
            body, at_end = [], False
            match = _HUNK.match(text)
            if match and match["line"]:
                line = max(0, int(match["line"]) - 1)
            heading = _HEADING.match(text)
            if heading and heading["heading"]:
                headings.append(heading["heading"])
        elif _PATCH_EOF.match(text):
            at_end = True
        else:
            body.append(text)


def _replacements(lines: list[str], heading_known: bool) -> list[Change]:
    changes: list[Change] = []
    for line, headings, body, at_end in _hunks(lines, heading_known):
        sides = _body(body)
        if sides is not None:
            old, new = sides
            changes.append(Replace(_text(old), _text(new), line, headings, ordered=True, at_end=at_end))
    return changes


def _read_unified(lines: list[str], default: str | None) -> tuple[list[FileEdit], list[str]]:
    edits: list[FileEdit] = []
    problems: list[str] = []
    sections: list[list[str]] = [[]]
    i = 0
    while i < len(lines):
        line = lines[i]
        header = line.startswith("--- ") and i + 1 < len(lines) and lines[i + 1].startswith("+++ ")
        if line.startswith("diff --git ") or (
            header and any(t.startswith(("--- ", "@@", "+", "-")) for t in sections[-1])
        ):
            sections.append([])
        if header:
            sections[-1] += [line, lines[i + 1]]
            i += 2
            continue
        sections[-1].append(line)
        i += 1
    for section in sections:
        old = new = rename_from = rename_to = None
        deleted = created = False
        body: list[str] = []
        in_body = False
        for k, line in enumerate(section):
            if not in_body:
                after = section[k + 1] if k + 1 < len(section) else ""
                before = section[k - 1] if k else ""
                if line.startswith("--- ") and after.startswith("+++ "):
                    old = _diff_path(line[4:])
                    continue
                if line.startswith("+++ ") and before.startswith("--- "):
                    new = _diff_path(line[4:])
                    in_body = True
                    continue
                if line.startswith("rename from "):
                    rename_from = line[12:].strip()
                elif line.startswith("rename to "):
                    rename_to = line[10:].strip()
                elif line.startswith("deleted file mode"):
                    deleted = True
                elif line.startswith("new file mode"):
                    created = True
                elif line.startswith("diff --git "):
                    halves = line[11:].split(" b/", 1)
                    if len(halves) == 2 and halves[0].startswith("a/"):
                        old, new = halves[0], "b/" + halves[1]
                elif line.startswith(("Binary files ", "GIT binary patch")):
                    problems.append("A binary patch cannot be applied.")
                elif line.startswith(("@@", "+", "-", " ")):
                    in_body = True
            if in_body:
                body.append(line)
        if not any(line.strip() for line in section):
            continue
        old, new = _unprefixed(old, new)
        path = new if new and new != "/dev/null" else old
        path = path if path and path != "/dev/null" else default
        if rename_from and rename_to:
            edits.append(
                FileEdit(rename_from, "rename", "unified_diff", tuple(_replacements(body, False)), rename_to)
            )
            continue
        if path is None:
            if any(line.startswith(("+", "-")) for line in body):
                problems.append("A diff names no file.")
            continue
        if deleted or (new == "/dev/null" and old):
            edits.append(FileEdit(path if new != "/dev/null" else str(old), "delete", "unified_diff"))
            continue
        changes = _replacements(body, False)
        if not changes:
            continue
        kind: Kind = "create" if (created or old == "/dev/null") and _pure_additions(changes) else "modify"
        edits.append(FileEdit(path, kind, "unified_diff", tuple(changes)))
    return edits, problems


def _pure_additions(changes: list[Change]) -> bool:
    return all(isinstance(change, Replace) and not change.search for change in changes)


def _diff_path(text: str) -> str:
    return text.split("\t", 1)[0].strip().strip('"`')


def _unprefixed(old: str | None, new: str | None) -> tuple[str | None, str | None]:
    a, b = old or "/dev/null", new or "/dev/null"
    if (a.startswith("a/") or a == "/dev/null") and (b.startswith("b/") or b == "/dev/null"):
        return (
            old.removeprefix("a/") if old is not None else None,
            new.removeprefix("b/") if new is not None else None,
        )
    return old, new


def _read_patch(lines: list[str]) -> tuple[list[FileEdit], list[str]]:
    """OpenAI's patch form (the "V4A" of its cookbook, ``apply_patch``)."""
    edits: list[FileEdit] = []
    problems: list[str] = []
    section: list[str] = []
    verb = path = ""
    move: str | None = None

    def close() -> None:
        nonlocal move
        if not verb:
            return
        if verb in ("Add", "Create"):
            text = [line[1:] if line.startswith("+") else line for line in section]
            if not all(line.startswith("+") or not line for line in section):
                problems.append(f"{path}: a new file's lines must begin with +.")
            while text and not text[-1] and not section[len(text) - 1]:
                text.pop()
            edits.append(FileEdit(path, "create", "apply_patch", (Whole(_text(text), explicit=True),)))
        elif verb == "Delete":
            edits.append(FileEdit(path, "delete", "apply_patch"))
        else:
            changes = tuple(_replacements(section, True))
            if not changes and move is None:
                problems.append(f"{path}: the patch says nothing about it.")
            edits.append(FileEdit(path, "modify" if move is None else "rename", "apply_patch", changes, move))
        move = None

    for line in lines:
        if match := _PATCH_FILE.match(line):
            close()
            verb, path, section = match["verb"], match["path"], []
        elif match := _PATCH_MOVE.match(line):
            move = match["path"]
        elif _BEGIN_PATCH.match(line) or _END_PATCH.match(line):
            continue
        elif line.lstrip().startswith("*** ") and not _PATCH_EOF.match(line) and line[:1] not in "+-":
            problems.append(f"The patch has a line that is not understood: {line.strip()[:80]}")
        elif verb:
            section.append(line)
    close()
    if not verb and not problems:
        problems.append("The patch is empty.")
    return edits, problems


# ---------------------------------------------------------------- JSON

_PATHS = (
    "path", "file_path", "filepath", "filePath", "file", "filename", "fileName", "file_name", "target_file",
    "targetFile", "target_path", "relative_path",
)  # fmt: skip
_OLD = (
    "search", "old_string", "old_str", "oldString", "oldText", "old_text", "old", "original", "find",
    "old_content", "old_code", "original_code", "target",
)  # fmt: skip
_NEW = (
    "replace", "new_string", "new_str", "newString", "newText", "new_text", "new", "replacement", "updated",
    "new_code", "updated_code", "replace_with",
)  # fmt: skip
_CONTENT = ("content", "contents", "file_text", "fileText", "new_content", "full_content", "text", "code")
_LISTS = ("edits", "changes", "files", "operations", "replacements", "diffs", "patches", "actions", "hunks")
_FIRST = ("start_line", "startLine", "line_start", "from_line", "first_line", "start")
_LAST = ("end_line", "endLine", "line_end", "to_line", "last_line", "end")
_VERBS = ("action", "command", "operation", "op", "type", "kind", "mode")
_NEW_PATHS = ("new_path", "newPath", "to", "rename_to", "move_to", "destination", "new_name")
_ARGUMENTS = ("arguments", "parameters", "input", "args", "params", "tool_input")
_PATCHES = ("patch", "diff", "input", "patch_text")
_READING = ("read", "list", "search", "grep", "view", "glob", "run", "exec", "find", "ask", "open", "think")


_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+")|,(?=\s*+[}\]])', re.S)


def _load_json(text: str) -> Any:
    """The JSON value `text` is, tolerating raw line breaks in strings, trailing commas, several objects one
    after the other (as a list) and text after them. None where it is not JSON, or not complete."""
    values: list[Any] = []
    for candidate in (text, _TRAILING_COMMA.sub(lambda match: match[1] or "", text)):
        values = []
        end = 0
        try:
            while (start := end + len(candidate[end:]) - len(candidate[end:].lstrip())) < len(candidate):
                if candidate[start] not in "{[":
                    break
                value, end = json.JSONDecoder(strict=False).raw_decode(candidate, start)
                values.append(value)
                if len(values) > 1000:
                    return None
        except (ValueError, RecursionError):
            continue
        break
    else:
        return None
    return values[0] if len(values) == 1 else values or None


def _first(value: dict[str, Any], keys: Iterable[str]) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None)


def _string(value: dict[str, Any], keys: Iterable[str]) -> str | None:
    found = next((value[key] for key in keys if isinstance(value.get(key), str | list)), None)
    if isinstance(found, list):
        return "\n".join(found) + "\n" if all(isinstance(line, str) for line in found) else None
    return found


def _number(value: dict[str, Any], keys: Iterable[str]) -> int | None:
    found = _first(value, keys)
    if isinstance(found, str) and found.isdecimal() and len(found) < 10:
        found = int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 10**9 else None


def _json_edits(value: Any, path: str | None, depth: int = 0) -> Iterator[FileEdit]:
    """The edits in a JSON value of any of the common shapes, tool calls included."""
    if depth > 6:
        return
    if isinstance(value, list):
        for item in value:
            yield from _json_edits(item, path, depth + 1)
        return
    if not isinstance(value, dict):
        return
    function = value.get("function")
    if isinstance(function, dict):
        yield from _json_edits(function, path, depth + 1)
        return
    for key in ("tool_calls", "tools", "calls"):
        if isinstance(value.get(key), list):
            yield from _json_edits(value[key], path, depth + 1)
            return
    name = _string(value, ("name", "tool", "tool_name", "recipient_name"))
    arguments = _first(value, _ARGUMENTS)
    if isinstance(arguments, str) and name is not None and arguments.lstrip()[:1] in ("{", "["):
        arguments = _load_json(arguments)
    if name is not None and isinstance(arguments, dict | list):
        if not name.rsplit(".", 1)[-1].lower().startswith(_READING):
            yield from _json_edits(arguments, path, depth + 1)
        return
    own = next((value[key] for key in _PATHS if isinstance(value.get(key), str)), None)
    path = own or path
    lists = [value[key] for key in _LISTS if isinstance(value.get(key), list)]
    if lists and all(isinstance(item, dict) for item in lists[0]):
        yield from _json_edits(lists[0], path, depth + 1)
        return
    for key in _PATCHES:
        text = value.get(key)
        if isinstance(text, str) and ("*** Begin Patch" in text or "@@" in text or "<<<<<<< " in text):
            yield from parse(text, path).edits
            return
    if path is None:
        return
    yield from _json_edit(value, path)


def _json_edit(value: dict[str, Any], path: str) -> Iterator[FileEdit]:
    verb = (_string(value, _VERBS) or "").lower()
    if verb.startswith(("view", "read", "undo")):
        return
    new_path = _string(value, _NEW_PATHS)
    old, new = _string(value, _OLD), _string(value, _NEW)
    content = _string(value, _CONTENT)
    first, last = _number(value, _FIRST), _number(value, _LAST)
    insert = _number(value, ("insert_line", "insertLine", "after_line"))
    if verb.startswith(("delete", "remove")) and old is None and first is None:
        yield FileEdit(path, "delete", "json")
    elif verb.startswith(("rename", "move")) and new_path:
        yield FileEdit(path, "rename", "json", (), new_path)
    elif old is not None and new is not None:
        if not old and first is None:
            yield FileEdit(path, "modify", "json", (Replace("", new),))
            return
        hint = first - 1 if first else None
        everywhere = value.get("replace_all") is True or value.get("replaceAll") is True
        change = Replace(old, new, hint, inline=True, everywhere=everywhere)
        yield FileEdit(path, "modify", "json", (change,))
    elif insert is not None and (text := new if new is not None else content) is not None:
        yield FileEdit(path, "modify", "json", (Lines(insert, insert, _ended(text)),))
    elif first is not None and last is not None and (text := new if new is not None else content) is not None:
        if 0 < first <= last:
            yield FileEdit(path, "modify", "json", (Lines(first - 1, last, _ended(text)),))
    elif content is not None and old is None and first is None:
        yield FileEdit(path, "modify", "json", (Whole(content, explicit=True),))


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
