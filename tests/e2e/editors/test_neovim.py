"""Neovim in a terminal, with clients/neovim: what a person types and sees, and what the log says of it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from e2e.editors.conftest import CHECKOUT, Project, Terminal
from fakes.model_server import ModelServer, Script

# Further editions, "path:path", beside the one on PATH: the module keeps Neovim 0.7 and the newest alike.
EDITIONS = [p for p in os.environ.get("LIDO_TEST_NVIM", "").split(":") if p] or ["nvim"]


@pytest.fixture(params=EDITIONS, ids=lambda p: str(EDITIONS.index(p)))
def nvim(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip("nvim is not installed")
    return str(request.param)


def start(nvim: str, terminal: Terminal, project: Project) -> None:
    init = project.home / "init.lua"
    module = CHECKOUT / "clients" / "neovim"
    init.write_text(
        f"vim.opt.runtimepath:append([[{module}]])\nvim.opt.swapfile = false\nvim.opt.cmdheight = 2\n"
        "require('lido').setup { cmd = { 'lido', 'serve' } }\n"
    )
    runtime = Path(nvim).resolve().parents[1] / "share" / "nvim" / "runtime"
    extra = {"VIMRUNTIME": str(runtime)} if nvim != "nvim" and runtime.is_dir() else {}
    terminal.start([nvim, "-u", str(init), "sums.py"], project.environment | extra, project.root)


async def test_ghost_text_is_shown_accepted_and_logged(
    nvim: str, terminal: Terminal, project: Project
) -> None:
    async with ModelServer(Script(["a + b"])) as model:
        project.configure(model)
        start(nvim, terminal, project)
        await terminal.until("def subtract")
        terminal.keys("j", "A")
        await terminal.until("return a + b\n\n\ndef")
        assert "return a" not in project.file.read_text().split("\n\n\n")[0]
        terminal.keys("Tab")
        terminal.keys("Escape")
        await project.until_logged("completion", "accepted", "Neovim")
        terminal.type(":w\n")
        await terminal.until("written")
        assert project.file.read_text().startswith("def add(a, b):\n    return a + b\n\n\ndef")
        assert project.log()["completion", "shown", "Neovim"] == 1


async def test_a_word_at_a_time_and_no_is_no(nvim: str, terminal: Terminal, project: Project) -> None:
    async with ModelServer(Script(["a + b"])) as model:
        project.configure(model)
        start(nvim, terminal, project)
        await terminal.until("def subtract")
        terminal.keys("j", "A")
        await terminal.until("return a + b\n\n\ndef")
        terminal.keys("M-Right")
        terminal.keys("C-]")
        await terminal.until("return a\n\n\ndef")
        await project.until_logged("completion", "partially_accepted", "Neovim")
        assert not project.log()["completion", "rejected", "Neovim"]


async def test_chat_streams_markdown_into_a_buffer(nvim: str, terminal: Terminal, project: Project) -> None:
    async with ModelServer(Script(["It ", "adds ", "**two** numbers."])) as model:
        project.configure(model)
        start(nvim, terminal, project)
        await terminal.until("def subtract")
        terminal.type(":1,2LidoChat What does this do?\n")
        await terminal.until("numbers.")
        await project.until_logged("chat", "shown", "Neovim")
        assert "def add(a, b)" in model.seen[0].prompt


async def test_a_plan_is_reviewed_by_code_lens(nvim: str, terminal: Terminal, project: Project) -> None:
    steps = '{"steps": [{"file": "sums.py", "change": "subtract must subtract"}]}'
    edit = "```python\ndef subtract(a, b):\n    return a - b\n```"
    async with ModelServer(Script([steps], times=1), Script([edit])) as model:
        project.configure(model)
        start(nvim, terminal, project)
        await terminal.until("def subtract")
        terminal.type(":LidoPlan Make subtract() in sums.py subtract\n")
        await terminal.until("Accept all")
        terminal.type("\n")  # not all at once
        await terminal.until("accept “Change")
        terminal.type(":6\n")
        terminal.type(":lua vim.lsp.codelens.run()\n")
        await terminal.until("1: ")
        terminal.type("1\n")
        await terminal.until("\n    return a - b")
        await project.until_logged("plan", "accepted", "Neovim")
        assert "return a - b" not in project.file.read_text(), "the editor holds the change, unsaved"


async def test_an_agent_sees_what_the_editor_reports(nvim: str, terminal: Terminal, project: Project) -> None:
    def native(tool: str, **arguments: str) -> list[dict[str, str]]:
        return [{"id": "1", "name": tool, "arguments": json.dumps(arguments)}]

    scripts = [
        Script([], match="sums.py:1: warning: odd", tool_calls=native("give_up", reason="Neovim says so.")),
        Script([], match="Look", tool_calls=native("diagnostics")),
    ]
    async with ModelServer(*scripts) as model:
        project.configure(model)
        start(nvim, terminal, project)
        await terminal.until("def subtract")
        terminal.type(
            ":lua vim.diagnostic.set(vim.api.nvim_create_namespace('lint'), 0, "
            "{{lnum = 0, col = 0, message = 'odd', severity = vim.diagnostic.severity.WARN}})\n"
        )
        await terminal.until("odd")
        terminal.type(":lua require('lido').plan('Look', 'agent')\n")
        await terminal.until("Neovim says so.")
