"""Differences between texts, three-way merge, and how offsets move under edits.

All offsets are code points. Lines keep their endings; a ``\\r\\n`` is part of its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lido.workspace.documents import Edit

# Cells of the LCS bit matrix (lines × lines) that are worth computing exactly; 64 to a word, so 64 MB.
_EXACT_CELLS = 512_000_000


@dataclass(frozen=True, slots=True)
class Hunk:
    """``before[start:end] == old`` becomes `new`; both are whole lines."""

    start: int
    end: int
    old: str
    new: str
    description: str = ""


def split_lines(text: str) -> list[str]:
    """Lines with their endings. Only ``\\n`` (and so ``\\r\\n``) and a lone ``\\r`` end a line, as in LSP;
    ``str.splitlines`` would also split at form feeds and U+2028."""
    if "\r" not in text:
        lines = text.split("\n")
        last = lines.pop()
        out = [line + "\n" for line in lines]
        if last:
            out.append(last)
        return out
    return _LINE.findall(text)


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """`text` with non-overlapping `edits`, whose offsets all refer to `text`.

    Raises ValueError where two overlap or one lies outside.
    """
    pieces: list[str] = []
    at = 0
    for start, end, new in sorted(edits, key=lambda edit: (edit[0], edit[1])):
        if start < at or end < start or end > len(text):
            raise ValueError(f"edit {start}–{end} overlaps another or lies outside the text")
        pieces += (text[at:start], new)
        at = end
    pieces.append(text[at:])
    return "".join(pieces)


def standing(before: str, edits: Sequence[Edit], now: str) -> set[int]:
    """Which of the non-overlapping `edits` of `before` were made, by their indexes, where `now` is what some
    of them made of it. All of them where it is none of that."""
    order = sorted(range(len(edits)), key=lambda n: (edits[n].start, edits[n].end))
    # Where each way of choosing has come to in `now`; ways that come to the same place are one.
    ways: dict[int, tuple[int, ...]] = {0: ()}
    at = 0
    for n in order:
        edit = edits[n]
        gap, old = before[at : edit.start], before[edit.start : edit.end]
        after: dict[int, tuple[int, ...]] = {}
        for place, made in ways.items():
            if now.startswith(gap, place):
                begin = place + len(gap)
                if now.startswith(edit.text, begin):
                    after.setdefault(begin + len(edit.text), (*made, n))
                if now.startswith(old, begin):
                    after.setdefault(begin + len(old), made)
        ways, at = after, edit.end
    rest = before[at:]
    return next((set(made) for place, made in ways.items() if now[place:] == rest), set(order))


# ---------------------------------------------------------------- line differences


class Block(NamedTuple):
    """Lines ``a[a1:a2]`` of one side stand for ``b[b1:b2]`` of the other; `equal` where they are the same."""

    equal: bool
    a1: int
    a2: int
    b1: int
    b2: int


def diff_lines(a: Sequence[str], b: Sequence[str]) -> list[Block]:
    """Blocks that turn `a` into `b`, equal and changed ones alternating.

    Lines are interned to numbers; common ends are cut; lines unique on both sides and in order anchor the
    middle (patience diff, Cohen 2009); what lies between is a longest common subsequence, bit-parallel in
    rapidfuzz (Hyyrö 2004). Gaps too large for that are replaced whole, so the time stays bounded.
    """
    numbers: dict[str, int] = {}
    xs = [numbers.setdefault(line, len(numbers)) for line in a]
    ys = [numbers.setdefault(line, len(numbers)) for line in b]
    pairs: list[tuple[int, int, int]] = []  # equal runs: a, b, length
    _match(xs, ys, 0, len(xs), 0, len(ys), pairs, patience=True)
    blocks: list[Block] = []
    i = j = 0
    for x, y, length in [*pairs, (len(xs), len(ys), 0)]:
        if x > i or y > j:
            blocks.append(Block(False, i, x, j, y))
        if length:
            if blocks and blocks[-1].equal:
                last = blocks.pop()
                blocks.append(Block(True, last.a1, x + length, last.b1, y + length))
            else:
                blocks.append(Block(True, x, x + length, y, y + length))
        i, j = x + length, y + length
    return blocks


def _match(
    xs: list[int],
    ys: list[int],
    a1: int,
    a2: int,
    b1: int,
    b2: int,
    out: list[tuple[int, int, int]],
    patience: bool,
) -> None:
    start = 0
    while a1 + start < a2 and b1 + start < b2 and xs[a1 + start] == ys[b1 + start]:
        start += 1
    if start:
        out.append((a1, b1, start))
        a1, b1 = a1 + start, b1 + start
    tail = 0
    while a2 - tail > a1 and b2 - tail > b1 and xs[a2 - tail - 1] == ys[b2 - tail - 1]:
        tail += 1
    a2, b2 = a2 - tail, b2 - tail
    if a1 < a2 and b1 < b2:
        anchors = _anchors(xs, ys, a1, a2, b1, b2) if patience else []
        if not anchors and (a2 - a1) * (b2 - b1) > _EXACT_CELLS:
            anchors = _anchors(xs, ys, a1, a2, b1, b2, repeated=True)
        if anchors:
            i, j = a1, b1
            for x, y in [*anchors, (a2, b2)]:
                # One level of anchors only: what is between them has few unique lines left.
                _match(xs, ys, i, x, j, y, out, patience=False)
                if x < a2 or y < b2:
                    out.append((x, y, 1))
                i, j = x + 1, y + 1
        elif (a2 - a1) * (b2 - b1) <= _EXACT_CELLS:
            from rapidfuzz.distance import LCSseq

            out += [
                (a1 + op.src_start, b1 + op.dest_start, op.src_end - op.src_start)
                for op in LCSseq.opcodes(xs[a1:a2], ys[b1:b2])
                if op.tag == "equal"
            ]
    if tail:
        out.append((a2, b2, tail))


def _anchors(
    xs: list[int], ys: list[int], a1: int, a2: int, b1: int, b2: int, repeated: bool = False
) -> list[tuple[int, int]]:
    """Pairs of lines that are unique on both sides, the longest chain of them that is in order. With
    `repeated`, lines that are equally frequent on both sides count too, the first paired with the first."""
    from bisect import bisect_left

    here: dict[int, list[int]] = {}
    for i in range(a1, a2):
        here.setdefault(xs[i], []).append(i)
    there: dict[int, list[int]] = {}
    for j in range(b1, b2):
        there.setdefault(ys[j], []).append(j)
    pairs: list[tuple[int, int]] = []
    for n, places in here.items():
        if len(places) == len(others := there.get(n, ())) and (repeated or len(places) == 1):
            pairs += zip(places, others, strict=True)
    pairs.sort()
    # Longest increasing subsequence by patience sorting.
    tops: list[int] = []
    piles: list[int] = []
    back: list[int] = []
    for index, (_, j) in enumerate(pairs):
        at = bisect_left(tops, j)
        back.append(piles[at - 1] if at else -1)
        if at == len(tops):
            tops.append(j)
            piles.append(index)
        else:
            tops[at] = j
            piles[at] = index
    chain: list[tuple[int, int]] = []
    at = piles[-1] if piles else -1
    while at >= 0:
        chain.append(pairs[at])
        at = back[at]
    return chain[::-1]


def hunks(before: str, after: str) -> tuple[Hunk, ...]:
    """What turns `before` into `after`, as few whole-line hunks as are sensible, in order.

    Applying all of them gives `after` exactly; any subset of them can be applied.
    """
    if before == after:
        return ()
    a, b = split_lines(before), split_lines(after)
    starts = [0]
    for line in a:
        starts.append(starts[-1] + len(line))
    found: list[Hunk] = []
    for _, a1, a2, b1, b2 in _sensible(diff_lines(a, b), a, b):
        old, new = "".join(a[a1:a2]), "".join(b[b1:b2])
        told = describe(a[a1:a2], b[b1:b2], a1, enclosing(a, a1))
        found.append(Hunk(starts[a1], starts[a2], old, new, told))
    return tuple(found)


def _sensible(blocks: list[Block], a: list[str], b: list[str]) -> list[Block]:
    """Changed blocks, moved to where a person would have put them, and joined where only a blank line or a
    bracket is between two rewritten stretches."""
    out: list[Block] = []
    for n, block in enumerate(blocks):
        if block.equal:
            continue
        room_up = blocks[n - 1].a2 - blocks[n - 1].a1 if n and blocks[n - 1].equal else 0
        room_down = blocks[n + 1].a2 - blocks[n + 1].a1 if n + 1 < len(blocks) else 0
        if out:
            room_up = min(room_up, block.a1 - out[-1].a2)
        block = _slid(block, a, b, room_up, room_down)
        if out:
            last = out[-1]
            gap = a[last.a2 : block.a1]
            rewritten = all(x.a1 < x.a2 and x.b1 < x.b2 for x in (last, block))
            if len(gap) <= 2 and rewritten and not any(c.isalnum() for line in gap for c in line):
                out[-1] = Block(False, last.a1, block.a2, last.b1, block.b2)
                continue
        out.append(block)
    return out


def _slid(block: Block, a: list[str], b: list[str], up: int, down: int) -> Block:
    """A pure insertion or deletion, moved along equal lines to the best boundary: one that begins at the
    outermost indentation, after a blank line (after git's indent heuristic, Haggerty 2016)."""
    _, a1, a2, b1, b2 = block
    if a1 < a2 and b1 < b2:
        return block
    lines, start, end = (b, b1, b2) if b1 < b2 else (a, a1, a2)
    lowest = 0
    while lowest > -min(up, 200) and lines[start + lowest - 1] == lines[end + lowest - 1]:
        lowest -= 1
    highest = 0
    while (
        highest < min(down, 200)
        and end + highest < len(lines)
        and lines[start + highest] == lines[end + highest]
    ):
        highest += 1
    best = max(range(lowest, highest + 1), key=lambda shift: (*_boundary(lines, start + shift), shift))
    return Block(False, a1 + best, a2 + best, b1 + best, b2 + best)


def _boundary(lines: list[str], start: int) -> tuple[int, int]:
    first = lines[start].rstrip()
    if not first:
        return (-10_000, 0)
    indent = len(first) - len(first.lstrip())
    before = lines[start - 1].strip() if start else ""
    closing = first.lstrip()[0] in ")]}" or first.lstrip().startswith(
        ("end", "else", "elif", "except", "finally")
    )
    return (-indent - (1000 if closing else 0), 0 if before else 1)


def enclosing(lines: Sequence[str], line: int) -> str:
    """The heading of the definition that holds `line`, as far as indentation tells; "" at the top level."""
    here = next((text for text in lines[line : line + 3] if text.strip()), "")
    indent = len(here) - len(here.lstrip())
    for at in range(line - 1, max(-1, line - 400), -1):
        text = lines[at]
        if not text.strip():
            continue
        depth = len(text) - len(text.lstrip())
        if depth < indent:
            indent = depth
            heading = text.strip()
            if _HEADING.match(heading):
                return heading.rstrip("{: ").removeprefix("export ")[:50]
        if not depth and not indent:
            break
    return ""


_HEADING = re.compile(
    r"^(?:(?:export|default|public|private|protected|static|async|pub|abstract|final|override)\s+)*"
    r"(?:(?:def|class|function|func|fn|struct|enum|interface|trait|impl|type|module)\b|[A-Za-z_$][\w$]{0,80}\s*\([^;]{0,300}\)\s*\{$)"
)


def describe(old: Sequence[str], new: Sequence[str], line: int, inside: str = "") -> str:
    """One line for people: what happens, where, and the first telling line. `line` counts from 0."""
    count = max(len(old), len(new))
    lines = f"{count} line{'s' if count != 1 else ''}"
    known = set(old)
    telling = next(
        (text.strip() for text in (new or old) if text not in known and any(c.isalnum() for c in text)), ""
    ) or next((text.strip() for text in (new or old) if any(c.isalnum() for c in text)), "")
    what = "Add" if not old else "Delete" if not new else "Change"
    if len(telling) > 60:
        telling = telling[:59] + "…"
    place = f"{what} {lines} in {inside}" if inside else f"{what} {lines} at line {line + 1}"
    return f"{place}: {telling}" if telling else place


def unified_diff(name: str, before: str, after: str, context: int = 3) -> str:
    """The difference as people and ``git apply`` read it; "" where there is none."""
    a, b = split_lines(before), split_lines(after)
    blocks = diff_lines(a, b)
    groups: list[list[Block]] = []
    for n, block in enumerate(blocks):
        if block.equal:
            continue
        apart = n < 2 or blocks[n - 1].a2 - blocks[n - 1].a1 > 2 * context
        if groups and not apart:
            groups[-1].append(block)
        else:
            groups.append([block])
    if not groups:
        return ""
    out = [f"--- a/{name}\n", f"+++ b/{name}\n"]
    for group in groups:
        a1, b1 = max(0, group[0].a1 - context), max(0, group[0].b1 - context)
        lead = min(group[0].a1 - a1, group[0].b1 - b1)
        a1, b1 = group[0].a1 - lead, group[0].b1 - lead
        a2 = min(len(a), group[-1].a2 + context)
        b2 = group[-1].b2 + (a2 - group[-1].a2)
        out.append(f"@@ -{_span(a1, a2)} +{_span(b1, b2)} @@\n")
        at = a1
        for block in group:
            out += [_signed(" ", line) for line in a[at : block.a1]]
            out += [_signed("-", line) for line in a[block.a1 : block.a2]]
            out += [_signed("+", line) for line in b[block.b1 : block.b2]]
            at = block.a2
        out += [_signed(" ", line) for line in a[at:a2]]
    return "".join(out)


def _span(start: int, end: int) -> str:
    return f"{start + (end > start)},{end - start}"


def _signed(sign: str, line: str) -> str:
    return sign + line if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"


# ---------------------------------------------------------------- three-way merge


class Conflict(NamedTuple):
    """Both sides changed the same lines. `line` counts from 0 in the merged text, which holds `ours`."""

    line: int
    base: str
    ours: str
    theirs: str


class Merged(NamedTuple):
    text: str
    conflicts: tuple[Conflict, ...]


def merge(base: str, ours: str, theirs: str) -> Merged:
    """`ours` with the changes `base` → `theirs`, line by line. Changes that only touch each other are both
    made; where they overlap, `ours` stays and a conflict is reported."""
    if ours == base:
        return Merged(theirs, ())
    if theirs in (base, ours):
        return Merged(ours, ())
    o, a, b = split_lines(base), split_lines(ours), split_lines(theirs)
    mine = [block for block in diff_lines(o, a) if not block.equal]
    other = [block for block in diff_lines(o, b) if not block.equal]
    out: list[str] = []
    conflicts: list[Conflict] = []
    at = 0  # line of base
    i = j = 0
    while i < len(mine) or j < len(other):
        if j == len(other) or (i < len(mine) and _before(mine[i], other[j])):
            block, side = mine[i], a
            i += 1
        elif i == len(mine) or _before(other[j], mine[i]):
            block, side = other[j], b
            j += 1
        else:
            # Everything that overlaps, on both sides, is one conflict.
            start, end = min(mine[i].a1, other[j].a1), max(mine[i].a2, other[j].a2)
            i1, j1 = i, j
            i, j = i + 1, j + 1
            while True:
                if i < len(mine) and mine[i].a1 < end:
                    end = max(end, mine[i].a2)
                    i += 1
                elif j < len(other) and other[j].a1 < end:
                    end = max(end, other[j].a2)
                    j += 1
                else:
                    break
            out += o[at:start]
            our = _side(mine[i1:i], start, end, a)
            their = _side(other[j1:j], start, end, b)
            if our != their:
                conflicts.append(Conflict(len(out), "".join(o[start:end]), "".join(our), "".join(their)))
            out += our
            at = end
            continue
        out += o[at : block.a1]
        out += side[block.b1 : block.b2]
        at = block.a2
    out += o[at:]
    return Merged("".join(out), tuple(conflicts))


def _before(x: Block, y: Block) -> bool:
    """Whether `x` ends where `y` begins or earlier; two insertions at one point have no order."""
    return x.a2 <= y.a1 and not (x.a1 == x.a2 == y.a1 == y.a2)


def _side(blocks: Sequence[Block], start: int, end: int, lines: list[str]) -> list[str]:
    """What one side has for the base lines `start` to `end`."""
    first, last = blocks[0], blocks[-1]
    return lines[first.b1 - (first.a1 - start) : last.b2 + (end - last.a2)]


# ---------------------------------------------------------------- moving offsets


def moved(start: int, end: int, edit: Edit) -> tuple[int, int, bool]:
    """Where ``[start, end)`` stands after `edit`, and whether the edit reached inside it.

    An insertion exactly at `start` pushes the range on; one exactly at `end` leaves it.
    """
    e_start, e_end, _ = edit
    delta = len(edit.text) - (e_end - e_start)
    if e_end <= start and not (start == end == e_end and e_start < start):
        return start + delta, end + delta, False
    if e_start >= end:
        return start, end, False
    if start == end:  # an insertion point inside, or at the end of, a replaced range
        if e_end == start:
            return start + delta, end + delta, False
        return e_start + len(edit.text), e_start + len(edit.text), True
    new_start = min(start, e_start)
    new_end = max(end, e_end) + delta
    return new_start, new_end, True
