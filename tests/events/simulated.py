"""Simulated editors with people in front of them, of whom is known what they accepted.

Run it for the table: ``python tests/events/simulated.py [--seeds 20]``.

Each person types a real file (the standard library's) to its end. Now and then a suggestion shows up (the file's
own next text, or something else), and the person does one of `DEEDS` with it. What an editor tells of this
differs:

- ``vscode`` says what it shows, accepts by the item's command, tells parts and Escape, and sends each key.
- ``neovim`` says nothing of what it shows, accepts by the item's command, tells parts (as its plugins do), sends
  what was typed within 150 ms as one change, each the smallest difference of two texts.
- ``silent`` sends nothing but document changes; ``silent-full`` sends the whole text each time.
"""

from __future__ import annotations

import argparse
import json
import random
import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lido.events.attribution import Context, Tracker
from lido.events.schema import OUTCOMES, Event
from lido.workspace.documents import Documents

URI = "file:///w/file.py"
EDITORS = ("vscode", "neovim", "silent", "silent-full")
EXPLICIT = ("vscode",)
SEEN_AFTER = 0.75
FILES = (json, textwrap, argparse)

DEEDS = {
    "accept": 24,
    "accept, with an import elsewhere": 4,
    "accept the rest after some keys": 8,
    "accept over what stood there": 4,
    "accept word by word": 6,
    "accept a word, then type on": 8,
    "accept a line, then type on": 6,
    "type it to the end": 8,
    "type some, then differently": 8,
    "type differently": 12,
    "escape": 8,
    "edit elsewhere": 6,
    "close the file": 1,
    "overtake it": 8,
    "ask again, accept": 3,
}


