"""Sessions that end by ``kill -9`` at any moment: the sums hold, nothing counts twice, nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

from lido.events import attribution, metrics
from lido.events.schema import OUTCOMES

SESSION = """
import random, sys, filelock
from pathlib import Path
from lido.events.attribution import Context, Tracker
from lido.events.store import EventLog
home, session = Path(sys.argv[1]), sys.argv[2]
chance = random.Random(session)
lock = filelock.FileLock(home / "sessions" / f"{session}.lock"); lock.acquire()
log = EventLog(home / "events.sqlite3")
tracker = Tracker(log, Context(user=session), session)
open_ones = []
for number in range(100_000):
    identifier = tracker.requested("completion")
    tracker.answered(identifier, "abcdef")
    if chance.random() < .8:
        tracker.shown(identifier)
        open_ones.append(identifier)
    if open_ones and chance.random() < .7:
        ended = open_ones.pop(chance.randrange(len(open_ones)))
        match chance.randrange(5):
            case 0: tracker.accepted(ended)
            case 1: tracker.rejected(ended, "escape")
            case 2: tracker.ignored(ended)
            case 3: tracker.partially_accepted(ended, 3)
            case 4: tracker.accepted(ended); tracker.rejected(ended)
        if chance.random() < .3:
            log.flush_sync()
            print(ended, flush=True)   # the client has its answer
"""


def test_sums_hold_after_any_crash(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    chance = random.Random(7)
    acknowledged: set[str] = set()
    for number in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", SESSION, str(tmp_path), f"s{number}"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            for _ in range(chance.randint(1, 40)):
                acknowledged.add(process.stdout.readline().strip())
            os.kill(process.pid, signal.SIGKILL)
            acknowledged |= {line.strip() for line in process.stdout if len(line) == 37}
        if number % 2:
            attribution.recover(tmp_path / "events.sqlite3", tmp_path / "sessions")
    path = tmp_path / "events.sqlite3"
    attribution.recover(path, tmp_path / "sessions")
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT suggestion_id, kind FROM events").fetchall()
        assert database.execute("SELECT count(*) FROM open").fetchone() == (0,)
    kinds = Counter(kind for _, kind in rows)
    assert kinds["shown"] == sum(kinds[outcome] for outcome in OUTCOMES) > 20
    assert set(Counter(rows).values()) == {1}, "nothing twice"
    ends = Counter(name for name, kind in rows if kind in OUTCOMES)
    assert set(ends.values()) == {1}
    assert acknowledged <= ends.keys(), "nothing acknowledged is lost"
    (row,) = metrics.rows(path)
    assert (row["shown"], row["open"]) == (kinds["shown"], 0)
