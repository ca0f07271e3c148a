"""Small filters between the model's words and the person's eyes.

Each takes the text as it is so far and the place where it is to stand, and gives the text back, shortened
or empty. They are pure; `FILTERS` is their order. `syntax_kept` comes after them, in `shaping`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lido.completion.prompt import HOLE, SPECIAL
from lido.workspace.privacy import find_secrets

Mode = Literal["line", "statement", "block"]
"""How far a completion reaches: to the line's end, to the end of one statement with its body, or to the end
of the block that the cursor stands in."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a completion is to stand. `prefix` and `suffix` are the code around the cursor (cut far away
    from it is fine), with ``\\n`` as line ends."""

    prefix: str
    suffix: str
    language: str = ""
    mode: Mode = "block"
    max_lines: int = 24

    @property
    def multiline(self) -> bool:
        return self.mode != "line"

    @property
    def line_before(self) -> str:
        """The cursor's line, up to the cursor."""
        return self.prefix[self.prefix.rfind("\n") + 1 :]

    @property
    def line_after(self) -> str:
        """The rest of the cursor's line, without its ending."""
        return self.suffix.split("\n", 1)[0]

    @property
    def indent(self) -> str:
        """White space at the beginning of the cursor's line, up to the cursor."""
        line = self.line_before
        return line[: len(line) - len(line.lstrip())]

    @property
    def following(self) -> list[str]:
        """Lines after the cursor's, at most forty."""
        return self.suffix[:8000].split("\n")[1:41]


Filter = Callable[[str, Place], str]

_WORD = re.compile(r"\w")
_CLOSERS = frozenset(")]};,:\"'`> \t")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def special_tokens(text: str, place: Place) -> str:  # noqa: ARG001
    """Ends before the first control token that the backend let through."""
    ends = [at for token in SPECIAL if len(token) > 4 and (at := text.find(token)) >= 0]
    return text[: min(ends)] if ends else text


