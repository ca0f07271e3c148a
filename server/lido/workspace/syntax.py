"""Syntax trees (tree-sitter): does a text parse, where does the cursor stand, what does a file define.

Everything here is blocking and thread-safe; call it in a thread. Grammars are loaded when first needed.
Offsets are code points, as everywhere; tree-sitter's own bytes stay inside this file.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal, cast

from lido.workspace.documents import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Language, Node, Query, Tree

# LSP language id → grammar, where they differ.
_GRAMMARS = {
    "javascriptreact": "javascript",
    "typescriptreact": "tsx",
    "shellscript": "bash",
    "sh": "bash",
    "c#": "csharp",
    "c++": "cpp",
    "objective-c": "objc",
    "jsonc": "json",
    "makefile": "make",
    "dockerfile": "dockerfile",
    "golang": "go",
}
_PARSED = frozenset(
    [
        "python",
        "javascript",
        "typescript",
        "tsx",
        "java",
        "kotlin",
        "go",
        "rust",
        "c",
        "cpp",
        "csharp",
        "ruby",
        "php",
        "swift",
        "scala",
        "lua",
        "bash",
        "json",
        "yaml",
        "toml",
        "html",
        "css",
        "scss",
        "sql",
        "dart",
        "elixir",
        "haskell",
        "perl",
        "r",
        "zig",
        "vue",
        "svelte",
        "objc",
        "make",
        "dockerfile",
        "julia",
        "ocaml",
        "erlang",
        "groovy",
        "powershell",
        "graphql",
        "proto",
        "hcl",
        "terraform",
        "nix",
    ]
)
_EXTENSIONS = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".jsx": "javascriptreact",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "typescriptreact",
    ".java": "java",
    ".kt": "kotlin",
    ".kts": "kotlin",
    ".go": "go",
    ".rs": "rust",
    ".c": "c",
    ".h": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cxx": "cpp",
    ".hpp": "cpp",
    ".hh": "cpp",
    ".cs": "csharp",
    ".rb": "ruby",
    ".php": "php",
    ".swift": "swift",
    ".scala": "scala",
    ".lua": "lua",
    ".sh": "shellscript",
    ".bash": "shellscript",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".html": "html",
    ".css": "css",
    ".scss": "scss",
    ".sql": "sql",
    ".dart": "dart",
    ".ex": "elixir",
    ".exs": "elixir",
    ".hs": "haskell",
    ".pl": "perl",
    ".r": "r",
    ".zig": "zig",
    ".vue": "vue",
    ".svelte": "svelte",
    ".m": "objective-c",
    ".md": "markdown",
    ".proto": "proto",
    ".tf": "terraform",
}


def language_of(path: PurePath | str) -> str:
    """LSP language id by the file's name; "" where it tells nothing."""
    path = PurePath(path)
    if path.name in ("Makefile", "GNUmakefile"):
        return "makefile"
    if path.name.startswith("Dockerfile"):
        return "dockerfile"
    return _EXTENSIONS.get(path.suffix.lower(), "")


@cache
def _language(language: str) -> Language | None:
    """The grammar for an LSP language id; None where there is none."""
    name = _GRAMMARS.get(language, language)
    if name not in _PARSED:
        return None
    try:
        from tree_sitter_language_pack import SupportedLanguage, get_language

        return get_language(cast("SupportedLanguage", name))
    except (LookupError, ImportError, OSError, AttributeError):
        return None


def supported(language: str) -> bool:
    """Whether texts in this language can be parsed. Loads the grammar."""
    return _language(language) is not None


def parse(language: str, source: bytes, old: Tree | None = None) -> Tree | None:
    """The tree of UTF-8 `source`; None for an unknown language. `old` must have been edited to fit."""
    grammar = _language(language)
    if grammar is None:
        return None
    from tree_sitter import Parser

    parser = Parser(grammar)
    return parser.parse(source, old) if old is not None else parser.parse(source)


