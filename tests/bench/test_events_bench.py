"""Logging never slows a keystroke: recording is a queue's append, whatever the disk does."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from pathlib import Path

from lido.events.attribution import Context, Tracker
from lido.events.schema import Event, utc, uuid7
from lido.events.store import EventLog, connect
from lido.workspace.documents import Documents


def test_recording_does_not_wait_for_a_locked_database(tmp_path: Path) -> None:
    path = tmp_path / "e"
    connect(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")  # another program holds the log
    log = EventLog(path)
    event = Event(uuid7(), utc(0), "s", "shown", "completion")
    times = []
    for _ in range(2000):
        began = time.perf_counter()
        log.record(replace(event, id=uuid7()))
        times.append(time.perf_counter() - began)
    other.execute("COMMIT")
    other.close()
    log.close()
    assert log.dropped == 0
    assert sorted(times)[int(len(times) * 0.99)] < 0.001
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (2000,)


def test_a_keystroke_costs_little_with_many_suggestions_open(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e")
    documents = Documents()
    tracker = Tracker(log, Context(), read=documents.get)
    documents.listen(tracker.document_changed)
    document = documents.open("file:///a.py", "python", 0, "x = 1\n" * 20_000)
    for number in range(50):
        identifier = tracker.requested("completion")
        tracker.answered(identifier, "zz" * 50, uri=document.uri, start=50_000)
        if number % 2:
            tracker.shown(identifier)
    times = []
    for number in range(300):
        before = documents.get(document.uri)
        assert before
        began = time.perf_counter()
        tracker.document_changed(before, before, [])
        times.append(time.perf_counter() - began)
        documents.replace(document.uri, number + 1, [(100, 100, "y")])
    log.close()
    assert sorted(times)[len(times) // 2] < 0.005
