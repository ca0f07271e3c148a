"""Vim in a terminal, with ALE as its language client: suggestions come in the completion list."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from e2e.editors.conftest import Project, Terminal, recipe
from fakes.model_server import ModelServer, Script

EDITOR = "unknown"
"""ALE does not say which editor it is."""

# Where Debian's vim-ale lies, and where Vim's packages are kept by people.
PLACES = [Path("/usr/share/vim-ale"), *Path.home().glob(".vim/pack/*/*/ale")]


@pytest.fixture
def vim(terminal: Terminal, project: Project) -> list[str]:
    if shutil.which("vim") is None:
        pytest.skip("vim is not installed")
    found = [place for place in PLACES if place.is_dir()]
    if not found:
        pytest.skip("ALE is not installed (Debian's vim-ale)")
    init = project.home / "vimrc"
    settings = recipe("Vim with ALE", "vim").replace("/usr/share/vim-ale", str(found[0]))
    init.write_text(f"{settings}set noswapfile\n")
    return ["vim", "-u", str(init), "sums.py"]


async def test_a_suggestion_is_taken_from_the_list(
    vim: list[str], terminal: Terminal, project: Project
) -> None:
    async with ModelServer(Script([" + b"])) as model:
        project.configure(model)
        terminal.start(vim, project.environment, project.root)
        await terminal.until("def subtract")
        terminal.keys("j", "A")
        terminal.type("a")
        await terminal.until("Lido")  # the list says where it comes from
        terminal.keys("C-n", "C-y", "Escape")
        await terminal.until("return a + b\n\n\ndef")
        terminal.type(":w\n")
        await terminal.until("written")
        assert project.file.read_text().startswith("def add(a, b):\n    return a + b\n\n\ndef")
        await project.until_logged("completion", "accepted", EDITOR)


async def test_a_todo_is_done_and_accepted_by_code_actions(
    vim: list[str], terminal: Terminal, project: Project
) -> None:
    steps = '{"steps": [{"file": "sums.py", "change": "subtract must subtract"}]}'
    edit = "```python\ndef subtract(a, b):\n    return a - b\n```"
    async with ModelServer(Script([steps], times=1), Script([edit])) as model:
        project.configure(model)
        project.file.write_text("# TODO: make subtract() subtract\n" + project.file.read_text())
        terminal.start(vim, project.environment, project.root)
        await terminal.until("def subtract")
        terminal.type(":ALECodeAction\n")
        await terminal.until("1) Lido: do “make subtract")
        terminal.type("1\n")
        await project.until_proposed()  # ALE does not say that there is something to review
        terminal.type(":7\n")
        terminal.type(":ALECodeAction\n")
        await terminal.until("Lido: accept")
        terminal.type("1\n")
        await project.until_logged("plan", "accepted", EDITOR)
        terminal.type(":checktime\n")
        await terminal.until("    return a - b")