def error_count(tree: Tree) -> int:
    """Error and missing nodes; only branches that hold one are walked. A branch that says so and shows none
    misses something of no width that has no node, such as a line's end: one."""
    if not tree.root_node.has_error:
        return 0
    count = 0
    pending = [tree.root_node]
    while pending:
        node = pending.pop()
        faulty = [child for child in node.children if child.has_error or child.is_missing]
        if node.is_error or node.is_missing or not faulty:
            count += 1
        pending.extend(faulty)
    return count


def errors(language: str, text: str) -> int:
    """How many syntax errors `text` has; 0 also where the language has no grammar here."""
    tree = parse(language, text.encode("utf-8", "surrogatepass"))
    return 0 if tree is None else error_count(tree)


def path_errors(path: str, text: str) -> int:
    """`errors`, with the language told by the file's name."""
    return errors(language_of(path), text)


# ---------------------------------------------------------------------- trees of open documents


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document version with its tree and its UTF-8 bytes."""

    document: Document
    source: bytes
    tree: Tree

    @property
    def ascii(self) -> bool:
        return len(self.source) == self.document.length

    def byte(self, offset: int) -> int:
        """The byte at which a code-point offset lies."""
        if self.ascii:
            return offset
        return len(self.document.slice(0, offset).encode("utf-8", "surrogatepass"))

    def offset(self, byte: int) -> int:
        if self.ascii:
            return byte
        return len(self.source[:byte].decode("utf-8", "surrogatepass"))


class Trees:
    """The newest tree of each document, parsed incrementally from the one before."""

    def __init__(self, limit: int = 16) -> None:
        self._limit = limit
        self._known: OrderedDict[str, Parsed] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, document: Document) -> Parsed | None:
        """None for a language without a grammar."""
        with self._lock:
            known = self._known.get(document.uri)
        if known is not None and known.document is document:
            return known
        if _language(document.language) is None:
            return None
        # Not `document.text`: that would keep the whole text with each snapshot.
        source = document.slice(0, document.length).encode("utf-8", "surrogatepass")
        old = None
        if known is not None and known.document.language == document.language:
            old = _edited(known, document, source)
        tree = parse(document.language, source, old)
        if tree is None:
            return None
        parsed = Parsed(document, source, tree)
        with self._lock:
            self._known[document.uri] = parsed
            self._known.move_to_end(document.uri)
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
        return parsed

    def forget(self, uri: str) -> None:
        with self._lock:
            self._known.pop(uri, None)


def _edited(known: Parsed, document: Document, source: bytes) -> Tree:
    """A copy of the old tree, told what changed."""
    head, tail = known.document.common(document)
    tail = min(tail, known.document.length - head, document.length - head)
    tree = known.tree.copy()
    start = known.byte(head)
    old_end = known.byte(known.document.length - tail)
    new_end = len(source) - (len(known.source) - old_end)
    tree.edit(
        start,
        old_end,
        new_end,
        _point(known.source, start),
        _point(known.source, old_end),
        _point(source, new_end),
    )
    return tree


def errors_after(parsed: Parsed, start: int, end: int, text: str) -> int:
    """Syntax errors of the document with [start, end) replaced by `text`; parsed incrementally."""
    begin, stop = parsed.byte(start), parsed.byte(end)
    new = text.encode("utf-8", "surrogatepass")
    source = parsed.source[:begin] + new + parsed.source[stop:]
    tree = parsed.tree.copy()
    tree.edit(
        begin,
        stop,
        begin + len(new),
        _point(parsed.source, begin),
        _point(parsed.source, stop),
        _point(source, begin + len(new)),
    )
    after = parse(parsed.document.language, source, tree)
    return 0 if after is None else error_count(after)


def _point(source: bytes, byte: int) -> tuple[int, int]:
    return source.count(b"\n", 0, byte), byte - source.rfind(b"\n", 0, byte) - 1


# ---------------------------------------------------------------------- the cursor

_STRING = ("string", "char_literal", "heredoc", "template_string")


def inside(parsed: Parsed, offset: int) -> Literal["comment", "string"] | None:
    """Whether the cursor stands in a comment or a string."""
    byte = parsed.byte(offset)
    begin = max(byte - 1, 0)
    node: Node | None = parsed.tree.root_node.descendant_for_byte_range(begin, byte)
    while node is not None:
        if "comment" in node.type and node.start_byte < byte <= node.end_byte:
            return "comment"
        if any(name in node.type for name in _STRING) and node.start_byte < byte < node.end_byte:
            return "string"
        if "interpolation" in node.type or "substitution" in node.type:
            return None
        node = node.parent
    return None


_SCOPES = (
    "function",
    "method",
    "class",
    "struct",
    "enum",
    "interface",
    "impl",
    "trait",
    "module",
    "namespace",
    "object_declaration",
    "constructor",
)


def scopes(parsed: Parsed, offset: int, before: int | None = None) -> list[str]:
    """First lines of the definitions around the cursor, outermost first; only those that begin before the
    offset `before`, where it is given."""
    limit = len(parsed.source) if before is None else parsed.byte(before)
    byte = parsed.byte(offset)
    node = parsed.tree.root_node.descendant_for_byte_range(max(byte - 1, 0), byte)
    found: list[str] = []
    while node is not None and node.parent is not None:
        named = node.child_by_field_name("name") is not None and any(word in node.type for word in _SCOPES)
        if named and node.start_byte < limit:
            first = parsed.source[node.start_byte : node.end_byte].split(b"\n", 1)[0]
            indent = parsed.source[node.start_byte - node.start_point[1] : node.start_byte]
            found.append(
                (indent if indent.isspace() else b"").decode() + first.decode("utf-8", "replace").rstrip()
            )
        node = node.parent
    return found[::-1]


_IMPORTS = ("import", "use_declaration", "using_directive", "preproc_include", "require", "package_clause")


def imports(parsed: Parsed, limit: int = 4000) -> str:
    """The file's import lines, at most `limit` bytes of them."""
    lines: list[str] = []
    size = 0
    for node in parsed.tree.root_node.children[:400]:
        if any(word in node.type for word in _IMPORTS):
            line = parsed.source[node.start_byte : node.end_byte].decode("utf-8", "replace").rstrip()
            size += len(line) + 1
            if size > limit:
                break
            lines.append(line)
    return "\n".join(lines)


