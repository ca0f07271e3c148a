"""`lido eval repo` as a process, on a small repository, against a scripted model."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.model_server import ModelServer, Script, Seen

CODE = '''\
def total(prices):
    """The sum of the prices."""
    result = 0
    for price in prices:
        result += price
    return result


def unseen(prices):
    """No test asks for it."""
    result = 1
    return result * len(prices)
'''
TESTS = "import unittest\nfrom shop import total\n\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(total([1, 2]), 3)\n"
RIGHT = 'def total(prices):\n    """The sum of the prices."""\n    return sum(prices)\n'
WRONG = 'def total(prices):\n    """The sum of the prices."""\n    return len(prices) * 7\n'
STEPS = '{"steps": [{"file": "shop.py", "change": "write total"}]}'
COMMAND = f"{sys.executable} -m unittest -q test_shop"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.py").write_text(CODE)
    (root / "test_shop.py").write_text(TESTS)
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


@pytest.fixture
def home(_own_home: Path) -> Path:
    return _own_home


def changed(root: Path) -> str:
    command = ["git", "status", "--short"]
    return subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout


def configure(home: Path, model: ModelServer) -> None:
    # A small window makes it a small model: rounds of edit and test.
    (home / "config.toml").write_text(
        f'[models.m]\nprovider = "openai"\nbase_url = "{model.url}/v1"\nmodel = "qwen2.5-coder-1.5b"\n'
    )


async def lido(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lido", *arguments, cwd=cwd, env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_function_that_tests_cover_is_asked_for_and_scored_by_them(
    repository: Path, tmp_path: Path, home: Path
):
    rest = CODE[CODE.index("\n\ndef unseen") :]
    out = tmp_path / "out"
    async with ModelServer() as model:
        texts = [RIGHT]

        def answer(seen: Seen) -> Script:
            """The first sample is right at once, the second one never."""
            text = texts.pop() if texts and "whole task" in seen.prompt else WRONG
            return Script([f"```python\n{text}{rest}```"] if "whole task" in seen.prompt else [STEPS])

        model.answer = answer
        configure(home, model)
        code, report, err = await lido(
            "eval", "repo", str(repository), "--test", COMMAND, "--samples", "2", "--json", "--out", str(out),
            cwd=tmp_path,
        )  # fmt: skip
        assert code == 0, err
        assert all("result += price" not in seen.prompt for seen in model.seen), "the answer is not shown"
    (figures,) = json.loads(report)["models"]
    assert figures["tasks"] == {"shop.py::total": [1, 2]}, "what no test notices is no task"
    assert figures["pass_at_k"] == {"1": 0.5, "2": 1.0}
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [row["reward"] for row in rows] == [1.0, 0.0]
    assert [row["state"] for row in rows] == ["done", "gaveUp"]
    for row in rows:
        rollout = [
            json.loads(line) for line in (out / "rollouts" / f"{row['plan']}.jsonl").read_text().splitlines()
        ]
        kinds = [event["kind"] for event in rollout]
        assert (kinds[0], kinds[-2:]) == ("start", ["end", "reward"])
        assert {"request", "answer", "command", "output"} <= set(kinds)
        assert rollout[-1]["reward"] == row["reward"]
    assert json.loads((out / "report.json").read_text()) == json.loads(report)
    assert (repository / "shop.py").read_text() == CODE
    assert changed(repository) == ""
    assert not list(home.glob("plans/*")), "a measurement is none of the person's plans"


async def test_tests_that_fail_already_measure_nothing(repository: Path, tmp_path: Path, home: Path):
    (repository / "test_shop.py").write_text(TESTS.replace("3)", "4)"))
    async with ModelServer() as model:
        configure(home, model)
        code, _, err = await lido("eval", "repo", str(repository), "--test", COMMAND, cwd=tmp_path)
        assert (code, model.seen) == (1, [])
    assert "before anything is taken away" in err
    assert "AssertionError: 3 != 4" in err


async def test_a_project_cannot_choose_what_runs(repository: Path, tmp_path: Path):
    (repository / ".lido.toml").write_text('[plan]\ntest_command = "touch /tmp/owned"\n')
    code, _, err = await lido("eval", "repo", str(repository), cwd=tmp_path)
    assert code == 2
    assert "--test" in err
