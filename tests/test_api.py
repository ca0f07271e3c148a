"""The Python API, through the examples of its document."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.model_server import ModelServer, Script

EXAMPLES = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[1] / "docs" / "api.md").read_text(), re.S
)
CODE = "def total(items):\n    \n    return sum(items)\n"
STEPS = '{"steps": [{"file": "basket.py", "change": "count"}]}'
EDIT = (
    "basket.py\n<<<<<<< SEARCH\n    return sum(items)\n=======\n    return 2 * sum(items)\n>>>>>>> REPLACE\n"
)


async def python(code: str, cwd: Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=cwd, env=dict(os.environ), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
def home(_own_home: Path) -> Path:
    return _own_home


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "It sums.\nStill.\n"), (1, "+    return 2 * sum(items)"), (2, "count = 0\n")],
)
async def test_the_examples_of_the_document_run(number: int, said: str, tmp_path: Path, home: Path) -> None:
    assert len(EXAMPLES) == 3
    (tmp_path / "basket.py").write_text(CODE)
    scripts = (
        Script([EDIT], match="Now make these changes"),
        Script([STEPS], match="Plan the work"),
        Script(["Still."], match="And without a loop"),
        Script(["It ", "sums."], match="What does"),
        Script(["count = 0"]),
    )
    async with ModelServer(*scripts) as model:
        (home / "config.toml").write_text(
            f'[models.m]\nprovider = "openai"\nbase_url = "{model.url}/v1"\nmodel = "qwen2.5-coder-7b"\n'
        )
        code, out, err = await python(EXAMPLES[number], tmp_path)
    assert code == 0, err
    assert said in out
    assert (tmp_path / "basket.py").read_text() == CODE, "nothing is written without being asked for"


async def test_a_plan_is_applied_where_asked_for(tmp_path: Path, home: Path) -> None:
    (tmp_path / "basket.py").write_text(CODE)
    async with ModelServer(Script([EDIT], match="Now make these"), Script([STEPS])) as model:
        (home / "config.toml").write_text(
            f'[models.m]\nprovider = "openai"\nbase_url = "{model.url}/v1"\nmodel = "qwen2.5-coder-7b"\n'
        )
        import lido

        result = await lido.run_plan("Double total()", root=tmp_path, files=["basket.py"], apply=True)
    assert (result.state, result.applied) == ("review", True)
    assert "2 * sum" in (tmp_path / "basket.py").read_text()


async def test_a_plan_that_asks_nobody_is_cancelled(tmp_path: Path, home: Path) -> None:
    (tmp_path / "basket.py").write_text(CODE)
    async with ModelServer(Script(['{"question": "Which one?"}'])) as model:
        (home / "config.toml").write_text(
            f'[models.m]\nprovider = "openai"\nbase_url = "{model.url}/v1"\nmodel = "qwen2.5-coder-7b"\n'
        )
        import lido

        result = await lido.run_plan("Change it", root=tmp_path, files=["basket.py"])
    assert (result.state, result.changes) == ("cancelled", ())


async def test_what_is_not_there_is_said(tmp_path: Path, home: Path) -> None:
    import lido

    (tmp_path / "a.py").write_text("x\n")
    with pytest.raises(ValueError, match="no such file"):
        await lido.ask("Why?", root=tmp_path, files=["b.py"])
    with pytest.raises(ValueError, match="line 9"):
        await lido.complete(tmp_path / "a.py", 9, 1)
    with pytest.raises(AttributeError, match="nothing"):
        lido.nothing  # noqa: B018


def test_importing_lido_loads_nothing() -> None:
    code = "import sys; before = set(sys.modules); import lido; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['lido']"
