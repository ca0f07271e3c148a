"""Emacs in a terminal, with eglot and clients/emacs/lido.el."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from e2e.editors.conftest import CHECKOUT, Project, Terminal
from fakes.model_server import ModelServer, Script

EDITOR = "unknown"
"""Eglot 1.9 does not say which editor it is."""

INIT = """\
(add-to-list 'load-path "{module}")
(let ((default-directory "/usr/share/emacs/site-lisp/"))
  (when (file-directory-p default-directory) (normal-top-level-add-subdirs-to-load-path)))
(setq inhibit-startup-screen t make-backup-files nil eglot-confirm-server-initiated-edits nil)
(menu-bar-mode -1)
(require 'lido)
(setq eglot-server-programs '((python-mode . (lido-server "lido" "serve"))))
(setq eglot-stay-out-of '(flymake eldoc))
(add-hook 'python-mode-hook #'eglot-ensure)
(add-hook 'eglot-managed-mode-hook #'lido-mode)
"""


@pytest.fixture
def emacs(terminal: Terminal, project: Project) -> None:
    if shutil.which("emacs") is None:
        pytest.skip("emacs is not installed")
    init = project.home / "init.el"
    init.write_text(INIT.format(module=CHECKOUT / "clients" / "emacs"))
    found = subprocess.run(["emacs", "-Q", "--batch", "-l", str(init)], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(f"Emacs has no eglot: {found.stderr[-300:]}")


async def start(terminal: Terminal, project: Project) -> None:
    command = ["emacs", "-nw", "-Q", "-l", str(project.home / "init.el"), "sums.py"]
    terminal.start(command, project.environment, project.root)
    await terminal.until("[eglot:project")


@pytest.mark.usefixtures("emacs")
async def test_ghost_text_is_shown_accepted_and_logged(terminal: Terminal, project: Project) -> None:
    async with ModelServer(Script(["a + b"])) as model:
        project.configure(model)
        project.file.write_text(project.file.read_text().replace("return \n", "return\n"))
        await start(terminal, project)
        terminal.keys("C-n", "C-e")
        terminal.keys("Space")
        await terminal.until("return a + b\n\n\ndef")
        terminal.keys("Tab")
        await project.until_logged("completion", "accepted", EDITOR)
        terminal.keys("C-x", "C-s")
        await terminal.until("Wrote")
        assert project.file.read_text().startswith("def add(a, b):\n    return a + b\n\n\ndef")
        assert project.log()["completion", "shown", EDITOR] == 1


@pytest.mark.usefixtures("emacs")
async def test_chat_streams_into_a_buffer(terminal: Terminal, project: Project) -> None:
    async with ModelServer(Script(["It ", "adds ", "**two** numbers."])) as model:
        project.configure(model)
        await start(terminal, project)
        terminal.keys("M-x")
        terminal.type("lido-chat\n")
        await terminal.until("Lido:")
        terminal.type("What does this do?\n")
        await terminal.until("numbers.")
        await project.until_logged("chat", "shown", EDITOR)


@pytest.mark.usefixtures("emacs")
async def test_a_plan_is_accepted_after_a_question(terminal: Terminal, project: Project) -> None:
    steps = '{"steps": [{"file": "sums.py", "change": "subtract must subtract"}]}'
    edit = "```python\ndef subtract(a, b):\n    return a - b\n```"
    async with ModelServer(Script([steps], times=1), Script([edit])) as model:
        project.configure(model)
        await start(terminal, project)
        terminal.keys("M-x")
        terminal.type("lido-plan\n")
        await terminal.until("Lido, do:")
        terminal.type("Make subtract() in sums.py subtract\n")
        await terminal.until("Choose an option")
        terminal.keys("C-a", "C-k")  # the first choice stands there already
        terminal.type("Accept all\n")
        await terminal.until("\n    return a - b")
        await project.until_logged("plan", "accepted", EDITOR)


@pytest.mark.usefixtures("emacs")
async def test_one_change_is_accepted_on_its_line(terminal: Terminal, project: Project) -> None:
    """Eglot shows no code lenses: the same choices are code actions."""
    steps = '{"steps": [{"file": "sums.py", "change": "subtract must subtract"}]}'
    edit = "```python\ndef subtract(a, b):\n    return a - b\n```"
    async with ModelServer(Script([steps], times=1), Script([edit])) as model:
        project.configure(model)
        await start(terminal, project)
        terminal.keys("M-x")
        terminal.type("lido-plan\n")
        await terminal.until("Lido, do:")
        terminal.type("Make subtract() in sums.py subtract\n")
        await terminal.until("Choose an option")
        terminal.keys("Enter")  # show the changes
        line = (await terminal.until("the next change is in sums.py, line ")).rpartition(", line ")[2][:1]
        terminal.keys("M-x")
        terminal.type(f"goto-line\n{line}\n")
        terminal.keys("M-x")
        terminal.type("eglot-code-actions\n")
        await terminal.until("Lido: accept")
        terminal.keys("Enter")
        await terminal.until("\n    return a - b")
        await project.until_logged("plan", "accepted", EDITOR)