def unix_endings(text: str, place: Place) -> str:  # noqa: ARG001
    """One kind of line break; the document's own comes back at the end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


_FENCE = re.compile(r"\A\s*```[\w+#.-]*[ \t]*\n(.*?)(?:\n?[ \t]*```.*)?\Z", re.S)


def code_fence(text: str, place: Place) -> str:
    """Takes the code out of a Markdown fence; Markdown itself keeps its fences."""
    if place.language == "markdown":
        return text
    match = _FENCE.match(text)
    text = match[1] if match else text
    return text.replace(HOLE, "")


def prompt_echo(text: str, place: Place) -> str:
    """Drops a beginning that repeats what stands before the cursor on its line."""
    before = place.line_before
    if len(before.strip()) >= 2 and text.startswith(before):
        return text[len(before) :]
    stripped = before.lstrip()
    if len(stripped) >= 3 and not stripped.isspace() and text.startswith(stripped):
        echoed = text[len(stripped) :]
        # `x.x.` and `--` repeat themselves rightly; a whole statement does not.
        if len(stripped.strip()) >= 4 and re.search(r"\W", stripped.strip()):
            return echoed
    return text


def first_indentation(text: str, place: Place) -> str:
    """On a line that is still blank: the indentation that is there already is not written again."""
    before = place.line_before
    if before.strip() or not before:
        return text
    lead = len(text) - len(text.lstrip(" \t"))
    if lead == 0 or text[lead : lead + 1] == "\n":
        return text
    return text[lead:] if lead >= len(before) or lead % max(len(before), 1) == 0 else text


def tabs_or_spaces(text: str, place: Place) -> str:
    """Indents as the document does."""
    if "\n" not in text:
        return text
    around = place.prefix[-4000:] + place.suffix[:4000]
    tabs = len(re.findall(r"(?m)^\t", around))
    spaces = len(re.findall(r"(?m)^ {2,}", around))
    if tabs > spaces and re.search(r"(?m)^ {2,}\S", text):
        width = min((len(m) for m in re.findall(r"(?m)^( {2,})\S", text)), default=4)
        width = width if width in (2, 4, 8) else 4
        return re.sub(r"(?m)^ {2,}", lambda m: "\t" * (len(m[0]) // width) + " " * (len(m[0]) % width), text)
    return text


def single_line(text: str, place: Place) -> str:
    """Where one line is wanted: the first. Nothing where the person's line is whole and the model begins a
    new one, but for the bracket that closes the block."""
    if place.mode == "statement" and place.line_before.strip() and text.lstrip(" \t").startswith("\n"):
        return text if text.lstrip()[:1] in _PAIRS else ""
    if place.multiline:
        return text
    if text.startswith("\n") and place.line_before.strip():
        return ""
    return text.lstrip("\n").split("\n", 1)[0]


def block(text: str, place: Place) -> str:
    """Ends with the block that the cursor stands in."""
    if not place.multiline:
        return text
    return text[: block_end(text, place)]


def block_end(text: str, place: Place) -> int:
    """Where the block that the text begins in ends; its length where it goes on."""
    base = width(place.indent)
    opened = bool(place.line_before.strip()) and opens(place.line_before)
    begun = place.line_before if place.line_before.strip() else ""
    at = 0
    blank = 0
    lines = text.split("\n")
    seen = False
    for number, line in enumerate(lines):
        end = at + len(line)
        content = line.strip()
        if number and content:
            indent = width(line[: len(line) - len(line.lstrip())])
            closes = content[0] in ")]}" or content in ("end", "fi", "done", "esac")
            if seen and place.mode == "statement":
                if _depth(begun + text[:at]) > 0:  # within brackets, indentation tells nothing
                    if _depth(begun + text[:end]) <= 0 and not opens(line):
                        return end
                    at = end + 1
                    blank = 0
                    if number + 1 >= place.max_lines:
                        return end
                    continue
                word = closes and content[0] not in _PAIRS
                if indent <= base and content[0] != "{":
                    return end if word and opens_word(begun + text[:at]) else _before_blank(text, at)
            if seen and (indent < base or (opened and indent <= base)):
                if closes and _wanted(text[:at], content[0], place):
                    return end
                return max(at - 1, 0)
            if seen and blank and indent <= base and not closes and base == 0:
                return _before_blank(text, at)
            if blank >= 2:
                return _before_blank(text, at)
        if content:
            seen, blank = True, 0
            if place.mode == "statement" and begun and number + 1 < len(lines):
                whole = begun + text[:end]
                brace = lines[number + 1].strip()[:1] == "{" or (
                    place.language in _BRACE_BELOW and number + 2 == len(lines) and not lines[-1].strip()
                )
                if "\n" not in whole.strip() and not opens(whole) and _depth(whole) <= 0 and not brace:
                    return end
        elif number:
            blank += 1
        if number + 1 >= place.max_lines:
            return end
        at = end + 1
    return len(text)


_BRACE_BELOW = frozenset(("csharp", "c", "cpp", "java", "php"))


def opens_word(text: str) -> bool:
    """Whether the text's first line opens a block that a word like `end` closes."""
    first = text.strip().split("\n", 1)[0]
    return bool(
        re.match(r"(?:def|if|unless|while|until|for|do|class|module|function|local function|case)\b", first)
    )


def _depth(text: str) -> int:
    """Brackets opened and not closed."""
    bare = _STRINGS.sub("", text)
    return sum(bare.count(c) for c in "([{") - sum(bare.count(c) for c in ")]}")


def _before_blank(text: str, at: int) -> int:
    return len(text[:at].rstrip())


def width(indent: str) -> int:
    """Columns; a tab reaches to the next multiple of four."""
    return len(indent.expandtabs(4))


def opens(line: str) -> bool:
    """Whether the line begins a block or an unfinished expression."""
    return line.rstrip().endswith(("{", ":", "(", "[", "=>", "->", " do", " then", "="))


