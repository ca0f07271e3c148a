"""The tasks that score the planner are sound: their tests run, and fail before the work is done."""

import asyncio
import sys
from pathlib import Path

import pytest

from bench.plan_tasks import TASKS, Task
from lido.plan import sandbox


def test_there_are_enough_of_them():
    assert len({task.name for task in TASKS}) == len(TASKS) >= 25


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
async def test_its_tests_run_and_fail(task: Task, tmp_path: Path):
    def write() -> None:
        for name, text in {**task.files, "test_task.py": task.tests}.items():
            (tmp_path / name).write_text(text)

    await asyncio.to_thread(write)
    result = await sandbox.run([sys.executable, "-B", "-m", "unittest", "-q", "test_task"], tmp_path, 30)
    assert result.code == 1
    assert "FAILED" in result.output
