"""Real editors in real terminals: tmux holds the screen, a scripted model answers, the real server between."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from fakes.model_server import ModelServer

CHECKOUT = Path(__file__).parents[3]


def recipe(heading: str, language: str) -> str:
    """The settings that the page on editors gives to be copied."""
    page = (CHECKOUT / "clients" / "README.md").read_text("utf-8")
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return section.partition(f"```{language}\n")[2].partition("```")[0]


def need_vim() -> None:
    """Skips where Vim is missing, or too old for clients/vim."""
    if shutil.which("vim") is None:
        pytest.skip("vim is not installed")
    able = "if !has('patch-9.0.0185') || !has('channel') || !has('textprop') | cquit | endif | qall"
    if subprocess.run(["vim", "-es", "-u", "NONE", "-c", able], stdin=subprocess.DEVNULL).returncode:
        pytest.skip("this Vim has no virtual text (9.0.0185) or no channels")


class Terminal:
    """One tmux session with a server of its own; `keys` types, `until` waits for the screen to say so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = str(folder / "tmux.sock")

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self.socket, "-f", "/dev/null", *arguments], capture_output=True, text=True
        )
        return done.stdout

    def start(self, command: list[str], environment: dict[str, str], cwd: Path) -> None:
        words = ["env", *(f"{name}={value}" for name, value in environment.items()), *command]
        self._tmux("new-session", "-d", "-x", "110", "-y", "32", "-c", str(cwd), shlex.join(words))

    def keys(self, *keys: str) -> None:
        """Named keys ("Escape", "Tab", "C-x") as tmux spells them."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    async def until(self, what: Callable[[str], bool] | str, seconds: float = 30) -> str:
        """A terminal has no event for "drawn": the screen is read until it shows `what`."""
        holds = (lambda screen: what in screen) if isinstance(what, str) else what
        screen = ""
        for _ in range(int(seconds / 0.05)):
            screen = self.screen()
            if holds(screen):
                if folder := os.environ.get("LIDO_TEST_SCREENS"):
                    name = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].split(" ")[0]
                    with (Path(folder) / f"{name}.txt").open("a") as file:
                        file.write(f"=== until {what}\n{screen}\n")
                return screen
            await asyncio.sleep(0.05)
        raise AssertionError(f"the screen never showed {what!r}:\n{screen}")

    def stop(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    made = Terminal(tmp_path)
    yield made
    if folder := os.environ.get("LIDO_TEST_SCREENS"):
        (Path(folder) / f"{tmp_path.name}-last.txt").write_text(made.screen())
    made.stop()


class Project:
    """A small repository, and a configuration whose model is the scripted one."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.home = home
        self.file = root / "sums.py"
        self.file.write_text("def add(a, b):\n    return \n\n\ndef subtract(a, b):\n    return a + b\n")
        subprocess.run(["git", "init", "-q", str(root)], check=True)

    def configure(self, model: ModelServer) -> None:
        (self.home / "config.toml").write_text(
            f'[models.m]\nprovider = "openai"\nbase_url = "{model.url}/v1"\nmodel = "qwen2.5-coder-7b"\n'
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LIDO_HOME": str(self.home),
            "LIDO_CONFIG": str(self.home / "config.toml"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        }

    def log(self) -> Counter[tuple[str, str, str]]:
        """(feature, kind, editor) of every event."""
        path = self.home / "events.sqlite3"
        if not path.exists():
            return Counter()
        with closing(sqlite3.connect(path)) as database, suppress(sqlite3.OperationalError):
            return Counter(database.execute("SELECT feature, kind, editor FROM events"))
        return Counter()  # the server has not made its tables yet

    async def until_logged(self, feature: str, kind: str, editor: str) -> None:
        for _ in range(400):
            if self.log()[feature, kind, editor] == 1:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{feature} {kind} was never logged once: {self.log()}")

    async def until_answered(self, method: str) -> None:
        """The server's log says that a request of this method was answered."""
        for _ in range(600):
            logs = (self.home / "logs").glob("serve-*.jsonl")
            if any(f'"method": "{method}"' in log.read_text() for log in logs):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{method} was never answered")

    async def until_proposed(self) -> None:
        """A plan's changes stand ready to be reviewed; for editors that don't say so."""
        for _ in range(400):
            if any('"state": "review"' in log.read_text() for log in (self.home / "plans").glob("*.jsonl")):
                return
            await asyncio.sleep(0.05)
        raise AssertionError("nothing was ever proposed")


@pytest.fixture
def project(tmp_path: Path, _own_home: Path) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    return Project(root, _own_home)