def _wanted(inner: str, closer: str, place: Place) -> bool:
    """Whether a closing bracket that ends the block is still missing after the cursor."""
    if closer not in _PAIRS:
        following = next((line.strip() for line in [place.line_after, *place.following] if line.strip()), "")
        return following not in ("end", "fi", "done", "esac")
    following = next((line.strip() for line in [place.line_after, *place.following] if line.strip()), "")
    depth = inner.count(_PAIRS[closer]) - inner.count(closer)
    return depth > 0 or not following.startswith(closer)


def following_lines(text: str, place: Place) -> str:
    """Ends before lines that stand after the cursor already."""
    following = [line.strip() for line in place.following if line.strip()][:3]
    if not following:
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.strip() != following[0]:
            continue
        ahead = [later.strip() for later in lines[number:] if later.strip()][: len(following)]
        telling = len(following[0]) >= 4 and re.search(r"\w{2}", following[0])
        matches = ahead == following[: len(ahead)]
        if matches and (telling or (len(ahead) > 1 and number)):
            if number == 0:
                return "" if not place.line_before.strip() else text
            return "\n".join(lines[:number])
    return text


def suffix_overlap(text: str, place: Place) -> str:
    """Drops an end that the rest of the cursor's line has already, unless the text needs it itself."""
    after = place.line_after.rstrip()
    if not after.strip() or not text:
        return text
    body, last = text.rsplit("\n", 1) if "\n" in text else ("", text)
    wanted = after.strip()
    stripped = last.rstrip()
    for length in range(min(len(stripped), len(wanted)), 0, -1):
        if not stripped.endswith(wanted[:length]):
            continue
        overlap = wanted[:length]
        if not _WORD.search(overlap) and length < len(wanted) and not set(overlap) <= set(")]};,"):
            continue
        if _WORD.match(overlap) and length < 3 and length < len(wanted):
            continue
        shorter = stripped[: len(stripped) - length]
        if set(overlap) & set(")]}") and unmatched(text) < overlap_closers(overlap):
            continue
        return (body + "\n" if "\n" in text else "") + shorter
    return text


def overlap_closers(overlap: str) -> int:
    return sum(character in ")]}" for character in overlap)


