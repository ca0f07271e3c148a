"""What is left of a run whose server was killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from fakes.model_server import ModelServer, Script
from fakes.plan_world import World, steps
from fakes.scripted_models import ScriptedModels
from lido.plan import history
from lido.plan.agent import UnknownPlan

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9")

KILLED = """
import asyncio, sys
from pathlib import Path
from lido.cli.session import session

async def main():
    async with session(Path.cwd()) as s:
        s.plans.start("make a.py right", mode="agent", test_command="true", allowed=("true",),
                      on_update=lambda u: print(u.state, flush=True))
        await asyncio.Event().wait()

asyncio.run(main())
"""


def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text("x = 1\n")
    return root


async def test_a_killed_run_ends_as_failed_and_its_copy_is_removed(tmp_path: Path, _own_home: Path) -> None:  # noqa: PT019
    root = project(tmp_path)
    async with ModelServer(Script(["never"], first=600)) as model:
        (_own_home / "config.toml").write_text(
            f'[models.m]\nprovider = "openai"\nbase_url = "{model.url}/v1"\nmodel = "m"\n'
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, cwd=root, env=dict(os.environ), stdout=asyncio.subprocess.PIPE
        )
        await asyncio.wait_for(model.requests(1), 60)
        plans = _own_home / "plans"
        (copy,) = (plans / "work").iterdir()
        assert history.recover(plans) == [], "it is under way"
        process.send_signal(signal.SIGKILL)
        await process.wait()
    (path,) = plans.glob("*.jsonl")
    with path.open("a") as file:
        file.write('{"time": 1, "kind": "ans')  # it was killed while it wrote
    world = World(root, ScriptedModels())
    world.plans._folder, world.plans._scratch = plans, plans / "work"
    assert await world.plans.recover() == [path.stem]
    assert await world.plans.recover() == []
    assert not copy.exists()
    found = history.events(path)
    assert (found[-1]["kind"], found[-1]["state"]) == ("end", "failed")
    assert "Interrupted" in found[-2]["message"]
    assert (root / "a.py").read_text() == "x = 1\n"


async def test_an_earlier_run_begins_anew(tmp_path: Path) -> None:
    root = project(tmp_path)
    block = "a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n"
    world = World(root, ScriptedModels(steps(("a.py", "x = 2")), block))
    world.folder.mkdir()
    start = {
        "kind": "start",
        "instruction": "make x 2 in a.py",
        "mode": "plan",
        "attachments": [["file", str(root / "a.py"), ""]],
    }
    (world.folder / "0abc-1.jsonl").write_text(json.dumps(start) + "\n")
    assert await world.plans.recover() == ["0abc-1"]
    plan = world.plans.resume("0abc", world.updated)
    end = await world.plans.wait(plan)
    assert world.hunks(end) == [("a.py", "x = 1", "x = 2")]
    for unknown in ("ffff", "", "../0abc", "*"):
        with pytest.raises(UnknownPlan):
            world.plans.resume(unknown)