# ---------------------------------------------------------------------- definitions


@dataclass(frozen=True, slots=True)
class Definition:
    """Something a file defines: its name, what it is, its lines (from 0, the last included), and its
    signature."""

    name: str
    kind: str
    first: int
    last: int
    signature: str


@cache
def _tags(language: str) -> Query | None:
    name = _GRAMMARS.get(language, language)
    path = Path(__file__).with_name("queries") / f"{name}.scm"
    grammar = _language(language)
    if grammar is None or not path.is_file():
        return None
    from tree_sitter import Query

    return Query(grammar, path.read_text(encoding="utf-8"))


def definitions(language: str, source: bytes, tree: Tree | None = None) -> list[Definition]:
    """What a file defines, in order; empty without a grammar or a tags query for the language."""
    return list(_definitions(language, source, tree))


def _definitions(language: str, source: bytes, tree: Tree | None) -> Iterator[Definition]:
    query = _tags(language)
    tree = tree or (parse(language, source) if query else None)
    if query is None or tree is None:
        return
    from tree_sitter import QueryCursor

    found: dict[tuple[int, int], Definition] = {}
    for _, captures in QueryCursor(query).matches(tree.root_node):
        names = captures.get("name")
        for capture, nodes in captures.items():
            if not capture.startswith("definition.") or not names:
                continue
            node = nodes[0]
            text = source[node.start_byte : node.end_byte]
            body = node.child_by_field_name("body")
            head = source[node.start_byte : body.start_byte] if body is not None else text.split(b"\n", 1)[0]
            signature = head.decode("utf-8", "replace").strip()[:400]
            name = source[names[0].start_byte : names[0].end_byte].decode("utf-8", "replace")
            found.setdefault(
                (names[0].start_byte, names[0].end_byte),
                Definition(
                    name,
                    capture.removeprefix("definition."),
                    node.start_point[0],
                    node.end_point[0],
                    signature,
                ),
            )
    yield from (found[key] for key in sorted(found))
