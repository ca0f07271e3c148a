"""The server dies at any moment: the workspace is one of the agreed states, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edits.crash_worker import after, before
from lido.edits.journal import Journal

TIMES = 200 if os.environ.get("LIDO_TEST_LONG") else 12


def _state(workspace: Path) -> dict[str, str]:
    return {p.relative_to(workspace).as_posix(): p.read_text() for p in workspace.rglob("*") if p.is_file()}


@pytest.mark.timeout(1800)
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_while_applying_and_undoing(tmp_path: Path) -> None:
    workspace, folder = tmp_path / "w", tmp_path / "j"
    workspace.mkdir()
    for name, text in before().items():
        (workspace / name).write_text(text)
    chance = random.Random(int(os.environ.get("LIDO_TEST_SEED", "7")))
    seen = {"interrupted": 0}
    for _ in range(TIMES):
        worker = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("crash_worker.py")), str(workspace), str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n", worker.stderr.read() if worker.stderr else ""
        worker.stdout.readline()
        start = time.monotonic()
        worker.stdout.readline()
        time.sleep(chance.uniform(0, time.monotonic() - start))  # anywhere in the next cycle
        assert worker.poll() is None, "the worker failed by itself"
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        interrupted = [e for e in Journal(folder).entries() if e.state == "begun"]
        for entry in interrupted:
            for image in entry.images:
                now = image.path.read_bytes() if image.path.exists() else None
                assert now in (image.before, image.after), "a file is half written"
        recovered = Journal(folder).recover()
        seen["interrupted"] += bool(interrupted)
        assert not [p for r in recovered for p in r.problems]
        state = _state(workspace)
        assert state in (before(), after()), sorted(state)
        assert not (workspace / "made").exists() or state == after()
        if state == after():
            # As agreed, and what was agreed can still be taken back.
            _undo(workspace, folder)
            assert _state(workspace) == before()
    if TIMES >= 100:
        assert seen["interrupted"] > 20, "the test never hit the interesting moment"


def _undo(workspace: Path, folder: Path) -> None:
    import asyncio

    from lido.edits.apply import Reviews
    from lido.edits.files import Workspace

    journal = Journal(folder)
    last = [e for e in journal.entries() if e.state == "done" and not e.undoes][-1]
    undone = asyncio.run(Reviews(Workspace([workspace]), journal).undo(last.review_id))
    assert not undone.failed
