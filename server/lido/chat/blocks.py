"""Fenced code blocks in a Markdown answer, and which file each is for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_OPEN = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n]*)$")
_PATH = re.compile(r"^[\w@./+-]{1,200}\.[A-Za-z0-9]{1,10}$")
_COMMENT = re.compile(
    r"^\s*(?://|#|--|;|/\*|<!--)\s*(?:file(?:name)?:\s*)?(?P<path>\S+?)\s*(?:\*/|-->)?$", re.I
)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """`path` is as the model wrote it or as guessed from the attachments: not yet checked; None where
    nothing names a file."""

    language: str
    text: str
    path: str | None = None


def code_blocks(answer: str, attached: Sequence[tuple[str, str]] = ()) -> list[CodeBlock]:
    """The fenced blocks of `answer` in order; one that is still open at the end counts.

    `attached` are (path, language) of the files the question was about: a block that names no file is for
    the only one of them in its language.
    """
    blocks: list[CodeBlock] = []
    lines = answer.splitlines()
    i = 0
    while i < len(lines):
        opened = _OPEN.match(lines[i])
        i += 1
        if not opened or (opened["fence"][0] == "`" and "`" in opened["info"]):
            continue
        fence = opened["fence"]
        body: list[str] = []
        while i < len(lines):
            closing = lines[i].strip()
            if len(closing) >= len(fence) and not closing.strip(fence[0]):
                break
            body.append(lines[i])
            i += 1
        i += 1
        language, path = _info(opened["info"])
        if path is None and body and (comment := _COMMENT.match(body[0])) and _is_path(comment["path"]):
            path = comment["path"]
        if path is None:
            same = [name for name, of in attached if _same(of, language)]
            path = same[0] if len(same) == 1 else None
        blocks.append(CodeBlock(language, "".join(line + "\n" for line in body), path))
    return blocks


def _info(info: str) -> tuple[str, str | None]:
    """``python src/a.py``, ``src/a.py``, ``python:src/a.py``, ``python title="src/a.py"``."""
    language, path = "", None
    for word in re.split(r"[\s:]+|(?:title|file|filename|path)=", info):
        word = word.strip("\"'{}")
        if _is_path(word):
            path = path or word
        elif word and not language and re.fullmatch(r"[\w+#.-]{1,40}", word):
            language = word.lower()
    if not language and path:
        language = path.rsplit(".", 1)[-1].lower()
    return language, path


def _is_path(word: str) -> bool:
    return bool(_PATH.match(word))


_ALIASES = {
    "py": "python", "js": "javascript", "ts": "typescript", "jsx": "javascriptreact",
    "tsx": "typescriptreact", "rs": "rust", "rb": "ruby", "kt": "kotlin", "sh": "shellscript",
    "bash": "shellscript", "c++": "cpp", "cs": "csharp", "golang": "go", "yml": "yaml", "md": "markdown",
}  # fmt: skip


def _same(a: str, b: str) -> bool:
    return bool(b) and _ALIASES.get(a, a) == _ALIASES.get(b, b)
