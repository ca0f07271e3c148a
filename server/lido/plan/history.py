"""Earlier runs, as they were written. Blocking, all of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

INTERRUPTED = "Interrupted: the server ended before the run did. Nothing of it was written to the project."


def lock(fd: int) -> bool:
    """Marks an open trajectory as being written, until the process ends, however it ends. False where another
    process writes it, or (Windows) where nobody can tell."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def events(path: Path) -> list[dict[str, Any]]:
    """A run's events; a last line that was cut is left out. Never empty. Raises OSError."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "kind" in event:
            found.append(event)
    return found or [{"kind": "start"}]


def find(folder: Path, plan_id: str) -> Path | None:
    """The trajectory of the one run whose id begins so; None where there is none, or more."""
    if not plan_id or not set(plan_id) <= set("0123456789abcdef-"):
        return None
    found = list(folder.glob(f"{plan_id}*.jsonl"))
    return found[0] if len(found) == 1 else None


def recover(folder: Path) -> list[str]:
    """Ends the runs that a killed process left, as failed; their ids. Those under way are left alone."""
    ended = []
    for path in _broken_off(folder):
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND)
        except OSError:
            continue
        try:
            if lock(fd) and not _ended(path):  # it may have ended while we looked
                # The killed process may have written half a line.
                cut = (
                    os.lseek(fd, 0, os.SEEK_END)
                    and os.pread(fd, 1, os.lseek(fd, 0, os.SEEK_END) - 1) != b"\n"
                )
                now = round(time.time(), 3)
                told = {"time": now, "kind": "update", "state": "failed", "message": INTERRUPTED}
                end = {"time": now, "kind": "end", "state": "failed", "reason": "interrupted"}
                text = ("\n" if cut else "") + json.dumps(told) + "\n" + json.dumps(end) + "\n"
                os.write(fd, text.encode())
                ended.append(path.stem)
        except OSError:
            continue
        finally:
            os.close(fd)
    return ended


def _broken_off(folder: Path) -> Iterator[Path]:
    for path in folder.glob("*.jsonl"):
        try:
            if not _ended(path):
                yield path
        except OSError:
            continue


def _ended(path: Path) -> bool:
    """Whether the last line says so; it is a short one."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 4096))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    return b'"kind": "end"' in last or b'"kind": "reward"' in last
