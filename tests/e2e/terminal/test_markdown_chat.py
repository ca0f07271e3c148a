"""A conversation in a Markdown document, in Neovim with its own LSP client alone."""

from __future__ import annotations

import shutil

import pytest

from e2e.editors.conftest import Project, Terminal
from fakes.model_server import ModelServer, Script

INIT = """
vim.opt.swapfile = false
vim.api.nvim_create_autocmd('FileType', { pattern = 'markdown', callback = function(args)
  local id = vim.lsp.start_client({ name = 'lido', cmd = { 'lido', 'serve' }, root_dir = vim.fn.getcwd() })
  vim.lsp.buf_attach_client(args.buf, id)
end })
"""


async def test_a_question_is_answered_in_its_document(terminal: Terminal, project: Project) -> None:
    if shutil.which("nvim") is None:
        pytest.skip("nvim is not installed")
    (project.root / "talk.lido.md").write_text("What does it do? [file](sums.py#L1-L2)\n")
    init = project.home / "init.lua"
    init.write_text(INIT)
    async with ModelServer(Script(["It ", "adds ", "two numbers."])) as model:
        project.configure(model)
        terminal.start(["nvim", "-u", str(init), "talk.lido.md"], project.environment, project.root)
        await terminal.until("What does it do?")
        ready = project.home / "ready"
        terminal.type(
            ":lua vim.wait(20000, function() local c = (vim.lsp.get_clients or vim.lsp.get_active_clients)()[1]"
            f" return c and c.initialized end) vim.fn.writefile({{}}, '{ready}')\n"
        )
        await terminal.until(lambda _: ready.exists())
        terminal.type(":lua vim.lsp.buf.code_action()\n")
        screen = await terminal.until(lambda screen: "Ask Lido" in screen or "adds two" in screen)
        if "adds two" not in screen:
            terminal.type("1\n")
        await terminal.until("It adds two numbers.")
        assert "def add(a, b)" in model.seen[0].prompt
        terminal.type(":w\n")
        await terminal.until("written")
    assert "## Lido\n\nIt adds two numbers.\n\n## You\n" in (project.root / "talk.lido.md").read_text()
