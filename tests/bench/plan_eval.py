"""How many small tasks the planner solves, with and without the loop through the tests.

    python tests/bench/plan_eval.py [--model NAME] [--only TASK,…] [--out FILE.jsonl]

Scored by running the tests, never by reading answers. Greedy decoding, so one run is the figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from plan_tasks import TASKS, Task

from lido import settings as configuration
from lido.cli.session import session
from lido.models.registry import Models
from lido.plan import sandbox
from lido.workspace.attachments import Attachment

TEST = f"{shlex.quote(sys.executable)} -B -m unittest -q test_task"


async def solve(task: Task, feedback: bool, model: str | None, models: Models) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        root.mkdir()
        for name, text in task.files.items():
            (root / name).write_text(text)
        (root / "test_task.py").write_text(task.tests)
        before = await sandbox.run(shlex.split(TEST), root, 20)
        assert not before.ok, f"{task.name} passes already"
        attachments = [Attachment("file", root / name) for name in task.files]
        began = time.monotonic()
        async with session(root, models) as s:
            plan = s.plans.start(
                task.instruction,
                attachments,
                "agent" if feedback else "plan",
                TEST if feedback else None,
                model=model,
                allowed=(TEST,),
            )
            end = await s.plans.wait(plan)
            if end.review_id:
                review = s.reviews.get(end.review_id)
                hunks = [h.id for f in review.files for h in f.hunks]
                await s.reviews.decide(end.review_id, hunks, "accept")
        seconds = time.monotonic() - began
        (root / "test_task.py").write_text(task.tests)  # whatever was done to it, these tests decide
        after = await sandbox.run(shlex.split(TEST), root, 20)
        return {
            "task": task.name, "feedback": feedback, "solved": after.ok, "state": end.state,
            "seconds": round(seconds, 1), "message": end.message, "plan": plan,
        }  # fmt: skip


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    only = set(filter(None, chosen.only.split(",")))
    rows = []
    settings, _ = configuration.load()
    models = Models(settings, configuration.Home())  # one engine for all
    for task in TASKS:
        if only and task.name not in only:
            continue
        for feedback in (False, True):
            row = await solve(task, feedback, chosen.model, models)
            rows.append(row)
            mark = "solved" if row["solved"] else "failed"
            print(
                f"{task.name:22} {'with' if feedback else 'without':8} {mark} {row['seconds']:6} s",
                flush=True,
            )
            if chosen.out:
                with chosen.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    await models.close()
    for feedback in (False, True):
        mine = [row for row in rows if row["feedback"] is feedback]
        solved = sum(bool(row["solved"]) for row in mine)
        seconds = sum(float(str(row["seconds"])) for row in mine) / len(mine)
        print(f"{'with' if feedback else 'without'} tests: {solved} of {len(mine)}, {seconds:.1f} s each")


if __name__ == "__main__":
    asyncio.run(main())
