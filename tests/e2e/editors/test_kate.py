"""Kate on a virtual screen: suggestions in its completion list, code actions in its menu."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from e2e.editors.conftest import Project, recipe
from fakes.model_server import ModelServer, Script

EDITOR = "unknown"
"""Kate 22.12 does not say which editor it is."""

# As Kate writes it once one has answered its question whether this server may be started.
KATERC = """\
[General]
Show welcome view for new window=false

[Kate Plugins]
lspclientplugin=true

[lspclient]
AllowedServerCommandLines={lido} serve
"""


class Screen:
    """An X server of its own with a window manager: without one no window is ever active."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.processes: list[asyncio.subprocess.Process] = []
        self.display = ""

    @property
    def environment(self) -> dict[str, str]:
        home = self.project.home
        own = {"XDG_CONFIG_HOME": f"{home}/.config", "XDG_RUNTIME_DIR": str(home), "QT_QPA_PLATFORM": "xcb"}
        return {**self.project.environment, **own, "DISPLAY": self.display}

    async def begin(self, *command: str, **more: object) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=self.environment,
            cwd=self.project.root,
            stderr=asyncio.subprocess.DEVNULL,
            **more,  # type: ignore[arg-type]
        )
        self.processes.append(process)
        return process

    async def start(self) -> None:
        reading, writing = os.pipe()
        try:
            await self.begin(
                "Xvfb", "-displayfd", str(writing), "-screen", "0", "900x600x24", pass_fds=(writing,)
            )
            os.close(writing)
            with os.fdopen(reading) as told:
                self.display = f":{(await asyncio.to_thread(told.readline)).strip()}"
        finally:
            with suppress(OSError):
                os.close(writing)
        await self.begin("openbox")
        await self.begin("kate", "-b", "sums.py", "-l", "2", "-c", "12", stdout=asyncio.subprocess.DEVNULL)
        await self.do("search", "--sync", "--onlyvisible", "--name", "sums.py")

    async def do(self, *command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "xdotool", *command, env=self.environment, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, command
        return said.decode()

    async def actions(self) -> None:
        """Opens the menu of code actions: a window of its own, which is small until they have come."""
        before = await self.windows()
        await self.do("key", "alt+Return")
        for _ in range(600):
            for window in await self.windows() - before:
                said = await self.do("getwindowgeometry", "--shell", window)
                if int(said.partition("WIDTH=")[2].split()[0]) > 250:
                    return
            await asyncio.sleep(0.05)
        raise AssertionError("no menu of code actions came")

    async def windows(self) -> set[str]:
        return set((await self.do("search", "--onlyvisible", "--class", "kate")).split())

    def picture(self, name: str) -> None:
        """For a person to look at."""
        if (folder := os.environ.get("LIDO_TEST_SCREENS")) and shutil.which("import"):
            subprocess.run(["import", "-window", "root", f"{folder}/{name}.png"], env=self.environment)

    async def stop(self) -> None:
        for process in reversed(self.processes):
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 10)
                except TimeoutError:
                    process.kill()
                    await process.wait()


@pytest.fixture
async def screen(project: Project) -> AsyncIterator[Screen]:
    missing = [name for name in ("kate", "Xvfb", "openbox", "xdotool") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = project.home / ".config" / "kate" / "lspclient"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(recipe("Kate", "json"))
    lido = Path(sys.executable).with_name("lido")
    (project.home / ".config" / "katerc").write_text(KATERC.format(lido=lido))
    made = Screen(project)
    yield made
    made.picture(project.root.parent.name)
    await made.stop()


async def test_a_suggestion_is_taken_from_the_list(screen: Screen, project: Project) -> None:
    async with ModelServer(Script([" + b"])) as model:
        project.configure(model)
        await screen.start()
        await project.until_answered("initialize")
        await screen.do("type", "a")
        await screen.do("key", "ctrl+space")
        await project.until_logged("completion", "shown", EDITOR)
        screen.picture("kate-list")
        await screen.do("key", "Return")
        await project.until_logged("completion", "accepted", EDITOR)
        await screen.do("key", "ctrl+s")
        for _ in range(200):
            if project.file.read_text().startswith("def add(a, b):\n    return a + b\n\n\ndef"):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(project.file.read_text())


async def test_a_todo_is_done_and_accepted_by_code_actions(screen: Screen, project: Project) -> None:
    steps = '{"steps": [{"file": "sums.py", "change": "subtract must subtract"}]}'
    edit = "```python\ndef subtract(a, b):\n    return a - b\n```"
    async with ModelServer(Script([steps], times=1), Script([edit])) as model:
        project.configure(model)
        project.file.write_text(f"# TODO: make subtract() subtract\n{project.file.read_text()}")
        await screen.start()
        await project.until_answered("initialize")
        await screen.do("key", "ctrl+Home")
        await screen.actions()
        screen.picture("kate-actions")
        await screen.do("key", "Down", "Return")
        await project.until_proposed()
        await screen.do("key", "ctrl+End", "Up")
        await screen.actions()
        screen.picture("kate-review")
        await screen.do("key", "Down", "Return")
        await project.until_logged("plan", "accepted", EDITOR)
        assert project.file.read_text().endswith("return a - b\n")
        await screen.do("key", "F5")  # Kate 22.12 takes no edits from a server: they are in the file
        await screen.do("key", "ctrl+Home", "Delete", "Delete", "ctrl+s")
        for _ in range(200):
            if project.file.read_text().startswith("TODO"):
                break
            await asyncio.sleep(0.05)
        assert project.file.read_text().endswith("return a - b\n"), "what was reloaded is saved"
