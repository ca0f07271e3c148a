"""Agent mode for small models: edit, test, read what fails, edit again. They lose their way with tools, but
use a failing test's output well."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

from lido.models.base import Capabilities
from lido.plan import planning
from lido.plan.editing import Editor, SyntaxErrors
from lido.plan.permissions import Denied
from lido.plan.run import GaveUp, Run, Step
from lido.plan.sandbox import Result
from lido.plan.tools import Toolbox
from lido.workspace.attachments import Excerpt

ROUNDS = 4
OUTPUT = 900
"""Characters of a failing test's output that a small model gets: some 300 tokens, 3 s of reading."""


async def work(
    run: Run, box: Toolbox, excerpts: Sequence[Excerpt], can: Capabilities, syntax_errors: SyntaxErrors
) -> str:
    """Works in the copy until the tests pass; the evidence, as sentences. Without tests, one round. Raises
    GaveUp."""
    before = await _tested(box)
    failing = "" if before is None or before.ok else telling(before.output)
    result: Result | None = None
    problems: list[str] = []
    seen: set[str] = set()
    for number in range(ROUNDS if before is not None else 1):
        run.tell("planning", message=f"Round {number + 1}.")
        now = [await asyncio.to_thread(_present, box, e) for e in excerpts]
        talk, steps = await planning.steps(run, now, can, failing)
        done = tuple(s for s in run.update.steps if s.state != "pending")
        run.tell("editing", steps=tuple(steps))
        editor = Editor(run, talk, box.workspace.read, can, syntax_errors)
        changes = await editor.changes()
        problems = editor.problems
        for change in changes:
            await asyncio.to_thread(box.write, change.path, change.after or "")
        run.tell(steps=(*_kept(done), *run.update.steps))
        state = repr([(c.path, c.after) for c in changes])
        # The same again would fail the same: let the model try something less likely.
        run.temperature = 0.7 if not changes or state in seen else 0.0
        seen.add(state)
        if before is None:
            if not changes:
                raise GaveUp(" ".join(("No edit could be made.", *problems)))
            return "There was no test to check it with."
        result = await box.test()
        if result.ok:
            rounds = f"{number + 1} round{'s' * (number > 0)}"
            return f"Tests before: {summary(before)}. After {rounds}: {summary(result)}."
        failing = telling(result.output)
    after = summary(result) if result else "not run"
    raise GaveUp(
        " ".join((f"After {ROUNDS} rounds the tests still fail. Before: {summary(before)}; now: {after}.",
                  *problems))
    )  # fmt: skip


async def _tested(box: Toolbox) -> Result | None:
    """The tests as they are, None where there are none or the person does not let them run."""
    if not any(tool.name == "test" for tool in box.tools):
        return None
    try:
        return await box.test()
    except Denied:
        return None


def _present(box: Toolbox, excerpt: Excerpt) -> Excerpt:
    """The excerpt of a whole file as it is in the copy now. Blocking."""
    text = box.workspace.read(excerpt.path) if excerpt.whole and excerpt.path else None
    return excerpt if text is None else replace(excerpt, text=text)


def _kept(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(steps)[-20:]


_NOISE = re.compile(r"^\s*(?:[-=_~*#]{5,}|\^+|[.FEsx]+)?\s*$")


def telling(output: str) -> str:
    """The part of a test run's output that says what is wrong: its last lines without rulers, and without
    frames in installed packages."""
    lines = [line.rstrip() for line in output.splitlines() if not _NOISE.match(line)]
    lines = [line for line in lines if "site-packages" not in line and "/lib/python" not in line]
    text = "\n".join(lines)
    if len(text) <= OUTPUT:
        return text
    cut = text[-OUTPUT:]
    return cut[cut.find("\n") + 1 :]


def summary(result: Result | None) -> str:
    """A test run in a few words: its last line that says something, and how it ended."""
    if result is None:
        return "not run"
    if result.timed_out:
        return "stopped after its time limit"
    lines = [line.strip("= \t") for line in result.output.splitlines() if not _NOISE.match(line)]
    last = lines[-1][:100] if lines else "no output"
    return f"{'passed' if result.ok else 'failed'} ({last})"
