"""Which files an instruction is about."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lido.workspace import search
from lido.workspace.attachments import Attachments, Excerpt, definition_of, tokens

_PATH = re.compile(r"(?<![\w/])(?:[\w.-]+/)*[\w-]+\.[A-Za-z]\w{0,9}\b")
_SYMBOL = re.compile(r"`([A-Za-z_]\w*)|\b([A-Za-z_]\w*)\(|\b([a-z]+_\w+|[A-Z]\w*[a-z]\w*[A-Z]\w*)\b")
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import|import[ \t]+([\w.]+)|.*\b(?:from|require\()\s*['\"]([^'\"]+))",
    re.M,
)
_TEST = re.compile(
    r"(?:^|/)(?:tests?/|test_[^/]*$|[^/]*[._-]tests?\.[^/]*$|[^/]*_test\.[^/]*$|[^/]*Test\.java$)"
)


def is_test(path: str) -> bool:
    """Whether a file's name says that it holds tests."""
    return bool(_TEST.search(path))


def paths_in(text: str) -> list[str]:
    """What looks like a file's name in `text`, in order, each once."""
    return list(dict.fromkeys(m.group() for m in _PATH.finditer(text)))


def symbols_in(text: str) -> list[str]:
    """What looks like an identifier in `text`: in backquotes, before a parenthesis, snake_case, CamelCase."""
    found = [next(filter(None, m.groups())) for m in _SYMBOL.finditer(text)]
    return list(dict.fromkeys(found))


async def relevant(
    attachments: Attachments, instruction: str, attached: Sequence[Excerpt], budget: int, most: int
) -> list[Excerpt]:
    """Whole files (or parts, where a file is beyond the budget) for `instruction`, the most telling first:
    what is attached, what the instruction or an attached output names, what defines the symbols it
    mentions, what those files import, and only where that leaves nothing, what its words suit."""
    known = await attachments.files()
    text = "\n".join((instruction, *(e.text for e in attached if not e.path)))
    found = [e.path for e in attached if e.path]
    found += await asyncio.to_thread(_named, known, text)
    if not found:
        found += await asyncio.to_thread(_suiting, known, text)
    found += await asyncio.to_thread(_imported, known, found)
    excerpts: list[Excerpt] = []
    roots = {name: root for root, name in reversed(known)}
    left = budget
    for name in dict.fromkeys(found):
        excerpt = next((e for e in attached if e.path == name and e.whole), None)
        if excerpt is None and name in roots:
            excerpt = await attachments.read(roots[name] / name)
        if excerpt is None:
            continue
        cost = tokens(excerpt.text) + 15
        if excerpts and cost > left:
            continue
        excerpts.append(excerpt)
        left -= cost
        if len(excerpts) >= most:
            break
    return excerpts


Known = Sequence[tuple[Path, str]]


def _named(known: Known, text: str) -> list[str]:
    names = [name for _, name in known]
    found: list[str] = []
    for path in paths_in(text):
        clean = path.lstrip("./")
        same = [n for n in names if n == clean] or [n for n in names if n.endswith("/" + clean)]
        found += same[:3]
    symbols = symbols_in(text)[:8]
    for symbol in symbols:
        pattern = definition_of(symbol)
        for root in dict.fromkeys(root for root, _ in known):
            mine = [name for r, name in known if r == root]
            found += [m.path for m in search.grep(root, mine, pattern, 2)]
    return list(dict.fromkeys(found))


def _suiting(known: Known, text: str) -> list[str]:
    best: list[tuple[float, str]] = []
    for root in dict.fromkeys(root for root, _ in known):
        mine = [name for r, name in known if r == root]
        best += [(p.score, p.path) for p in search.passages(root, mine, text)]
    best.sort(reverse=True)
    names = dict.fromkeys(name for score, name in best if score > best[0][0] / 2)
    return sorted(names, key=lambda name: name.endswith((".md", ".rst", ".txt")))[:6]  # code first


def _imported(known: Known, names: Iterable[str]) -> list[str]:
    """Files of the workspace that the files `names` import, by the last part of the module's name."""
    by_stem: dict[str, str] = {}
    for _, name in known:
        by_stem.setdefault(Path(name).stem, name)
    roots = {name: root for root, name in reversed(known)}
    found: list[str] = []
    for name in list(names)[:6]:
        text = search.read_text(roots[name] / name) if name in roots else None
        for match in _IMPORT.finditer(text or ""):
            module = next(filter(None, match.groups()))
            stem = re.split(r"[./]", module.rstrip("/"))[-1]
            if stem in by_stem and by_stem[stem] != name:
                found.append(by_stem[stem])
    return found