class Memory:
    """A log that keeps what is recorded."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def remember_open(self, *_: str) -> None:
        pass

    def forget_open(self, _: str) -> None:
        pass

    def work(self, make: Callable[[], Event | None]) -> None:
        if (event := make()) is not None:
            self.events.append(event)


@dataclass
class Session:
    """One person, one editor, one file."""

    editor: str
    random: random.Random
    source: str
    log: Memory = field(default_factory=Memory)
    now: float = 1_700_000_000.0
    truth: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Of each suggestion that the person saw: the outcome, and how many characters were accepted."""

    def __post_init__(self) -> None:
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.documents = Documents()
        self.tracker = Tracker(
            self.log,  # type: ignore[arg-type]
            Context(editor=self.editor),
            later=lambda after, call: self.timers.append((self.now + after, call)),
            clock=lambda: self.now,
            elapsed=lambda: self.now,
            read=self.documents.get,
        )
        self.documents.listen(self.tracker.document_changed)
        self.documents.on_close(lambda document: self.tracker.document_closed(document.uri))
        self.documents.open(URI, "python", 0, "")
        self.text = ""  # the editor's buffer; the server's document may be a little behind
        self.unsent = ""

    # ------------------------------------------------------------------ the editor

    def wait(self, seconds: float) -> None:
        if self.unsent and seconds > 0.15:
            self.send()
        self.now += seconds
        for timer in sorted((t for t in self.timers if t[0] <= self.now), key=lambda t: t[0]):
            self.timers.remove(timer)
            timer[1]()

    def edit(self, *edits: tuple[int, int, str], key: bool = False) -> None:
        """One change of the buffer. Keys of a batching editor are sent together."""
        before = self.text
        for start, end, text in edits:
            self.text = self.text[:start] + text + self.text[end:]
        if self.editor == "neovim":
            if key:
                if self.now - getattr(self, "first_key", -1.0) > 0.15:
                    self.send()
                    self.first_key = self.now
                self.unsent = "keys"
                return
            self.send(before)
            self.send()
        elif self.editor == "silent-full":
            version = self.version()
            self.documents.change(URI, version, [(None, self.text)], "utf-16")
        else:
            self.documents.replace(URI, self.version(), edits)

    def send(self, upto: str | None = None) -> None:
        """The smallest difference between what the server has and the buffer, as Neovim finds it: the
        common beginning first, then the common end."""
        old, new = self.document(), self.text if upto is None else upto
        self.unsent = ""
        if old == new:
            return
        head = next(
            (n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
        )
        tail = 0
        while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
            tail += 1
        self.documents.replace(URI, self.version(), [(head, len(old) - tail, new[head : len(new) - tail])])

    def document(self) -> str:
        document = self.documents.get(URI)
        assert document
        return document.text

    def version(self) -> int:
        document = self.documents.get(URI)
        assert document
        return document.version + 1

    def key(self, at: int, character: str) -> None:
        """One keystroke; a new line brings its indentation, as editors do."""
        self.wait(self.random.uniform(0.06, 0.28))
        self.edit((at, at, character), key=True)

    def suggest(self, at: int, text: str) -> str:
        if self.unsent:
            self.send()  # every editor sends its changes before it asks
        identifier = self.tracker.requested("completion", "python", "m", "b")
        self.wait(self.random.uniform(0.02, 0.14))
        self.tracker.answered(identifier, text, uri=URI, start=at, latency_ms=5)
        if self.editor == "vscode":
            self.tracker.shown(identifier)
        else:
            version = self.version()
            self.timers.append(
                (self.now + SEEN_AFTER, lambda: self.version() == version and self.tracker.shown(identifier))
            )
        return identifier

    def accept(self, identifier: str, *edits: tuple[int, int, str]) -> None:
        self.edit(*edits)
        if self.editor in ("vscode", "neovim"):
            self.tracker.accepted(identifier)

    def part(self, identifier: str, at: int, text: str, total: int) -> None:
        self.edit((at, at, text))
        if self.editor in ("vscode", "neovim"):
            self.tracker.partially_accepted(identifier, total)

    # ------------------------------------------------------------------ the person

    def run(self) -> None:
        """Types the file, meeting suggestions on the way."""
        at = 0
        deeds, weights = list(DEEDS), list(DEEDS.values())
        while at < len(self.source) - 200:
            for _ in range(self.random.randint(1, 12)):
                at = self.type(at)
            deed = self.random.choices(deeds, weights)[0]
            at = self.deed(deed, at)
        self.wait(2)
        self.send() if self.editor == "neovim" else None
        self.tracker.close()

    def type(self, at: int) -> int:
        """The file's next key."""
        character = self.source[at]
        if character == "\n":
            rest = self.source[at + 1 :]
            character += rest[: len(rest) - len(rest.lstrip(" "))]
        self.key(at, character)
        return at + len(character)

    def words(self, text: str) -> list[str]:
        """As editors cut them: a word and the blanks behind it."""
        import re

        return re.findall(r"\s*\w+\s?|\s*[^\w\s]+\s?|\s+", text)

    def deed(self, deed: str, at: int) -> int:
        rest = self.source[at:]
        if not rest.strip() or not self.text.endswith(self.source[:at][-1:]):
            return at
        lines = rest.split("\n")
        length = len(lines[0]) or 1
        if self.random.random() < 0.3 or "a line" in deed:
            length = sum(len(line) + 1 for line in lines[: self.random.randint(2, 4)]) - 1
        text = rest[:length].rstrip()
        if len(text.strip()) < 4 or text[0] == "\n":
            return at
        wrong = deed in (
            "type differently",
            "type some, then differently",
            "escape",
            "edit elsewhere",
            "overtake it",
        )
        look = self.random.uniform(0.8, 3)
        cut = 0
        if wrong:
            cut = self.random.randint(1, len(text) - 1) if "some" in deed else 0
            text = text[:cut] + self.other(text[cut:])
        identifier = self.suggest(at, text)
        if deed == "overtake it":  # typing on before it could be seen
            seen = self.editor == "vscode"
            if seen:
                self.truth[identifier] = "rejected", 0
            return self.type(at)
        self.wait(look)
        match deed:
            case "accept":
                self.accept(identifier, (at, at, text))
                return self.outcome(identifier, "accepted", text, at)
            case "accept, with an import elsewhere":
                extra = "import os\n"
                self.accept(identifier, (at, at, text), (0, 0, extra))
                self.source = extra + self.source
                return self.outcome(identifier, "accepted", text, at + len(extra))
            case "accept over what stood there":
                # The item's range began earlier: the editor replaces the line from there.
                back = min(3, at, len(self.source[:at]) - self.source[:at].rfind("\n") - 1)
                self.accept(identifier, (at - back, at, self.source[at - back : at] + text))
                return self.outcome(identifier, "accepted", text, at)
            case "accept the rest after some keys":
                keys = self.random.randint(1, max(1, min(5, len(text) - 3)))
                if "\n" in text[:keys] or len(text) - keys < 2:
                    keys = 1
                for n in range(keys):
                    self.key(at + n, text[n])
                self.wait(0.5)
                self.accept(identifier, (at + keys, at + keys, text[keys:]))
                return self.outcome(identifier, "accepted", text, at)
            case "accept word by word":
                done = 0
                for word in self.words(text):
                    self.wait(0.4)
                    done += len(word)
                    self.part(identifier, at + done - len(word), word, done)
                return self.outcome(identifier, "accepted", text, at)
            case "accept a word, then type on" | "accept a line, then type on":
                piece = self.words(text)[0] if "word" in deed else text.split("\n")[0]
                if len(piece) >= len(text) or len(piece.strip()) < 1:
                    self.accept(identifier, (at, at, text))
                    return self.outcome(identifier, "accepted", text, at)
                self.part(identifier, at, piece, len(piece))
                self.wait(0.5)
                self.differ(at + len(piece), text[len(piece)])
                self.truth[identifier] = "partially_accepted", len(piece)
                return at + len(piece)
            case "type it to the end":
                end = at + len(text)
                while at < end:
                    at = self.type(at)
                self.truth[identifier] = "ignored", 0
                return at
            case "type some, then differently":
                for _ in range(cut):
                    at = self.type(at)
                    if at >= len(self.source):
                        break
                at = self.type(at)
                self.truth[identifier] = "rejected", 0
                return at
            case "type differently":
                self.truth[identifier] = "rejected", 0
                return self.type(at)
            case "escape":
                if self.editor == "vscode":
                    self.tracker.rejected(identifier, "escape")
                self.truth[identifier] = "rejected", 0
                return self.type(at)
            case "edit elsewhere":
                self.edit((0, 0, "# "))
                self.source = "# " + self.source
                at += 2
                if at < 60 or self.editor in ("neovim", "silent-full"):
                    pass
                self.edit((len(self.text), len(self.text), "\n"))
                self.edit((len(self.text) - 1, len(self.text), ""))
                self.truth[identifier] = "rejected", 0
                return at
            case "close the file":
                if self.editor == "neovim":
                    self.send()
                self.documents.close(URI)
                self.documents.open(URI, "python", 0, self.text)
                self.truth[identifier] = "rejected", 0
                return at
            case "ask again, accept":
                again = self.suggest(at, text)
                self.wait(look)
                self.accept(again, (at, at, text))
                self.truth[identifier] = "ignored", 0
                return self.outcome(again, "accepted", text, at)
        raise AssertionError(deed)

    def other(self, text: str) -> str:
        """Something of the same kind that does not begin like `text`."""
        first = self.random.choice([c for c in "qzwjk%@" if c != text[:1]])
        return first + "".join(self.random.sample("abcdefgh(). \n", min(8, len(text) + 2))).rstrip()

    def differ(self, at: int, than: str) -> None:
        """One key that is not `than`, and taken back."""
        character = next(c for c in "qz" if c != than)
        self.key(at, character)
        self.wait(0.3)
        self.edit((at, at + 1, ""))

    def outcome(self, identifier: str, kind: str, text: str, at: int) -> int:
        self.truth[identifier] = kind, len(text)
        return at + len(text)

    # ------------------------------------------------------------------ judging

    def judged(self) -> Iterator[tuple[str, str]]:
        """(true, recorded) outcome of each suggestion that either side knows of."""
        recorded = {e.suggestion_id: e.kind for e in self.log.events if e.kind in OUTCOMES}
        for identifier in self.truth.keys() | recorded.keys():
            yield self.truth.get(identifier, ("unseen", 0))[0], recorded.get(identifier, "unseen")


def sources() -> list[str]:
    texts = []
    for module in FILES:
        assert module.__file__
        texts.append(Path(module.__file__).read_text(encoding="utf-8"))
    return texts


def run(editor: str, seed: int, length: int = 6000) -> Session:
    chance = random.Random(seed)
    text = sources()[seed % len(FILES)]
    start = chance.randint(0, max(0, len(text) - length))
    session = Session(editor, chance, text[start : start + length])
    session.run()
    return session


@dataclass
class Score:
    """Of one editor and one outcome."""

    right: int = 0
    said: int = 0
    true: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 1.0


def scores(editor: str, seeds: range, length: int = 6000) -> dict[str, Score]:
    """By outcome, and "all": each suggestion once."""
    found: dict[str, Score] = defaultdict(Score)
    for seed in seeds:
        for true, said in run(editor, seed, length).judged():
            for name, is_true, is_said in (
                (said, False, True),
                (true, True, False),
                ("all", true != "unseen", said != "unseen"),
            ):
                if name != "unseen":
                    found[name].true += is_true
                    found[name].said += is_said
            if true == said:
                found[true].right += 1
                found["all"].right += 1
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=20)
    seeds = range(arguments.parse_args().seeds)
    print(f"{'editor':12} {'outcome':20} {'suggestions':>11} {'precision':>9} {'recall':>7}")
    for editor in EDITORS:
        for name, score in sorted(scores(editor, seeds).items()):
            print(f"{editor:12} {name:20} {score.true:11} {score.precision:9.4f} {score.recall:7.4f}")


def confusion(editor: str, seeds: range) -> Counter[Any]:
    return Counter(pair for seed in seeds for pair in run(editor, seed).judged() if pair[0] != pair[1])


if __name__ == "__main__":
    main()
