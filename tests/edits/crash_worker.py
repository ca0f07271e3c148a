"""Applies and undoes the same review over and over, until it is killed. Run by `test_crash`.

python crash_worker.py WORKSPACE JOURNAL
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from lido.edits.apply import FileChange, Reviews
from lido.edits.files import Workspace
from lido.edits.journal import Journal


def changes() -> list[FileChange]:
    return [
        *(FileChange(f"f{n}.txt", "modify", f"old {n}\n" * 200, f"new {n}\n" * 200) for n in range(6)),
        FileChange("made/deep/new.txt", "create", None, "made\n" * 50),
        FileChange("gone.txt", "delete", "gone\n" * 50, None),
    ]


def before() -> dict[str, str]:
    return {c.path: c.before for c in changes() if c.before is not None}


def after() -> dict[str, str]:
    return {c.path: c.after for c in changes() if c.after is not None}


async def main(workspace: Path, journal: Path) -> None:
    reviews = Reviews(Workspace([workspace]), Journal(journal))
    print("ready", flush=True)
    while True:
        print("cycle", flush=True)
        made = await reviews.open(changes())
        outcomes = await reviews.decide(made.id, [h.id for f in made.files for h in f.hunks], "accept")
        assert all(o.kind == "accepted" for o in outcomes), outcomes
        undone = await reviews.undo(made.id)
        assert not undone.failed, undone


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
