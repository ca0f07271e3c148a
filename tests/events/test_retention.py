"""How much stays: in the document, in the closed file, in the next commit."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lido.events import retention
from lido.events.attribution import Context, Tracker
from lido.events.schema import Event
from lido.workspace.documents import Documents


class Log:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def work(self, make: Callable[[], Event | None]) -> None:
        if (event := make()) is not None:
            self.events.append(event)

    def remember_open(self, *_: str) -> None: ...

    def forget_open(self, _: str) -> None: ...


class Desk:
    """A repository, an editor with one file of it open, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "a.py"
        self.file.write_text("x = \n")
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")
        self.now, self.timers, self.log = 1000.0, [], Log()  # type: ignore[var-annotated]
        self.documents = Documents()
        self.tracker = Tracker(
            self.log,  # type: ignore[arg-type]
            Context(),
            later=lambda after, call: self.timers.append((self.now + after, call)),
            clock=lambda: self.now,
            elapsed=lambda: self.now,
            read=self.documents.get,
        )
        self.documents.listen(self.tracker.document_changed)
        self.documents.on_close(lambda document: self.tracker.document_closed(document.uri))
        self.uri = self.file.as_uri()
        self.documents.open(self.uri, "python", 0, "x = \n", self.file)

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], cwd=self.folder, check=True, capture_output=True)

    def accept(self, text: str) -> None:
        identifier = self.tracker.requested("completion")
        self.tracker.answered(identifier, text, uri=self.uri, start=4)
        self.tracker.shown(identifier)
        self.edit(4, 4, text)
        self.tracker.accepted(identifier)

    def edit(self, start: int, end: int, text: str) -> None:
        document = self.documents.get(self.uri)
        assert document
        after = self.documents.replace(self.uri, document.version + 1, [(start, end, text)])
        self.file.write_text(after.text)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while due := sorted((t for t in self.timers if t[0] <= until), key=lambda t: t[0]):
            self.timers.remove(due[0])
            self.now = max(self.now, due[0][0])
            due[0][1]()
        self.now = until

    def kept(self) -> list[tuple[str, float | None]]:
        return [(e.reason, e.retained_fraction) for e in self.log.events if e.kind == "retained"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    if not shutil.which("git"):
        pytest.skip("needs git")
    return Desk(tmp_path)


def test_the_next_commit_of_the_file_is_measured_once(desk: Desk) -> None:
    desk.accept("compute(total)")
    desk.wait(11)
    assert desk.kept() == []
    desk.edit(12, 17, "sum12")
    desk.git("commit", "-q", "-a", "-m", "use it")
    desk.wait(11)
    assert [reason for reason, _ in desk.kept()] == ["commit"]
    assert desk.kept()[0][1] == pytest.approx(1 - 5 / 14, abs=0.01)
    desk.git("commit", "-q", "--allow-empty", "-m", "again")
    desk.wait(700)
    assert [reason for reason, _ in desk.kept()].count("commit") == 1


def test_a_commit_of_other_files_and_a_checkout_are_none(desk: Desk) -> None:
    desk.accept("compute(total)")
    (desk.folder / "b.py").write_text("1\n")
    desk.git("add", "b.py")
    desk.git("commit", "-q", "-m", "another", "--", "b.py")
    desk.git("checkout", "-q", "-b", "side")
    desk.wait(25)
    assert desk.kept() == []
    desk.git("commit", "-q", "-a", "-m", "this one")
    desk.wait(11)
    assert [look for look in desk.kept() if look[0]] == [("commit", 1.0)]


def test_a_closed_file_is_read_from_the_disk(desk: Desk) -> None:
    desk.accept("compute(total)")
    desk.documents.close(desk.uri)
    desk.wait(31)
    desk.file.write_text("x = compute(tot")
    desk.wait(100)
    desk.file.unlink()
    desk.wait(600)
    fractions = [fraction for _, fraction in desk.kept()]
    assert fractions[0] == 1.0
    assert 0.5 < (fractions[1] or 0) < 1
    assert fractions[2] == 0.0


def test_a_text_without_a_place_is_found_by_what_it_says(desk: Desk) -> None:
    """Hunks and chat blocks: where they landed is not known, what they said is."""
    identifier = desk.tracker.requested("chat_apply")
    desk.tracker.answered(identifier, "def added():\n    return 1\n", uri=desk.uri)
    desk.tracker.shown(identifier)
    desk.tracker.accepted(identifier)
    desk.edit(0, 0, "# above\ndef added():\n    return 2\n")
    desk.wait(31)
    fraction = desk.kept()[0][1]
    assert fraction is not None
    assert 0.9 < fraction < 1


def test_what_is_most_like_it_is_found_in_a_long_text() -> None:
    text = "a = 1\n" * 1000 + "value = compute(totals)\n" + "b = 2\n" * 1000
    found = retention.closest("value = compute(total)", text)
    assert retention.similarity("value = compute(total)", found) > 0.9
    assert retention.closest("x", "") == ""
