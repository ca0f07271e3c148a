"""Vim in a terminal, with clients/vim: ghost text, and code actions in a menu."""

from __future__ import annotations

import pytest

from e2e.editors.conftest import CHECKOUT, Project, Terminal, need_vim, recipe
from fakes.model_server import ModelServer, Script

EDITOR = "Vim"


@pytest.fixture
def vim(terminal: Terminal, project: Project) -> list[str]:
    need_vim()
    init = project.home / "vimrc"
    settings = recipe("Vim", "vim").replace("/path/to/lido", str(CHECKOUT))
    init.write_text(f"{settings}set noswapfile\n")
    return ["vim", "-u", str(init), "sums.py"]


async def test_ghost_text_is_shown_accepted_and_logged(
    vim: list[str], terminal: Terminal, project: Project
) -> None:
    async with ModelServer(Script(["a + b  # é𝄞"])) as model:
        project.configure(model)
        terminal.start(vim, project.environment, project.root)
        await terminal.until("def subtract")
        terminal.keys("j", "A")
        await terminal.until("return a + b  # é𝄞\n")
        assert "return a" not in project.file.read_text().split("\n\n\n")[0]
        terminal.keys("Tab", "Escape")
        await project.until_logged("completion", "accepted", EDITOR)
        terminal.type(":w\n")
        await terminal.until("written")
        assert project.file.read_text().startswith("def add(a, b):\n    return a + b  # é𝄞\n\n\ndef")
        assert project.log()["completion", "shown", EDITOR] == 1


async def test_a_word_at_a_time_and_no_is_no(vim: list[str], terminal: Terminal, project: Project) -> None:
    async with ModelServer(Script(["alpha + beta"])) as model:
        project.configure(model)
        terminal.start(vim, project.environment, project.root)
        await terminal.until("def subtract")
        terminal.keys("j", "A")
        await terminal.until("return alpha + beta")
        terminal.keys("C-Right")
        terminal.keys("C-]", "Escape")
        await terminal.until("return alpha\n\n\ndef")
        terminal.type(":w\n")
        await terminal.until("written")
        terminal.type(":q\n")
        await project.until_logged("completion", "partially_accepted", EDITOR)
        assert project.file.read_text().startswith("def add(a, b):\n    return alpha\n")


async def test_a_todo_is_done_and_accepted_from_the_menu(
    vim: list[str], terminal: Terminal, project: Project
) -> None:
    steps = '{"steps": [{"file": "sums.py", "change": "subtract must subtract"}]}'
    edit = "```python\ndef subtract(a, b):\n    return a - b\n```"
    async with ModelServer(Script([steps], times=1), Script([edit])) as model:
        project.configure(model)
        project.file.write_text(f"# TODO: make subtract() subtract\n{project.file.read_text()}")
        terminal.start(vim, project.environment, project.root)
        await terminal.until("def subtract")
        await project.until_answered("initialize")
        terminal.type(":LidoActions\n")
        await terminal.until("Lido: do “make subtract")
        terminal.keys("Enter")
        await project.until_proposed()
        await terminal.until("Accept all")  # asked by the server
        terminal.type("\n")
        terminal.type(":7\n")
        terminal.type(":LidoActions\n")
        await terminal.until("Lido: accept")
        terminal.keys("Enter")
        await project.until_logged("plan", "accepted", EDITOR)
        await terminal.until("    return a - b")
