"""Every suggestion that is shown ends in exactly one outcome, whoever says so, or nobody."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.events import attribution
from lido.events.attribution import Context, Tracker
from lido.events.retention import similarity
from lido.events.schema import OUTCOMES, Event
from lido.events.store import EventLog
from lido.workspace.documents import Documents

URI = "file:///w/a.py"


class Memory:
    """A log that keeps what is recorded; the store has tests of its own."""

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

    def kinds(self) -> Counter[str]:
        return Counter(event.kind for event in self.events)


class Editor:
    """Types into one document and shows suggestions in it, saying nothing but what changed."""

    def __init__(self, text: str = "x = \n") -> None:
        self.log = Memory()
        self.now = 1000.0
        self.timers: list[tuple[float, object]] = []
        self.documents = Documents()
        self.tracker = Tracker(
            self.log,  # type: ignore[arg-type]
            Context(editor="test"),
            later=lambda after, call: self.timers.append((self.now + after, call)),
            clock=lambda: self.now,
            elapsed=lambda: self.now,
            read=self.documents.get,
        )
        self.documents.listen(self.tracker.document_changed)
        self.documents.on_close(lambda document: self.tracker.document_closed(document.uri))
        self.documents.open(URI, "python", 0, text)

    def suggest(self, text: str, offset: int) -> str:
        identifier = self.tracker.requested("completion", "python", "m", "b")
        self.tracker.answered(identifier, text, uri=URI, start=offset, latency_ms=5)
        self.tracker.shown(identifier)
        return identifier

    def edit(self, start: int, end: int, text: str) -> None:
        document = self.documents.get(URI)
        assert document
        self.documents.replace(URI, document.version + 1, [(start, end, text)])

    def wait(self, seconds: float) -> None:
        self.now += seconds
        due = sorted((at, n) for n, (at, _) in enumerate(self.timers) if at <= self.now)
        calls = [self.timers[n][1] for _, n in due]
        self.timers = [timer for timer in self.timers if timer[0] > self.now]
        for call in calls:
            call()  # type: ignore[operator]

    def outcome(self) -> tuple[str, str]:
        self.wait(attribution.SETTLE)
        ended = [event for event in self.log.events if event.kind in OUTCOMES]
        assert len(ended) == 1
        return ended[0].kind, ended[0].reason


def test_inserting_the_whole_of_it_is_an_acceptance() -> None:
    editor = Editor()
    editor.suggest("foo(bar)", 4)
    editor.edit(4, 4, "foo(bar)")
    assert editor.outcome() == ("accepted", "inferred")


def test_word_by_word_to_the_end_is_an_acceptance() -> None:
    editor = Editor()
    editor.suggest("foo bar", 4)
    editor.edit(4, 4, "foo ")
    assert editor.log.kinds()["accepted"] == 0
    editor.edit(8, 8, "bar")
    assert editor.outcome()[0] == "accepted"


def test_a_word_and_then_something_else_is_a_part() -> None:
    editor = Editor()
    editor.suggest("foo bar", 4)
    editor.edit(4, 4, "foo ")
    editor.edit(8, 8, "z")
    assert editor.outcome()[0] == "partially_accepted"
    assert next(e for e in editor.log.events if e.kind == "partially_accepted").accepted_characters == 4


def test_typing_it_by_hand_is_no_acceptance() -> None:
    editor = Editor()
    editor.suggest("foo", 4)
    for at, character in enumerate("foo"):
        editor.edit(4 + at, 4 + at, character)
    assert editor.outcome() == ("ignored", "typed")


def test_typing_a_part_and_accepting_the_rest_is_an_acceptance() -> None:
    editor = Editor()
    editor.suggest("foobar", 4)
    editor.edit(4, 4, "f")
    editor.edit(5, 5, "oobar")
    assert editor.outcome()[0] == "accepted"


def test_typing_something_else_is_a_rejection() -> None:
    editor = Editor()
    editor.suggest("foo", 4)
    editor.edit(4, 4, "f")
    editor.edit(5, 5, "x")
    assert editor.outcome() == ("rejected", "typed differently")


def test_an_edit_elsewhere_is_a_rejection_and_one_before_it_moves_the_place() -> None:
    editor = Editor("a\nb\nc\n")
    editor.suggest("foo", 3)
    editor.edit(5, 5, "zz")
    assert editor.outcome()[0] == "rejected"
    editor = Editor("a\nb\nc\n")
    editor.suggest("foo", 3)
    editor.edit(0, 1, "long")
    editor.edit(6, 6, "foo")
    assert editor.outcome()[0] == "accepted"


def test_an_editor_that_replaces_what_was_typed_is_understood() -> None:
    editor = Editor("x = fo\n")
    identifier = editor.tracker.requested("completion")
    editor.tracker.answered(identifier, "foobar", uri=URI, start=4, matched=2)
    editor.tracker.shown(identifier)
    editor.edit(4, 6, "foobar")
    assert editor.outcome()[0] == "accepted"


def test_what_was_never_shown_owes_no_outcome() -> None:
    editor = Editor()
    identifier = editor.tracker.requested("completion")
    editor.tracker.answered(identifier, "foo", uri=URI, start=4)
    editor.tracker.close()
    assert set(editor.log.kinds()) == {"requested"}


def test_what_nobody_looked_at_goes_with_the_dismissed_one() -> None:
    editor = Editor()
    shown = editor.suggest("compute()", 4)
    other = editor.tracker.requested("completion", "python", "m", "b")
    editor.tracker.answered(other, "compute(1)", uri=URI, start=4)
    editor.tracker.rejected(shown, "escape")
    editor.edit(4, 4, "compute(1)")
    assert editor.log.kinds() == {"requested": 2, "shown": 1, "rejected": 1}


def test_retention_follows_the_text_through_later_edits() -> None:
    editor = Editor()
    editor.suggest("abcdefgh", 4)
    editor.edit(4, 4, "abcdefgh")
    editor.edit(0, 0, "# above\n")
    editor.wait(31)
    editor.edit(12, 16, "")
    editor.wait(100)
    editor.edit(12, 16, "")
    editor.wait(600)
    kept = [(e.after_seconds, e.retained_fraction) for e in editor.log.events if e.kind == "retained"]
    assert [fraction for _, fraction in kept] == [1.0, 0.5, 0.0]
    assert kept[0][0] == pytest.approx(31)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("suggest"), st.text("abc\n", min_size=1, max_size=6)),
        st.tuples(st.just("type"), st.sampled_from("abc\n")),
        st.tuples(st.just("paste"), st.text("abc", max_size=5)),
        st.tuples(
            st.sampled_from(["accept", "partly", "reject", "shown", "ignore", "back", "close"]), st.just("")
        ),
    ),
    max_size=25,
)


@given(ACTIONS)
def test_shown_is_the_sum_of_outcomes_whatever_happens(actions: list[tuple[str, str]]) -> None:
    editor = Editor("")
    ids = ["none"]
    for action, text in actions:
        document = editor.documents.get(URI)
        if document is None:
            document = editor.documents.open(URI, "python", 0, "")
        end = document.length
        match action:
            case "suggest":
                ids.append(editor.suggest(text, end))
            case "type" | "paste":
                editor.edit(end, end, text)
            case "back":
                editor.edit(max(0, end - 1), end, "")
            case "accept":
                editor.tracker.accepted(ids[-1])
            case "partly":
                editor.tracker.partially_accepted(ids[-1], 1)
            case "reject":
                editor.tracker.rejected(ids[-1], "escape")
            case "ignore":
                editor.tracker.ignored(ids[-1])
            case "shown":
                editor.tracker.shown(ids[-1])
            case "close":
                editor.documents.close(URI)
    editor.tracker.close()
    per_suggestion = Counter(
        (e.suggestion_id, e.kind in OUTCOMES) for e in editor.log.events if e.kind != "requested"
    )
    for identifier in {e.suggestion_id for e in editor.log.events if e.kind == "shown"}:
        assert per_suggestion[identifier, True] == 1
    kinds = editor.log.kinds()
    assert kinds["shown"] == sum(kinds[outcome] for outcome in OUTCOMES)


@given(st.text(max_size=30), st.text(max_size=30))
def test_similarity_is_a_fraction(one: str, two: str) -> None:
    assert 0 <= similarity(one, two) <= 1
    assert similarity(one, one) == 1


WORKER = """
import sys, filelock
from pathlib import Path
from lido.events.attribution import Context, Tracker
from lido.events.store import EventLog
home, session = Path(sys.argv[1]), sys.argv[2]
(home / "sessions").mkdir(exist_ok=True)
lock = filelock.FileLock(home / "sessions" / f"{session}.lock"); lock.acquire()
log = EventLog(home / "events.sqlite3")
tracker = Tracker(log, Context(), session)
for number in range(3):
    identifier = tracker.requested("completion")
    tracker.answered(identifier, "abcdef")
    tracker.shown(identifier)
    if number == 1: tracker.partially_accepted(identifier, 2)
    if number == 2: tracker.accepted(identifier)