_STRINGS = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`")


def unmatched(text: str) -> int:
    """Closing brackets in `text` that open nothing in it; strings are looked over."""
    stack: list[str] = []
    count = 0
    for character in _STRINGS.sub("", text):
        if character in "([{":
            stack.append(character)
        elif character in _PAIRS:
            if stack and stack[-1] == _PAIRS[character]:
                stack.pop()
            else:
                count += 1
    return count


def unclosed(text: str) -> str:
    """The brackets that would close what `text` leaves open, in order; "" where they do not match."""
    stack: list[str] = []
    for character in _STRINGS.sub("", text):
        if character in "([{":
            stack.append(character)
        elif character in _PAIRS and (not stack or stack.pop() != _PAIRS[character]):
            return ""
    return "".join({"(": ")", "[": "]", "{": "}"}[opening] for opening in reversed(stack))


def brackets(text: str, place: Place) -> str:
    """Ends before a closing bracket that nothing before the cursor opens, or that stands there already."""
    open_before: list[str] = []
    for character in _STRINGS.sub("", place.prefix[-3000:]):
        if character in "([{":
            open_before.append(character)
        elif character in _PAIRS and open_before and open_before[-1] == _PAIRS[character]:
            open_before.pop()
    closing_after = _leading_closers(place.suffix)
    quotes = {match.start(): match.end() for match in _STRINGS.finditer(text)}
    available = len(open_before) - closing_after
    truncated = len(place.prefix) > 3000
    at = 0
    stack: list[str] = []
    while at < len(text):
        if at in quotes:
            at = quotes[at]
            continue
        character = text[at]
        if character in "([{":
            stack.append(character)
        elif character in _PAIRS:
            if stack and stack[-1] == _PAIRS[character]:
                stack.pop()
            else:
                available -= 1
                if available < 0 and not truncated:
                    return text[:at].rstrip() if text[:at].strip() else ""
        at += 1
    return text


def _leading_closers(suffix: str) -> int:
    """Closing brackets right after the cursor on its line."""
    line = suffix.split("\n", 1)[0]
    count = 0
    for character in line:
        if character in ")]}":
            count += 1
        elif character not in _CLOSERS:
            break
    return count


def repetition(text: str, place: Place) -> str:
    """Ends where the model goes round in circles."""
    lines = text.split("\n")
    for number in range(2, len(lines)):
        for period in (1, 2, 3):
            if number + 1 < 3 * period:
                continue
            last = [line.strip() for line in lines[number + 1 - period : number + 1]]
            if not any(len(line) > 3 for line in last):
                continue
            before = [line.strip() for line in lines[number + 1 - 2 * period : number + 1 - period]]
            third = [line.strip() for line in lines[number + 1 - 3 * period : number + 1 - 2 * period]]
            if last == before == third:
                return "\n".join(lines[: number + 1 - 2 * period])
    match = re.search(r"(.{2,40}?)\1{7,}", text)
    if match and match[1].strip() and not re.fullmatch(r"[-=*#_~. ]+", match[1]):
        return text[: match.start() + len(match[1])]
    earlier = [line.strip() for line in place.prefix[-2000:].split("\n")[:-1] if line.strip()]
    stripped = [line.strip() for line in lines if line.strip()]
    if len(stripped) >= 2 and len(earlier) >= 3 and stripped[0] == earlier[-1] and len(stripped[0]) > 8:
        # The same lines as those just before the cursor.
        size = min(len(stripped), len(earlier))
        if stripped[:size] == earlier[-size:]:
            return ""
    return text


_LICENCE = re.compile(
    r"(?i)copyright \(c\)|copyright ©|spdx-license-identifier|all rights reserved|"
    r"licensed under the (?:apache|mit|gnu|bsd)|permission is hereby granted"
)


def licence_header(text: str, place: Place) -> str:
    """No licence texts, unless that is what the person writes."""
    match = _LICENCE.search(text)
    if match is None or _LICENCE.search(place.prefix[-400:]):
        return text
    return text[: text.rfind("\n", 0, match.start()) + 1].rstrip()


def secrets(text: str, place: Place) -> str:
    """Nothing that looks like a key or password: the model made it up, or learned someone's."""
    line = place.line_before
    spans = find_secrets(line + text)
    return "" if any(end > len(line) for _, end in spans) else text


def mid_word(text: str, place: Place) -> str:
    """Inside a word nothing is offered, save what ends in the rest of that word."""
    if place.suffix[:1].isidentifier() and place.prefix[-1:].isidentifier():
        return ""
    return text


def same_as_following(text: str, place: Place) -> str:
    """Nothing that stands right after the cursor already."""
    wanted = text.strip()
    return "" if wanted and place.line_after.strip() == wanted else text


def trailing_space(text: str, place: Place) -> str:
    """No blanks at line ends, nor empty lines at the end."""
    text = re.sub(r"[ \t]+(?=\n)", "", text)
    return text.rstrip() if not place.line_after.strip() else text.rstrip("\n")


def only_whitespace(text: str, place: Place) -> str:  # noqa: ARG001
    """Nothing to see is nothing to offer."""
    return text if text.strip() else ""


FILTERS: tuple[Filter, ...] = (
    special_tokens,
    unix_endings,
    code_fence,
    prompt_echo,
    mid_word,
    first_indentation,
    tabs_or_spaces,
    repetition,
    single_line,
    block,
    following_lines,
    suffix_overlap,
    brackets,
    same_as_following,
    licence_header,
    secrets,
    trailing_space,
    only_whitespace,
)
"""In the order they run."""
