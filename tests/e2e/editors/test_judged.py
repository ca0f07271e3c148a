"""Real editors before the judge of clients: whatever they send is held against the protocol."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from e2e.editors.conftest import CHECKOUT, Project, Terminal, need_vim
from e2e.editors.test_emacs import INIT, emacs  # noqa: F401 - a fixture

SCRIPT = CHECKOUT / "tests" / "conformance" / "client_check.py"


async def told(report: Path, *lines: str) -> str:
    """The report once it has all of these; it is written anew with each message."""
    text = ""
    for _ in range(400):
        text = report.read_text() if report.exists() else ""
        if all(line in text for line in lines):
            return text
        await asyncio.sleep(0.05)
    raise AssertionError(f"the judge never said {lines}:\n{text}")


def breaches(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("WRONG")]


async def test_neovim_keeps_the_protocol(terminal: Terminal, project: Project) -> None:
    if shutil.which("nvim") is None:
        pytest.skip("nvim is not installed")
    report = project.home / "report.txt"
    init = project.home / "init.lua"
    module = CHECKOUT / "clients" / "neovim"
    init.write_text(
        f"vim.opt.runtimepath:append([[{module}]])\nvim.opt.swapfile = false\nvim.opt.cmdheight = 2\n"
        f"require('lido').setup {{ cmd = {{ [[{sys.executable}]], [[{SCRIPT}]], '--report', [[{report}]] }} }}\n"
    )
    terminal.start(["nvim", "-u", str(init), "sums.py"], project.environment, project.root)
    await told(report, "yes   says initialize first")
    terminal.keys("j", "A")
    await terminal.until("return conformance")
    terminal.keys("Tab")
    await told(report, "yes   runs the suggestion's command")
    terminal.keys("Escape")
    terminal.type(":lua vim.lsp.buf.code_action()\n")
    await terminal.until("edit this file")
    terminal.type("1\n")
    await told(report, "yes   applies a workspace edit")
    terminal.type(":qa!\n")
    text = await told(report, "yes   asks for shutdown")
    assert breaches(text) == []


@pytest.mark.usefixtures("emacs")
async def test_emacs_keeps_the_protocol(terminal: Terminal, project: Project) -> None:
    report = project.home / "report.txt"
    command = f'"{sys.executable}" "{SCRIPT}" "--report" "{report}"'
    settings = INIT.format(module=CHECKOUT / "clients" / "emacs").replace('"lido" "serve"', command)
    (project.home / "init.el").write_text(settings)
    project.file.write_text(project.file.read_text().replace("return \n", "return\n"))
    terminal.start(
        ["emacs", "-nw", "-Q", "-l", str(project.home / "init.el"), "sums.py"],
        project.environment,
        project.root,
    )
    await terminal.until("[eglot:project")
    terminal.keys("C-n", "C-e", "Space")
    await terminal.until("return conformance")
    terminal.keys("Tab")
    await told(report, "yes   runs the suggestion's command")
    terminal.keys("M-x")
    await terminal.until("M-x")
    terminal.type("eglot-code-actions\n")
    await terminal.until("edit this file")
    terminal.keys("Enter")
    await told(report, "yes   applies a workspace edit")
    await terminal.until("checked")
    terminal.keys("M-x")
    await terminal.until("M-x")
    terminal.type("eglot-shutdown\n")
    # Eglot ends the process together with its exit, which may not be read any more.
    text = await told(report, "    1 shutdown")
    assert breaches(text) == []


async def test_vim_keeps_the_protocol(terminal: Terminal, project: Project) -> None:
    need_vim()
    report = project.home / "report.txt"
    init = project.home / "vimrc"
    init.write_text(
        f"set nocompatible noswapfile\nset runtimepath^={CHECKOUT / 'clients' / 'vim'}\nfiletype plugin on\n"
        f"let g:lido_command = ['{sys.executable}', '{SCRIPT}', '--report', '{report}']\n"
    )
    terminal.start(["vim", "-u", str(init), "sums.py"], project.environment, project.root)
    await told(report, "yes   says initialize first")
    terminal.keys("j", "A")
    await terminal.until("return conformance")
    terminal.keys("Tab")
    await told(report, "yes   runs the suggestion's command")
    terminal.keys("Escape")
    terminal.type(":LidoActions\n")
    await terminal.until("edit this file")
    terminal.keys("Enter")
    await told(report, "yes   asks for code actions, and runs one's command")
    terminal.type(":qa!\n")
    text = await told(report, "yes   asks for shutdown")
    assert breaches(text) == []
