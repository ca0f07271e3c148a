"""Where the lines a model quoted stand in the file: a ladder of named rungs, strictest first.

    exact         the lines as they are (line endings aside)
    trailing      white space at line ends, and blank lines around the quote, aside
    indentation   shifted; what replaces them is shifted the same way
    spacing       white space within lines aside
    lookalikes    typographic quotes, dashes and spaces aside
    elided        "…" lines in the quote stand for lines that stay
    fuzzy         most lines equal, the others similar; with an anchor, and far better than anywhere else

Every rung wants exactly one place. A hint (a line number, a heading, the order within a patch) chooses
between equal candidates; without one, several candidates are ambiguous and nothing is applied. Above
"exact", lines that the model leaves alone keep the file's own spelling: a misquotation is never written.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice, pairwise
from typing import Literal

from lido.edits.files import line_ending
from lido.edits.formats import Replace
from lido.edits.hunks import diff_lines, split_lines
from lido.workspace.documents import Edit

Rung = Literal[
    "exact", "trailing", "indentation", "spacing", "lookalikes", "elided", "fuzzy", "inline", "all"
]

MAX_SEARCH_LINES = 20_000
MAX_PLACES = 50
MAX_LINE = 20_000
"""Longer lines are compared by their beginning only, where they are compared for similarity."""
FUZZY_SCORE = 0.88
FUZZY_LINE = 0.8
FUZZY_CHANGED = 0.92
"""Similarity that a line must have which is replaced or deleted, not just passed by."""
FUZZY_MARGIN = 0.08


@dataclass(frozen=True, slots=True)
class Match:
    """The `edits` (offsets in the text) that the quote comes to, and the rung that found it."""

    edits: tuple[Edit, ...]
    rung: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that resembles the quote: line (from 0), its true text, similarity 0–1."""

    line: int
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Why there is no match, as a sentence, and the places that come closest."""

    reason: Literal["not_found", "ambiguous", "weak", "empty"]
    message: str
    candidates: tuple[Candidate, ...] = ()


# ---------------------------------------------------------------- comparing lines


def _exact(line: str) -> str:
    return line


_LOOKALIKES = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′ʼ`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\u3000", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
        "…": "...",
    }
)


def _lookalikes(line: str) -> str:
    if not line.isascii():
        line = unicodedata.normalize("NFC", line.translate(_LOOKALIKES))
    elif "`" in line:
        line = line.replace("`", "'")
    return " ".join(line.split())


def _spacing(line: str) -> str:
    return " ".join(line.split())


_KEYS: tuple[tuple[Rung, Callable[[str], str]], ...] = (
    ("exact", _exact),
    ("trailing", str.rstrip),
    ("indentation", str.strip),
    ("spacing", _spacing),
    ("lookalikes", _lookalikes),
)


@dataclass(slots=True)
class Index:
    """A text's lines, and how each compares on the loosest rung. Whatever matches on a stricter rung matches
    on the loosest too, so that one pass over the file serves the whole ladder."""

    text: str
    lines: list[str] = field(init=False)
    """Without endings."""
    starts: list[int] = field(init=False)
    ending: str = field(init=False)
    _keys: list[str] | None = None

    def __post_init__(self) -> None:
        full = split_lines(self.text)
        self.starts = list(accumulate(map(len, full), initial=0))
        self.lines = [line.rstrip("\r\n") for line in full]
        self.ending = line_ending(self.text)

    @property
    def keys(self) -> list[str]:
        if self._keys is None:
            lines = self.lines
            plain = self.text
            if not plain.isascii() or "`" in plain:
                plain = "\n".join(lines)
                # As `str.translate`, which looks up every character: few of these occur in any file.
                for character, meant in _LOOKALIKES.items():
                    if chr(character) in plain:
                        plain = plain.replace(chr(character), str(meant))
                if not plain.isascii() and not unicodedata.is_normalized("NFC", plain):
                    plain = unicodedata.normalize("NFC", plain)
                lines = plain.split("\n")
            self._keys = [" ".join(line.split()) for line in lines]
        return self._keys

    def positions(self, wanted: Sequence[str]) -> dict[str, list[int]]:
        """Where each of the wanted lines (loosest comparison) stands."""
        found: dict[str, list[int]] = {key: [] for key in wanted}
        for i, key in enumerate(self.keys):
            if key in found:
                found[key].append(i)
        return found

    def find(self, search: Sequence[str], near: int = 0) -> tuple[str, list[int]]:
        """The strictest rung on which `search` stands anywhere, and the lines at which it begins there: the
        `MAX_PLACES` nearest to `near`, since more are no less ambiguous."""
        if exact := self._exactly(search):
            return "exact", sorted(sorted(exact, key=lambda p: abs(p - near))[:MAX_PLACES])
        loose = [_lookalikes(line) for line in search]
        size, keys = len(loose), self.keys
        positions = self.positions(loose)
        rarest = min(range(size), key=lambda i: len(positions[loose[i]]))
        starts = [p - rarest for p in positions[loose[rarest]]]
        starts.sort(key=lambda p: abs(p - near))
        there_loosely = (p for p in starts if p >= 0 and keys[p] == loose[0] and keys[p : p + size] == loose)
        places = sorted(islice(there_loosely, MAX_PLACES))
        for rung, key in _KEYS if places else ():
            wanted = [key(line) for line in search]
            there = [p for p in places if [key(line) for line in self.lines[p : p + size]] == wanted]
            if there:
                return rung, there
        return "", []

    def _exactly(self, search: Sequence[str]) -> list[int]:
        """Where the lines stand as they are: most quotes are exact, and this looks at no line by itself."""
        if any("\n" in line or "\r" in line for line in search):
            return []
        body = "\n" + (self.text if "\r" not in self.text else "\n".join(self.lines)) + "\n"
        wanted = "\n" + "\n".join(search) + "\n"
        found: list[int] = []
        at, line, seen = body.find(wanted), 0, 0
        while at >= 0:
            line += body.count("\n", seen, at)
            if line + len(search) <= len(self.lines):  # the last line's end is no line of its own
                found.append(line)
            seen = at
            at = body.find(wanted, at + 1)
        return found

    def excerpt(self, first: int, last: int) -> str:
        return "\n".join(line[:500] for line in self.lines[first : min(last, first + 60)])


# ---------------------------------------------------------------- the ladder


def find(text: str | Index, change: Replace, cursor: int = 0) -> Match | NoMatch:
    """The one place that `change` means. `cursor` is the line after the change before it, which a patch's
    hunks must not go back behind."""
    index = text if isinstance(text, Index) else Index(text)
    readings = [(change.search, change.replace), *change.alternatives]
    if len(readings) > 1:
        strict = [
            found
            for search, new in readings
            if isinstance(found := _find_one(index, change, search, new, cursor, strict=True), Match)
        ]
        if len(strict) == 1 and not _divider_added(index, strict[0]):
            return strict[0]
        if strict:
            return NoMatch("ambiguous", "its ======= line can be read in several ways")
    return _find_one(index, change, change.search, change.replace, cursor)


def _divider_added(index: Index, found: Match) -> bool:
    """Whether the replacement brings a ``=======`` line into a file that has none: then it was a marker."""
    return any(
        set(line.strip()) == {"="} for edit in found.edits for line in split_lines(edit.text) if line.strip()
    ) and not any(set(line.strip()) == {"="} for line in index.lines if line.strip())


def _find_one(
    index: Index, change: Replace, search: str, new: str, cursor: int, strict: bool = False
) -> Match | NoMatch:
    if change.inline and (found := _inline(index, change, search, new)) is not None:
        return found
    quoted = [line.rstrip("\r\n") for line in split_lines(search)]
    fresh = [line.rstrip("\r\n") for line in split_lines(new)]
    if len(quoted) > MAX_SEARCH_LINES or len(fresh) > 10 * MAX_SEARCH_LINES:
        return NoMatch("weak", f"it quotes more than {MAX_SEARCH_LINES} lines")
    if not any(line.strip() for line in quoted):
        return _blank(index, change, quoted, fresh, cursor)
    near = cursor if change.line is None else change.line
    rung, places = index.find(quoted, near)
    old, put = quoted, fresh
    if not places and (trimmed := _trimmed(quoted, fresh)) is not None:
        old, put = trimmed
        rung, places = index.find(old, near)
        rung = "trailing" if rung == "exact" else rung  # blank lines around it are that rung's business
    if places:
        chosen = _choose(index, places, change, cursor, len(old))
        if isinstance(chosen, NoMatch):
            return chosen
        pairs = [(i, chosen + i) for i in range(len(old))]
        return Match((_rewrite(index, chosen, chosen + len(old), old, put, pairs),), rung)
    if strict:
        return NoMatch("not_found", "the quoted lines are not in the file")
    if any(is_elision(line) for line in quoted):
        return _elided(index, quoted, fresh)
    return _fuzzy(index, quoted, fresh)


def _inline(index: Index, change: Replace, search: str, new: str) -> Match | NoMatch | None:
    """The quote as a plain substring; None where it does not occur so."""
    text = index.text
    if "\r" in text:
        search = search.replace("\r\n", "\n").replace("\n", index.ending)
        new = new.replace("\r\n", "\n").replace("\n", index.ending)
    if not search.strip():
        return None
    count = text.count(search)
    if count == 0:
        return None
    if count == 1 and not change.everywhere and _splits_word(text, text.index(search), len(search)):
        return NoMatch("weak", "the quoted text begins or ends within a word; quote more around it")
    if count == 1 and _lacks_indentation(text, text.index(search), search, new):
        return None
    if change.everywhere or count == 1:
        edits = []
        at = text.find(search)
        while at >= 0:
            edits.append(Edit(at, at + len(search), new))
            at = text.find(search, at + len(search))
        rung = "exact" if count == 1 and _whole_lines(text, edits[0]) else "inline" if count == 1 else "all"
        return Match(tuple(edits), rung)
    if change.line is not None:
        return None  # the ladder knows what to do with a hint
    return NoMatch("ambiguous", f"the quoted text is in the file {count} times; quote more around it")


def _lacks_indentation(text: str, start: int, search: str, new: str) -> bool:
    """Whether one line was quoted without its indentation and the lines that replace it lack it, too: then it
    is for the ladder to shift them. "def f():" is followed by deeper lines, others by lines as deep."""
    first, *rest = new.splitlines() or [""]
    rest = [line for line in rest if line.strip()]
    indent = text[text.rfind("\n", 0, start) + 1 : start]
    if "\n" in search or search[:1].isspace() or first[:1].isspace() or not rest:
        return False
    if not indent or indent.strip() or text[start + len(search) :][:1] not in ("", "\r", "\n"):
        return False
    opens = first.rstrip().endswith((":", "{", "(", "["))
    least = min(len(_indent(line)) for line in rest)
    return least < len(indent) + opens and least >= opens


def _splits_word(text: str, start: int, length: int) -> bool:
    """Whether the passage begins or ends within a name or a number: "retries = 1" is not what "retries = 10"
    says."""
    end = start + length
    around = text[max(0, start - 2) : start + 1], text[end - 1 : end + 2]
    return bool(_WITHIN_START.search(around[0]) or _WITHIN_END.match(around[1]))


_WITHIN_START = re.compile(r"(?:\w\w|\d\.\d)\Z")
_WITHIN_END = re.compile(r"\w\w|\d\.\d")


def _whole_lines(text: str, edit: Edit) -> bool:
    return (edit.start == 0 or text[edit.start - 1] in "\r\n") and (
        edit.end == len(text) or text[edit.end - 1] in "\r\n" or text[edit.end] in "\r\n"
    )


def _blank(
    index: Index, change: Replace, quoted: list[str], fresh: list[str], cursor: int
) -> Match | NoMatch:
    """An empty quote: text to add."""
    if not any(line.strip() for line in index.lines):
        return Match((Edit(0, len(index.text), _join(fresh, index.ending)),), "exact")
    if not change.ordered or quoted:
        return NoMatch("empty", "it quotes no lines of a file that is not empty")
    if change.after:
        heading = _heading(index, change.after, cursor)
        if heading is None:
            return NoMatch("not_found", f"there is no line {change.after[-1][:80]!r} to add after")
        return Match((_insertion(index, heading + 1, fresh),), "exact")
    if change.line is not None and change.line > 0:
        return NoMatch("weak", "it adds lines at a number and quotes none around them")
    return Match((_insertion(index, len(index.lines), fresh),), "exact")


def _insertion(index: Index, line: int, fresh: list[str]) -> Edit:
    at = index.starts[line]
    new = _join(fresh, index.ending)
    if at == len(index.text) and index.text and index.text[-1] not in "\r\n":
        # The file ends without a line break, and still does afterwards.
        return Edit(at, at, index.ending + new.removesuffix(index.ending))
    return Edit(at, at, new)


def _trimmed(quoted: list[str], fresh: list[str]) -> tuple[list[str], list[str]] | None:
    """Without the blank lines around the quote, and those around the replacement that correspond."""
    first, last = 0, len(quoted)
    while first < last and not quoted[first].strip():
        first += 1
    while last > first and not quoted[last - 1].strip():
        last -= 1
    if (first, last) == (0, len(quoted)):
        return None
    a, b = 0, len(fresh)
    while a < b and a < first and not fresh[a].strip():
        a += 1
    while b > a and len(fresh) - b < len(quoted) - last and not fresh[b - 1].strip():
        b -= 1
    return quoted[first:last], fresh[a:b]


def _heading(index: Index, after: Sequence[str], cursor: int) -> int | None:
    """The line of the last of the headings, each looked for below the one before."""
    at = cursor - 1
    keys = index.keys
    for heading in after:
        key = _lookalikes(heading)
        below = next((p for p in range(at + 1, len(keys)) if keys[p] == key), None)
        if below is None and len(key) >= 4:
            below = next((p for p in range(at + 1, len(keys)) if key in keys[p]), None)
        if below is None:
            return None
        at = below
    return at


def _choose(index: Index, places: list[int], change: Replace, cursor: int, size: int) -> int | NoMatch:
    """The candidate that the hints single out."""
    if len(places) > 1 and change.ordered:
        later = [p for p in places if p >= cursor]
        places = later or places
    if len(places) > 1 and change.after:
        heading = _heading(index, change.after, 0)
        if heading is not None:
            below = [p for p in places if p > heading]
            if below and (len(below) == 1 or below[0] - heading <= 1 or change.ordered):
                places = below[:1]
    if len(places) > 1 and change.at_end:
        places = [p for p in places if p + size == len(index.lines)] or places
    if len(places) > 1 and change.line is not None:
        near = sorted(places, key=lambda p: abs(p - (change.line or 0)))
        best, second = (abs(p - change.line) for p in near[:2])
        # A number that is right, or clearly nearer to one than to any other.
        if best == 0 or best * 3 <= second:
            places = near[:1]
    if len(places) == 1:
        return places[0]
    return NoMatch(
        "ambiguous",
        f"the quoted lines are in the file {len(places)} times; quote more lines around them",
        tuple(Candidate(p, index.excerpt(max(0, p - 3), p + size + 3), 1.0) for p in places[:4]),
    )


# ---------------------------------------------------------------- writing in the file's own way


def _join(lines: Sequence[str], ending: str) -> str:
    return "".join(line + ending for line in lines)


def _rewrite(
    index: Index, first: int, last: int, old: list[str], new: list[str], pairs: list[tuple[int, int]]
) -> Edit:
    """File lines `first` to `last` become `new`: lines that `old` and `new` share stay as the file has
    them, the others are indented as their neighbours are. `pairs` are (line of `old`, line of the file)."""
    there = dict(pairs)
    shifts = _Shifts([(old[i], index.lines[k]) for i, k in pairs])
    out: list[str] = []
    for equal, a1, a2, b1, b2 in diff_lines(old, new):
        if equal:
            at = there.get(a1)
            for i in range(a1, a2):
                k = there.get(i)
                if k is None:
                    continue
                # Lines the model left out between two that it kept stay.
                out += [_full(index, m) for m in range(k if at is None else at, k + 1)]
                at = k + 1
                shifts.now(old[i], index.lines[k])
        else:
            out += [shifts.apply(line) + index.ending for line in new[b1:b2]]
            if a2 > a1 and a1 in there:
                shifts.now(old[a2 - 1], index.lines[there.get(a2 - 1, there[a1])])
    start, end = index.starts[first], index.starts[last]
    # The file's last line may have no ending; lines that now follow it need one.
    text = "".join(line if line[-1:] in ("\r", "\n") else line + index.ending for line in out)
    open_end = end > start and index.text[end - 1] not in "\r\n"
    if open_end:
        text = (
            text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n").removesuffix("\r")
        )
    return Edit(start, end, text)


def _full(index: Index, line: int) -> str:
    return index.text[index.starts[line] : index.starts[line + 1]]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


class _Shifts:
    """How the quote's indentation maps to the file's, learnt from the pairs of lines that correspond."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        found: dict[str, Counter[str]] = {}
        for quoted, true in pairs:
            if quoted.strip() and true.strip():
                found.setdefault(_indent(quoted), Counter())[_indent(true)] += 1
        self._same = all(quoted in trues and len(trues) == 1 for quoted, trues in found.items())
        self._map = {quoted: trues.most_common(1)[0][0] for quoted, trues in found.items()}
        self._last: tuple[str, str] | None = None

    def now(self, quoted: str, true: str) -> None:
        """The line before the next one, as quoted and as it is."""
        if quoted.strip() and true.strip():
            self._last = (_indent(quoted), _indent(true))

    def apply(self, line: str) -> str:
        if self._same or not self._map or not line.strip():
            return line if line.strip() or self._same else ""
        indent = _indent(line)
        if self._last is not None and self._last[0] == indent:
            return self._last[1] + line[len(indent) :]
        return self._shifted(indent) + line[len(indent) :]

    def _shifted(self, indent: str) -> str:
        if indent in self._map:
            return self._map[indent]
        shorter = [quoted for quoted in self._map if indent.startswith(quoted)]
        if shorter:
            base = max(shorter, key=len)
            true, rest = self._map[base], indent[len(base) :]
            return true + self._converted(rest)
        base = min(self._map, key=len)
        true = self._map[base]
        missing = base[len(indent) :] if base.startswith(indent) else base
        missing = self._converted(missing)
        return true[: len(true) - len(missing)] if true.endswith(missing) else indent

    def _converted(self, rest: str) -> str:
        """`rest` in the file's unit, where the file has tabs for the quote's spaces or the reverse."""
        for (q1, t1), (q2, t2) in pairwise(sorted(self._map.items(), key=lambda item: len(item[0]))):
            dq, dt = q2[len(q1) :], t2[len(t1) :]
            if dq and dt and set(dq) != set(dt) and len(rest) % len(dq) == 0 and set(rest) <= set(dq):
                return dt * (len(rest) // len(dq))
        return rest


# ---------------------------------------------------------------- elided middles

_ELISION_WORDS = (
    r"existing|rest|unchanged|same|remaining|remain|remains|previous|omitted|as before|other|others|more|"
    r"keep|no changes?|truncated|snip|skipped|original"
)
_DOTS = re.compile(
    r"^\s*(?:(?:#|//|--|;|%|/\*+|<!--|\{/\*|\*|'|\"\"\"|REM)\s{0,4})?(?:\.{3,}|…)"
    r"(?:\s{0,4}[^\n]{0,160}?)?\s*(?:\*/|-->|\*/\})?\s*$",
    re.I,
)
_COMMENTED = re.compile(
    r"^\s*(?:#|//|--|;|%|/\*+|<!--|\{/\*)\s{0,4}(?P<words>.{0,200}?)\s*(?:\*/|-->|\*/\})?\s*$"
)
_WORDS = re.compile(
    rf"^(?:\.{{2,}}|…|\(|\[)?\s{{0,4}}(?:the\s)?(?:{_ELISION_WORDS})\b.{{0,60}}\b"
    r"(?:code|file|unchanged|same|methods?|functions?|imports?|class(?:es)?|tests?|here|above|below|implementation|"
    r"content|logic|as before|lines|definitions?|fields|props|parts?)\b",
    re.I,
)


def is_elision(line: str) -> bool:
    """Whether the line stands for lines that were left out: ``...``, ``// ... existing code ...``,
    ``# rest of the file unchanged``."""
    if len(line) > 300:
        return False
    if _DOTS.match(line):
        words = line.strip().strip("#/*-<!>{};%.… ")
        return (
            not words
            or bool(re.search(rf"\b(?:{_ELISION_WORDS}|code)\b", words, re.I))
            or words.endswith("...")
        )
    if match := _COMMENTED.match(line):
        return bool(_WORDS.match(match["words"]))
    return False


def _segments(lines: Sequence[str]) -> list[list[str]]:
    segments: list[list[str]] = [[]]
    for line in lines:
        if is_elision(line):
            segments.append([])
        else:
            segments[-1].append(line)
    return segments


def _elided(index: Index, quoted: list[str], fresh: list[str]) -> Match | NoMatch:
    old, new = _segments(quoted), _segments(fresh)
    if len(old) != len(new):
        return NoMatch(
            "weak", "it leaves lines out of the quote that it does not leave out of the replacement"
        )
    edits: list[Edit] = []
    cursor = 0
    for search, put in zip(old, new, strict=True):
        if not any(line.strip() for line in search):
            if any(line.strip() for line in put):
                return NoMatch("weak", "it adds lines beside “…” and quotes none around them")
            continue
        change = Replace(_join(search, "\n"), _join(put, "\n"))
        found = _find_one(index, change, change.search, change.replace, 0, strict=True)
        if not isinstance(found, Match):
            return NoMatch(found.reason, f"of its parts between “…”, {found.message}", found.candidates)
        edit = found.edits[0]
        if edit.start < cursor:
            return NoMatch("weak", "its parts between “…” are not in the file's order")
        cursor = edit.end
        if index.text[edit.start : edit.end] != edit.text:
            edits.append(edit)
    return Match(tuple(edits), "elided")


# ---------------------------------------------------------------- fuzzy


def _telling(key: str) -> bool:
    return len(key) >= 4 and any(c.isalnum() for c in key)


def _fuzzy(index: Index, quoted: list[str], fresh: list[str]) -> Match | NoMatch:
    keys = index.keys
    search = [_lookalikes(line) for line in quoted]
    places = index.positions(search)
    votes: Counter[int] = Counter()
    for i, key in enumerate(search):
        where = places.get(key, [])
        if _telling(key) and 0 < len(where) <= 60:
            for p in where:
                votes[p - i] += 1
    slack = max(3, len(search) // 10)
    windows: list[int] = []
    for diagonal, _ in votes.most_common(60):
        if all(abs(diagonal - other) > slack for other in windows):
            windows.append(diagonal)
        if len(windows) == 6:
            break
    aligned = sorted(
        (_align(keys, search, max(0, w - slack), min(len(keys), w + len(search) + slack)) for w in windows),
        key=lambda a: -a.score,
    )
    candidates = tuple(
        Candidate(a.first, index.excerpt(a.first, a.last), round(a.score, 2)) for a in aligned[:3] if a.pairs
    )
    if not aligned:
        return NoMatch("not_found", "the quoted lines are not in the file", _nearest(index, keys, search))
    best = aligned[0]
    if best.score < FUZZY_SCORE or not best.anchored:
        return NoMatch("not_found", "the quoted lines are not in the file", candidates)
    rivals = [a for a in aligned[1:] if a.last <= best.first or a.first >= best.last]
    if rivals and best.score - rivals[0].score < FUZZY_MARGIN:
        return NoMatch("ambiguous", "the quoted lines resemble several places of the file", candidates)
    why = _unsafe(keys, search, quoted, fresh, best)
    if why:
        return NoMatch("weak", why, candidates)
    return Match((_rewrite(index, best.first, best.last, quoted, fresh, best.pairs),), "fuzzy")


@dataclass(frozen=True, slots=True)
class _Alignment:
    pairs: list[tuple[int, int]]
    similar: dict[int, float]
    """Similarity of each quoted line to its partner."""
    score: float
    first: int
    last: int
    anchored: bool


def _align(keys: list[str], search: list[str], low: int, high: int) -> _Alignment:
    from rapidfuzz import fuzz

    pairs: list[tuple[int, int]] = []
    similar: dict[int, float] = {}
    for equal, a1, a2, b1, b2 in diff_lines(search, keys[low:high]):
        if equal:
            for i in range(a2 - a1):
                pairs.append((a1 + i, low + b1 + i))
                similar[a1 + i] = 1.0
            continue
        at = low + b1
        for i in range(a1, a2):
            if not search[i]:
                continue
            options = range(at, min(low + b2, at + 12))
            scored = [(fuzz.ratio(search[i][:MAX_LINE], keys[k][:MAX_LINE]) / 100, k) for k in options]
            score, k = max(scored, key=lambda item: (item[0], -item[1]), default=(0.0, -1))
            if score >= FUZZY_LINE:
                pairs.append((i, k))
                similar[i] = score
                at = k + 1
    telling = [i for i, key in enumerate(search) if key]
    weight = sum(len(search[i]) + 4 for i in telling) or 1
    kept = sum(similar.get(i, 0.0) * (len(search[i]) + 4) for i in telling)
    if not pairs:
        return _Alignment([], {}, 0.0, low, low, False)
    # The window ends where lines of substance correspond, so that a stray brace far off stretches nothing.
    first, last = pairs[0][1], pairs[-1][1] + 1
    extra = sum(len(keys[k]) + 4 for k in set(range(first, last)) - {k for _, k in pairs} if keys[k])
    anchored = any(similar[i] == 1.0 and _telling(search[i]) for i, _ in pairs)
    return _Alignment(pairs, similar, kept / (weight + extra), first, last, anchored)


def _unsafe(keys: list[str], search: list[str], quoted: list[str], fresh: list[str], best: _Alignment) -> str:
    """Why the alignment must not be applied; "" where it may."""
    there = dict(best.pairs)
    for i, key in enumerate(search):
        if key and i not in there:
            return f"the file has no line like {quoted[i].strip()[:80]!r}"
    covered = set(there.values())
    for equal, a1, a2, _, _ in diff_lines(quoted, fresh):
        if equal or a1 == a2:
            continue
        inside = [there[i] for i in range(a1, a2) if i in there]
        if any(best.similar.get(i, 0.0) < FUZZY_CHANGED for i in range(a1, a2) if search[i]):
            return "it changes a line that it quoted wrongly"
        if not inside:
            continue
        for k in range(inside[0], inside[-1] + 1):
            if k not in covered and keys[k]:
                return "it replaces lines that it did not quote"
    return ""


def _nearest(index: Index, keys: list[str], search: list[str]) -> tuple[Candidate, ...]:
    """Where the longest quoted line comes closest, for the report."""
    from rapidfuzz import fuzz, process

    longest = max(range(len(search)), key=lambda i: len(search[i]))
    if len(search[longest]) > 1000 or len(keys) > 50_000 or max(map(len, keys), default=0) > MAX_LINE:
        return ()
    found = process.extract(search[longest], keys, scorer=fuzz.ratio, limit=2, score_cutoff=60)
    result = []
    for _, score, k in found:
        first = max(0, k - longest)
        result.append(Candidate(first, index.excerpt(first, first + len(search)), round(score / 100, 2)))
    return tuple(result)


# ---------------------------------------------------------------- whole files with elisions


def fill_in(before: str, new: str, excerpt: bool = False) -> str | NoMatch:
    """`new` with its "… rest unchanged …" lines replaced by what `before` has there. An `excerpt` leaves
    out lines before and after it without saying so.

    Lines that occur once on both sides anchor the text, and equal lines that adjoin an anchor; so do equal
    beginnings and ends. Between two anchors without an elision, `new` is the truth; at an elision, the
    file's lines stay. What cannot be placed that way is refused.
    """
    index = Index(before)
    fresh = [line.rstrip("\r\n") for line in split_lines(new)]
    while fresh and not fresh[-1].strip():
        fresh.pop()
    while fresh and not fresh[0].strip():
        fresh.pop(0)
    if excerpt:
        fresh = ["...", *fresh, "..."]
    old = [line.rstrip() for line in index.lines]
    trimmed = [line.rstrip() for line in fresh]
    known = {line.strip() for line in old}
    gaps = {i for i, line in enumerate(fresh) if is_elision(line) and line.strip() not in known}
    if excerpt:
        gaps |= {0, len(fresh) - 1}
    anchors = _anchor(old, trimmed, gaps)
    if not anchors:
        return NoMatch("weak", "none of its lines can be found in the file")
    out: list[str] = []
    i = k = 0  # in fresh, in old
    for j, m in [*sorted(anchors.items()), (len(fresh), len(old))]:
        elided = [n for n in range(i, j) if n in gaps]
        if not elided:
            out += fresh[i:j]
        else:
            inner = [fresh[n] for n in range(elided[0] + 1, elided[-1]) if n not in gaps]
            filled = _filled(
                fresh[i : elided[0]], fresh[elided[0]], index.lines[k:m], inner, fresh[elided[-1] + 1 : j]
            )
            if isinstance(filled, str):
                return NoMatch("weak", filled)
            out += filled
        if j < len(fresh):
            out.append(index.lines[m] if trimmed[j] == old[m] else fresh[j])
        i, k = j + 1, m + 1
    text = _join(out, index.ending)
    return text if before.endswith(("\n", "\r")) else text.removesuffix(index.ending)


def _filled(
    head: list[str], elision: str, kept: list[str], inner: list[str], tail: list[str]
) -> list[str] | str:
    """What stands for an elision and the lines around it that have no anchor: `head` ends what came before,
    `tail` begins what comes after, `inner` stands between two elisions. Or why that cannot be known."""
    if any(line.strip() for line in head):
        kept = kept[_superseded(head, elision, kept) :]
    if any(line.strip() for line in tail):
        cut = 0
        while cut < min(len(tail), len(kept)) and _alike(tail[-1 - cut], kept[-1 - cut]):
            cut += 1
        kept = kept[: len(kept) - cut]
    added = [*head, *inner, *tail]
    names = {name for line in kept if (name := _defined(line.strip()))}
    for line in added:
        name = _defined(line.strip())
        if name and name in names:
            return f"it is not clear which lines its {name!r} replaces"
    said = [line for line in inner if line.strip()]
    if said:
        last = next((line for line in reversed(kept) if line.strip()), "")
        if not _defined(said[0].strip()) or _indent(said[0]) != _indent(last):
            return f"it does not say where {said[0].strip()[:60]!r} belongs"
    return _spaced(head, kept, [*_blank_free(inner), *tail])


def _superseded(head: list[str], elision: str, kept: list[str]) -> int:
    """How many of the kept lines `head` stands for: up to the line that ends it, if that is still in the
    same block; else what is deeper than the elision, for an elision stands for lines at its own depth."""
    last = next(line for line in reversed(head) if line.strip())
    for n, line in enumerate(kept):
        if line.rstrip() == last.rstrip():
            return n + 1
        if line.strip() and len(_indent(line)) < len(_indent(last)):
            break
    n = 0
    while n < min(len(head), len(kept)) and _alike(head[n], kept[n]):
        n += 1
    depth = len(_indent(next(line for line in head if line.strip())))
    if depth > len(_indent(elision)):
        deep = 0
        while deep < len(kept) and (not kept[deep].strip() or len(_indent(kept[deep])) >= depth):
            deep += 1
        while deep and not kept[deep - 1].strip():
            deep -= 1
        n = max(n, deep)
    return n


def _alike(new: str, old: str) -> bool:
    """Whether the one line is plainly the other, changed."""
    from rapidfuzz import fuzz

    a, b = new.strip(), old.strip()
    name = _defined(a)
    if name and name == _defined(b):
        return True
    return _telling(a) and _telling(b) and fuzz.ratio(a[:400], b[:400]) >= 70


def _blank_free(lines: list[str]) -> list[str]:
    while lines and not lines[0].strip():
        lines = lines[1:]
    return lines


def _spaced(before: list[str], kept: list[str], after: list[str]) -> list[str]:
    """The three parts, with the blank lines at their seams not doubled."""
    if kept and before and not before[-1].strip() and not kept[0].strip():
        before = before[:-1]
    body = _blank_free(after)
    if kept and not kept[-1].strip():
        return [*before, *kept, *body]
    return [*before, *kept, *([""] if kept and body and len(body) < len(after) else []), *body]


_DEFINITION = re.compile(
    r"^(?:export\s+|default\s+|public\s+|private\s+|protected\s+|static\s+|async\s+|pub\s+|abstract\s+|final\s+|override\s+)*"
    r"(?:(?:def|class|function|func|fn|struct|enum|interface|trait|impl|type|module|const|let|var)\s+"
    r"(?:\([^)]{0,80}\)\s*)?(?P<name>[A-Za-z_$][\w$]{0,80})|(?P<method>[A-Za-z_$][\w$]{0,80})\s*\([^;]{0,300}\)\s*\{$)"
)


def _defined(line: str) -> str | None:
    match = _DEFINITION.match(line[:500])
    if not match:
        return None
    name = match["name"] or match["method"]
    return None if name in ("if", "for", "while", "switch", "catch", "with", "return") else name


def _anchor(old: list[str], new: list[str], gaps: set[int]) -> dict[int, int]:
    """Lines of `new` → lines of `old` that certainly correspond, in order on both sides."""
    there = Counter(old)
    here = Counter(line for i, line in enumerate(new) if i not in gaps)
    where = {line: i for i, line in enumerate(old) if there[line] == 1}
    pairs = [
        (i, where[line])
        for i, line in enumerate(new)
        if i not in gaps and here[line] == 1 and line in where and _telling(line.strip())
    ]
    chain = _increasing(pairs)
    anchors = dict(chain)
    first, last = 0, 0
    while first < min(len(new), len(old)) and first not in gaps and new[first] == old[first]:
        anchors[first] = first
        first += 1
    # From the end only lines no deeper than the last: inner closing lines belong to whatever is above them.
    depth = len(_indent(old[-1])) if old else 0
    while (
        last < min(len(new), len(old)) - first
        and len(new) - 1 - last not in gaps
        and new[-1 - last] == old[-1 - last]
        and len(_indent(old[-1 - last])) <= depth
        and old[-1 - last].strip()
    ):
        anchors[len(new) - 1 - last] = len(old) - 1 - last
        last += 1
    for step in (1, -1):
        for i, k in sorted(chain, reverse=step < 0):
            a, b = i + step, k + step
            while (
                0 <= a < len(new)
                and 0 <= b < len(old)
                and a not in gaps
                and a not in anchors
                and new[a] == old[b]
                # Upwards a closing brace may belong to something new above.
                and (step > 0 or _telling(new[a].strip()))
            ):
                anchors[a] = b
                a, b = a + step, b + step
    return dict(_increasing(sorted(anchors.items())))


def _increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest chain of `pairs` (sorted by the first) in which the second grows too."""
    from bisect import bisect_left

    tops: list[int] = []
    piles: list[int] = []
    back: list[int] = []
    for n, (_, k) in enumerate(pairs):
        at = bisect_left(tops, k)
        back.append(piles[at - 1] if at else -1)
        if at == len(tops):
            tops.append(k)
            piles.append(n)
        else:
            tops[at] = k
            piles[at] = n
    chain: list[tuple[int, int]] = []
    at = piles[-1] if piles else -1
    while at >= 0:
        chain.append(pairs[at])
        at = back[at]
    return chain[::-1]