log.flush_sync()
print("ready", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_server_left_open_is_ended_by_the_next_and_only_once(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path), "s1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdout
        assert worker.stdout.readline() == b"ready\n"
        path, sessions = tmp_path / "events.sqlite3", tmp_path / "sessions"
        assert attribution.recover(path, sessions) == 0, "it still lives"
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    assert attribution.recover(path, sessions) == 2
    assert attribution.recover(path, sessions) == 0
    with sqlite3.connect(path) as database:
        kinds = Counter(kind for (kind,) in database.execute("SELECT kind FROM events"))
        reasons = {
            reason for (reason,) in database.execute("SELECT reason FROM events WHERE kind = 'ignored'")
        }
    assert kinds == {"requested": 3, "shown": 3, "accepted": 1, "partially_accepted": 1, "ignored": 1}
    assert reasons == {"crash"}


def test_text_is_stored_only_when_asked(tmp_path: Path) -> None:
    for asked in (False, True):
        log = EventLog(tmp_path / f"{asked}.sqlite3")
        tracker = Tracker(log, Context(), store_text=asked)
        identifier = tracker.requested("completion")
        tracker.answered(identifier, "the text itself")
        tracker.accepted(identifier)
        log.close()
        with sqlite3.connect(log.path) as database:
            database.row_factory = sqlite3.Row
            rows = json.dumps([dict(row) for row in database.execute("SELECT * FROM events")])
        assert ("the text itself" in rows) is asked
