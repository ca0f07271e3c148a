"""The open documents, as immutable snapshots.

A document is a tuple of chunks of lines. A change rebuilds the chunks it touches and shares the others, so a
keystroke costs the same in a file of 200 lines and of 20,000. Offsets count code points from 0. Columns
in an LSP position count units of the negotiated encoding within their line; they are converted here and
nowhere else.

Lines end with ``\\n``, ``\\r\\n`` or ``\\r``, and nothing else (LSP 3.18, "Text Documents").
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

CHUNK = 256
"""Lines of a chunk when it is made; one may grow to twice that."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")

Span = tuple[int, int, int, int]
"""Start line, start character, end line, end character of an LSP range."""


class Edit(NamedTuple):
    """Code-point offsets [start, end) replaced by `text`."""

    start: int
    end: int
    text: str


class _Chunk(NamedTuple):
    lines: tuple[str, ...]
    length: int


def split_lines(text: str) -> list[str]:
    """Lines with their endings; at least one, and the last one without an ending."""
    lines = _LINE.findall(text)
    if not lines or lines[-1][-1] in "\r\n":
        lines.append("")
    return lines


def _chunks(lines: Sequence[str]) -> list[_Chunk]:
    if len(lines) <= 2 * CHUNK:
        pieces = [tuple(lines)]
    else:
        pieces = [tuple(lines[at : at + CHUNK]) for at in range(0, len(lines), CHUNK)]
    return [_Chunk(piece, sum(map(len, piece))) for piece in pieces]


def _content(line: str) -> str:
    return line.rstrip("\r\n")


