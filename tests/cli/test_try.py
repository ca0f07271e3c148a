"""`lido try` and `lido doctor` as a person runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lido


def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lido", *arguments],
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=500,
    )


@pytest.mark.engine
@pytest.mark.xdist_group("engine")
@pytest.mark.timeout(600)
def test_trying_it_on_a_project_of_ones_own_writes_nothing_there(engine_home: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(
        Path(lido.__file__).with_name("sample"), own, ignore=shutil.ignore_patterns("__pycache__")
    )
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    done = run("try", "--dir", str(own))
    assert "Traceback" not in done.stderr
    assert "rejected with Esc" in done.stdout
    # A small model may give up on a plan; then it says so and the exit code does too.
    assert done.returncode == (1 if "Not shown:" in done.stdout else 0)
    assert "Plan" in done.stdout
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before


def test_a_home_that_cannot_be_written_is_said_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("try", LIDO_HOME=str(tmp_path / "file"))
    assert done.returncode == 1
    assert "LIDO_HOME" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    doctor = run("doctor", LIDO_HOME=str(tmp_path / "file"))
    assert doctor.returncode == 1
    assert "Make it writable, or set LIDO_HOME" in doctor.stdout


def test_the_doctor_finds_each_wrong_setting_and_says_how_to_mend_it(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[completion]\ndebounce = 3\n[models.dead]\nprovider = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'
    )
    done = run("doctor", "--json", cwd=tmp_path, LIDO_CONFIG=str(config))
    assert done.returncode == 1
    checks = json.loads(done.stdout)
    bad = [check for check in checks if not check["ok"]]
    assert any("Did you mean 'debounce_ms'" in check["message"] for check in bad)
    assert any("cannot be reached" in check["message"] and "base_url" in check["fix"] for check in bad)


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["try"],
        ["serve"],
        ["doctor"],
        ["complete"],
        ["chat"],
        ["plan"],
        ["metrics"],
        ["events"],
        ["model"],
    ],
)
def test_every_command_has_help_and_a_version(command: list[str]) -> None:
    for option in ("--help", "--version"):
        done = run(*command, option)
        assert done.returncode == 0
        assert done.stdout.strip()
    assert done.stdout == f"lido {lido.__version__}\n"


def test_misuse_exits_with_2() -> None:
    assert run("metrics", "--by", "colour").returncode == 2
    assert run("no-such-command").returncode == 2
