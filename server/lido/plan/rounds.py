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
OUTPUT = 600
"""Characters of a failing test's output that a small model gets: some 200 tokens, 2 s of reading."""


async def work(
    run: Run, box: Toolbox, excerpts: Sequence[Excerpt], can: Capabilities, syntax_errors: SyntaxErrors
) -> str:
    """Works in the copy until the tests pass; the evidence, as sentences. Without tests, one round. Raises
    GaveUp."""
    before = best = await _tested(box)
    problems: list[str] = []
    for number in range(ROUNDS if before is not None else 1):
        run.tell("planning", message=f"Round {number + 1}.")
        # First as in plan mode. Then what fails is shown, and less likely answers are tried: the same
        # again would fail the same.
        run.temperature = max(run.temperature, min(0.3 * number, 0.8))
        failing = telling(best.output) if number % 2 and best and not best.ok else ""
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
        if before is None or best is None:
            if not changes:
                raise GaveUp(" ".join(("No edit could be made.", *problems)))
            return "There was no test to check it with."
        result = await box.test()
        if result.ok:
            rounds = f"{number + 1} round{'s' * (number > 0)}"
            return f"Tests before: {summary(before)}. After {rounds}: {summary(result)}."
        if failures(result) < failures(best):
            best = result
        else:  # a step back, or aside: the next round begins where it was best
            for change in changes:
                await asyncio.to_thread(box.restore, change.path, change.before)
    raise GaveUp(
        " ".join(
            (
                f"After {ROUNDS} rounds the tests still fail.",
                f"Before: {summary(before)}; at best: {summary(best)}.",
                *problems,
            )
        )
    )


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


_TELLING = re.compile(
    r"assert|error\b|exception|expect|panick|mismatch|undefined|!=|\bgot\b|^\s*[E>]\s|left:|right:|want", re.I
)
_FAILURE = re.compile(r"^(?:FAIL|ERROR|FAILED|---\s+FAIL|not ok|test .* \.\.\. FAILED|\s*✕|\s+\d+\) )", re.M)


def failures(result: Result) -> int:
    """How many tests fail, as far as the output of the usual runners says; a large number where none is
    named, because then nothing ran at all."""
    return 0 if result.ok else len(_FAILURE.findall(result.output)) or 10_000


def telling(output: str) -> str:
    """The part of a test run's output that says what is wrong: lines with assertions and errors, else the
    last ones, without rulers and without frames in installed packages."""
    lines = [line.rstrip() for line in output.splitlines() if not _NOISE.match(line)]
    lines = [line for line in lines if "site-packages" not in line and "/lib/python" not in line]
    chosen = list(dict.fromkeys(line.strip() for line in lines if _TELLING.search(line)))
    if chosen:
        text = "\n".join(chosen)
        return text if len(text) <= OUTPUT else text[: text.rfind("\n", 0, OUTPUT)]
    cut = "\n".join(lines)[-OUTPUT:]
    return cut[cut.find("\n") + 1 :] if len(cut) == OUTPUT else cut


def summary(result: Result | None) -> str:
    """A test run in a few words: its last line that says something, and how it ended."""
    if result is None:
        return "not run"
    if result.timed_out:
        return "stopped after its time limit"
    lines = [line.strip("= \t") for line in result.output.splitlines() if not _NOISE.match(line)]
    last = lines[-1][:100] if lines else "no output"
    return f"{'passed' if result.ok else 'failed'} ({last})"