def units(text: str, encoding: str) -> int:
    """Length of `text` in code units of a position encoding ("utf-8", "utf-16", "utf-32")."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-16":
        return len(text) + sum(character > "\uffff" for character in text)
    return len(text.encode("utf-8", errors="surrogatepass"))


def column(text: str, character: int, encoding: str) -> int:
    """Code points of `text` in its first `character` code units; inside a code point, its beginning."""
    if encoding == "utf-32" or text.isascii():
        return min(character, len(text))
    wide = encoding == "utf-16"
    for at, code_point in enumerate(text):
        if wide:
            character -= 1 if code_point <= "\uffff" else 2
        else:
            character -= len(code_point.encode("utf-8", errors="surrogatepass"))
        if character < 0:
            return at
    return len(text)


class Document:
    """One version of a document. Never changes; `path` is None for what is no file."""

    __slots__ = ("__dict__", "_chunks", "language", "path", "uri", "version")

    def __init__(
        self, uri: str, language: str, version: int, chunks: tuple[_Chunk, ...], path: Path | None = None
    ) -> None:
        self.uri = uri
        self.language = language
        self.version = version
        self.path = path
        self._chunks = chunks

    @classmethod
    def of(
        cls, text: str, uri: str = "untitled:", language: str = "", version: int = 0, path: Path | None = None
    ) -> Document:
        return cls(uri, language, version, tuple(_chunks(split_lines(text))), path)

    def __repr__(self) -> str:
        return f"Document({self.uri!r}, version {self.version}, {self.line_count} lines)"

    # ------------------------------------------------------------------ reading

    @cached_property
    def text(self) -> str:
        """The whole text; put together once per version that asks for it."""
        return "".join("".join(chunk.lines) for chunk in self._chunks)

    @cached_property
    def _lines_before(self) -> list[int]:
        return list(accumulate((len(chunk.lines) for chunk in self._chunks), initial=0))

    @cached_property
    def _offsets_before(self) -> list[int]:
        return list(accumulate((chunk.length for chunk in self._chunks), initial=0))

    @property
    def length(self) -> int:
        """In code points."""
        return self._offsets_before[-1]

    @property
    def line_count(self) -> int:
        """At least 1: after a last line break comes an empty line."""
        return self._lines_before[-1]

    def _chunk_of_line(self, line: int) -> int:
        return bisect_right(self._lines_before, line, hi=len(self._chunks)) - 1

    def line_text(self, line: int) -> str:
        """A line with its ending. Raises IndexError outside [0, line_count)."""
        if not 0 <= line < self.line_count:
            raise IndexError(line)
        at = self._chunk_of_line(line)
        return self._chunks[at].lines[line - self._lines_before[at]]

    def line_start(self, line: int) -> int:
        """Offset of a line's beginning; `line_count` gives the end. Raises IndexError beyond."""
        if line == self.line_count:
            return self.length
        if not 0 <= line < self.line_count:
            raise IndexError(line)
        at = self._chunk_of_line(line)
        lines = self._chunks[at].lines[: line - self._lines_before[at]]
        return self._offsets_before[at] + sum(map(len, lines))

    def line_at(self, offset: int) -> int:
        """The line that holds `offset`; the last one for the end. Raises IndexError outside [0, length]."""
        return self._locate(offset)[0]

    def _rest(self, chunk: int) -> Iterator[str]:
        """Lines from a chunk on."""
        for at in range(chunk, len(self._chunks)):
            yield from self._chunks[at].lines

    def _rest_backwards(self, chunk: int) -> Iterator[str]:
        """Lines before the last `chunk` chunks, last first."""
        for at in range(len(self._chunks) - chunk - 1, -1, -1):
            yield from reversed(self._chunks[at].lines)

    def _locate(self, offset: int) -> tuple[int, int, str]:
        """Line, column in code points, and the line's text, of an offset."""
        if not 0 <= offset <= self.length:
            raise IndexError(offset)
        at = bisect_right(self._offsets_before, offset, hi=len(self._chunks)) - 1
        rest = offset - self._offsets_before[at]
        lines = self._chunks[at].lines
        for number, line in enumerate(lines):
            if rest < len(line):
                return self._lines_before[at] + number, rest, line
            rest -= len(line)
        # At the very end, which is on the last line.
        return self.line_count - 1, len(lines[-1]), lines[-1]

    def slice(self, start: int, end: int) -> str:
        """Text of [start, end), clamped to the document as Python slices are."""
        start, end = max(start, 0), min(end, self.length)
        if start >= end:
            return ""
        offsets = self._offsets_before
        first = bisect_right(offsets, start, hi=len(self._chunks)) - 1
        pieces: list[str] = []
        at = first
        while at < len(self._chunks) and offsets[at] < end:
            pieces.extend(self._chunks[at].lines)
            at += 1
        return "".join(pieces)[start - offsets[first] : end - offsets[first]]

    # ------------------------------------------------------------------ positions

    def offset_at(self, line: int, character: int, encoding: str) -> int:
        """Offset of an LSP position. Beyond a line's end means its end (before the line break), beyond the
        last line means the end, inside a surrogate pair or UTF-8 sequence its beginning."""
        if line < 0:
            return 0
        if line >= self.line_count:
            return self.length
        return self.line_start(line) + column(_content(self.line_text(line)), max(character, 0), encoding)

    def position_at(self, offset: int, encoding: str) -> tuple[int, int]:
        """LSP position (line, character) of an offset, clamped to [0, length]."""
        line, at, text = self._locate(min(max(offset, 0), self.length))
        # Between \r and \n there is no position: it is the line's end.
        return line, units(text[: min(at, len(_content(text)))], encoding)

    def common(self, other: Document) -> tuple[int, int]:
        """Lengths of the longest common beginning and of the longest common end of two texts; they may
        overlap. Cheap for versions of one document: what they share is skipped."""
        if self._chunks == other._chunks:
            return self.length, self.length
        return _common_start(self, other), _common_end(self, other)

    # ------------------------------------------------------------------ changing

    def replaced(self, edit: Edit, version: int) -> Document:
        """A new version with `edit` applied. Raises IndexError for offsets outside the text."""
        if edit.start > edit.end:
            raise IndexError(edit.start)
        first, start_column, first_text = self._locate(edit.start)
        last, end_column, last_text = self._locate(edit.end)
        head = first_text[:start_column]
        if not head and first and (edit.text + last_text[end_column:])[:1] == "\n":
            before = self.line_text(first - 1)
            if before.endswith("\r"):  # \r and \n meet: one line ending
                first, head = first - 1, before
        lines = split_lines(head + edit.text + last_text[end_column:])
        if not lines[-1] and last + 1 < self.line_count:
            lines.pop()  # the next line follows
        at, to = self._chunk_of_line(first), self._chunk_of_line(last)
        lines = [
            *self._chunks[at].lines[: first - self._lines_before[at]],
            *lines,
            *self._chunks[to].lines[last + 1 - self._lines_before[to] :],
        ]
        if len(lines) < CHUNK // 2 and to + 1 < len(self._chunks):
            to += 1
            lines.extend(self._chunks[to].lines)
        middle = _chunks(lines) if lines else []
        chunks = (*self._chunks[:at], *middle, *self._chunks[to + 1 :])
        return Document(self.uri, self.language, version, chunks, self.path)


