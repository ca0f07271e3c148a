"""`lido plan` and `lido chat` as a person at a terminal uses them."""

from __future__ import annotations

import stat
from pathlib import Path

from e2e.editors.conftest import Project, Terminal
from fakes.model_server import ModelServer, Script

STEPS = '{"steps": [{"file": "sums.py", "change": "add must add"}]}'
EDIT = """sums.py
<<<<<<< SEARCH
    return 
=======
    return a + b
>>>>>>> REPLACE
<<<<<<< SEARCH
    return a + b
=======
    return a - b
>>>>>>> REPLACE
"""


def editor(project: Project, script: str) -> dict[str, str]:
    """An $EDITOR that does what `script` (sed) says."""
    program = project.home / "editor"
    program.write_text(f"#!/bin/sh\nexec sed -i '{script}' \"$1\"\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return project.environment | {"EDITOR": str(program)}


async def test_steps_are_edited_and_hunks_reviewed(
    terminal: Terminal, project: Project, tmp_path: Path
) -> None:
    project.file.write_text("def add(a, b):\n    return a\n\n\n\n\ndef subtract(a, b):\n    return a + b\n")
    edit = EDIT.replace("    return \n", "    return a\n\n").replace(
        "    return a + b\n===", "    return a + b\n==="
    )
    edit = edit.replace("return a + b\n>>>>>>> REPLACE\n<", "return a + b\n\n>>>>>>> REPLACE\n<")
    async with ModelServer(Script([STEPS], times=1), Script([edit])) as model:
        project.configure(model)
        environment = editor(
            project, "s/add must add/both must be right/; s/return a - b/return a - b  # mine/"
        )
        terminal.start(["lido", "plan", "Mend sums.py", "-f", "sums.py"], environment, project.root)
        await terminal.until("Go on with these steps")
        terminal.type("e\n")
        await terminal.until("Accept this hunk")
        assert "both must be right" in model.seen[-1].prompt
        assert project.file.read_text().count("return a + b") == 1, "nothing is written yet"
        terminal.type("?\n")
        await terminal.until("split this hunk")
        terminal.type("n\n")
        await terminal.until("+    return a - b")
        terminal.type("e\n")
        await project.until_logged("plan", "accepted", "terminal")
    assert "def add(a, b):\n    return a\n" in project.file.read_text()
    assert project.file.read_text().endswith("    return a - b  # mine\n")


async def test_a_conversation_goes_on_and_is_logged(terminal: Terminal, project: Project) -> None:
    async with ModelServer(Script(["And ", "again."], match="And now"), Script(["It ", "adds."])) as model:
        project.configure(model)
        terminal.start(["lido", "chat"], project.environment, project.root)
        await terminal.until("›")
        terminal.type("What is it?\n")
        await terminal.until("It adds.")
        await terminal.until(lambda screen: screen.rstrip().endswith("›"))
        terminal.type("And now?\n")
        await terminal.until("And again.")
        assert "What is it?" in model.seen[-1].prompt
        terminal.keys("C-d")
        await terminal.until(lambda _: project.log()["chat", "ignored", "terminal"] == 2)
