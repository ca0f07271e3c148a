"""Function-removal tasks: a function that tests cover loses its body, to be asked for again. Nothing here
runs anything; that a test notices the loss is for the caller to find out."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lido.plan import explore
from lido.workspace import search, syntax

if TYPE_CHECKING:
    from tree_sitter import Node

LEAST, MOST = 2, 40
"""Lines of code a body must have: less says nothing of a model, more no small one can write."""

_INSTEAD = {
    "python": "raise NotImplementedError",
    "javascript": 'throw new Error("not implemented");',
    "typescript": 'throw new Error("not implemented");',
    "typescriptreact": 'throw new Error("not implemented");',
    "go": 'panic("not implemented")',
    "rust": "todo!()",
    "java": "throw new UnsupportedOperationException();",
}
_KINDS = {
    "function_definition", "function_declaration", "method_definition", "method_declaration", "function_item",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Removal:
    """One task. `whole` is the file as it is, `hidden` without the function's body; `path` is relative."""

    path: str
    name: str
    signature: str
    whole: str
    hidden: str

    @property
    def id(self) -> str:
        return f"{self.path}::{self.name}"

    def instruction(self) -> str:
        """What is asked for. The docstring, where there is one, stands in the file still."""
        return (
            f"Write the body of the function {self.name} in {self.path}, so that the tests pass. "
            f"Its signature is: {self.signature}"
        )


def removals(root: Path, blocked: Callable[[Path], str | None]) -> list[Removal]:
    """Every function of the code below `root` that could be a task, in order of path and line: not in tests,
    its name once in its file, its body neither trivial nor long. Blocking."""
    found: list[Removal] = []
    for name in sorted(search.files(root, blocked)):
        language = syntax.language_of(name)
        if language in _INSTEAD and not explore.is_test(name):
            text = search.read_text(root / name)
            if text is not None:
                found += _of(name, language, text)
    return found


def _of(path: str, language: str, text: str) -> list[Removal]:
    source = text.encode()
    tree = syntax.parse(language, source)
    if tree is None or tree.root_node.has_error:
        return []
    functions = list(_functions(tree.root_node))
    names = Counter(_text(node.child_by_field_name("name")) for node in functions)
    found = []
    for node in functions:
        name, body = _text(node.child_by_field_name("name")), node.child_by_field_name("body")
        if body is None or names[name] > 1 or not re.fullmatch(r"\w+", name):
            continue
        start, end, indent = _code(body)
        lines = [line for line in source[start:end].decode().splitlines() if line.strip(" \t{}();")]
        if not LEAST <= len(lines) <= MOST:
            continue
        instead = _INSTEAD[language]
        if body.type != "block" or source[start : start + 1] == b"{":  # braces
            outer = " " * node.start_point[1]
            instead = f"{{\n{outer}    {instead}\n{outer}}}"
        hidden = (source[:start] + (indent + instead).encode() + source[end:]).decode()
        signature = " ".join(source[node.start_byte : body.start_byte].decode().split()).rstrip("{ ")
        found.append(Removal(path, name, signature[:400], text, hidden))
    return found


def _functions(node: Node) -> Iterator[Node]:
    for child in node.named_children:
        if child.type in _KINDS and child.child_by_field_name("name"):
            yield child
        else:  # what lies inside a function goes with it
            yield from _functions(child)


def _code(body: Node) -> tuple[int, int, str]:
    """The bytes of a body that go, and what to put before their replacement: a docstring stays."""
    first = body.named_children[0] if body.named_children else None
    string = first.named_children[0] if first and first.type == "expression_statement" else first
    if first and string and string.type == "string" and body.type == "block":
        return first.end_byte, body.end_byte, "\n" + " " * first.start_point[1]
    return body.start_byte, body.end_byte, ""


def _text(node: Node | None) -> str:
    return node.text.decode("utf-8", "replace") if node and node.text else ""


def callers(root: Path, task: Removal, blocked: Callable[[Path], str | None], limit: int = 8) -> str:
    """Lines that use the function, with their places, code before tests; "" where none does. Blocking."""
    names = sorted(search.files(root, blocked), key=explore.is_test)
    pattern = re.compile(rf"\b{re.escape(task.name)}\s*\(")
    defines = re.compile(rf"(?:def|func|fn|function)\s+(?:\([^)]*\)\s*)?{re.escape(task.name)}\b")
    used = [m for m in search.grep(root, names, pattern, 40) if not defines.search(m.text)]
    return "\n".join(f"{m.path}:{m.line + 1}: {m.text.strip()[:160]}" for m in used[:limit])


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """The chance that at least one of `k` samples passes, estimated without bias from `passed` of `samples`
    (Chen et al. 2021, https://arxiv.org/abs/2107.03374). `k` is at most `samples`."""
    if not 0 <= passed <= samples or not 1 <= k <= samples:
        raise ValueError(f"no pass@{k} of {passed} in {samples}")
    return 1.0 - math.comb(samples - passed, k) / math.comb(samples, k)


def mean_pass_at_k(counts: Iterable[tuple[int, int]], k: int) -> float | None:
    """The mean over tasks, each (samples, passed); None where no task has `k` samples."""
    found = [pass_at_k(n, c, k) for n, c in counts if n >= k]
    return sum(found) / len(found) if found else None