def _common_start(one: Document, two: Document) -> int:
    chunk = 0
    most = min(len(one._chunks), len(two._chunks))
    while chunk < most and one._chunks[chunk] is two._chunks[chunk]:
        chunk += 1
    at = one._offsets_before[chunk]
    for a, b in zip(one._rest(chunk), two._rest(chunk), strict=False):
        if a != b:
            return at + _same(a, b)
        at += len(a)
    return at


def _common_end(one: Document, two: Document) -> int:
    chunk = 0
    most = min(len(one._chunks), len(two._chunks))
    length = 0
    while chunk < most and one._chunks[-1 - chunk] is two._chunks[-1 - chunk]:
        length += one._chunks[-1 - chunk].length
        chunk += 1
    for a, b in zip(one._rest_backwards(chunk), two._rest_backwards(chunk), strict=False):
        if a != b:
            return length + _same(a[::-1], b[::-1])
        length += len(a)
    return length


def _same(one: str, two: str) -> int:
    """Length of the common beginning."""
    for at, (a, b) in enumerate(zip(one, two, strict=False)):
        if a != b:
            return at
    return min(len(one), len(two))


Listener = Callable[[Document, Document, Sequence[Edit]], None]
"""Called with the version before, the one after, and the edits between them, each in offsets of the text
that the edits before it left."""


class Documents:
    """The documents that the editor has open. Belongs to the event loop; snapshots may go to threads."""

    def __init__(self) -> None:
        self._open: dict[str, Document] = {}
        self._listeners: list[Listener] = []
        self._closed: list[Callable[[Document], None]] = []

    def listen(self, changed: Listener) -> None:
        """`changed` is called on every change, in the event loop; it must be quick."""
        self._listeners.append(changed)

    def on_close(self, closed: Callable[[Document], None]) -> None:
        self._closed.append(closed)

    def open(self, uri: str, language: str, version: int, text: str, path: Path | None = None) -> Document:
        document = self._open[uri] = Document.of(text, uri, language, version, path)
        return document

    def get(self, uri: str) -> Document | None:
        return self._open.get(uri)

    def at_path(self, path: Path) -> Document | None:
        return next((document for document in self._open.values() if document.path == path), None)

    def open_documents(self) -> list[Document]:
        """Oldest first."""
        return list(self._open.values())

    def close(self, uri: str) -> None:
        document = self._open.pop(uri, None)
        if document is not None:
            for closed in self._closed:
                closed(document)

    def change(
        self, uri: str, version: int, changes: Iterable[tuple[Span | None, str]], encoding: str
    ) -> Document:
        """Applies the changes of one ``textDocument/didChange``, in order; without a span the whole text is
        replaced. Raises KeyError for a document that is not open."""
        before = document = self._open[uri]
        edits: list[Edit] = []
        for span, text in changes:
            if span is None:
                edit = Edit(0, document.length, text)
                document = Document.of(text, uri, document.language, version, document.path)
            else:
                start = document.offset_at(span[0], span[1], encoding)
                edit = Edit(start, max(start, document.offset_at(span[2], span[3], encoding)), text)
                document = document.replaced(edit, version)
            edits.append(edit)
        if not edits:
            document = document.replaced(Edit(0, 0, ""), version)
        return self._changed(before, document, edits)

    def replace(self, uri: str, version: int, edits: Iterable[tuple[int, int, str]]) -> Document:
        """Applies edits by offsets, each of the text that the ones before it left. Raises KeyError."""
        before = document = self._open[uri]
        applied = [Edit(*edit) for edit in edits]
        for edit in applied:
            document = document.replaced(edit, version)
        return self._changed(before, document, applied)

    def _changed(self, before: Document, after: Document, edits: Sequence[Edit]) -> Document:
        self._open[after.uri] = after
        for changed in self._listeners:
            changed(before, after, edits)
        return after
