"""Lido from Python: the services of the command line, as functions. Settings and models are the person's own;
see docs/api.md. What goes wrong with a model raises `ModelError`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lido.chat.service import Answer
from lido.models.base import ModelError
from lido.plan.run import Step

__all__ = [
    "Answer", "Change", "ModelError", "PlanResult", "Step", "ask", "ask_sync", "complete", "complete_sync",
    "run_plan", "run_plan_sync",
]  # fmt: skip

Place = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Change:
    """What a plan makes of one file: absolute `path`; `before` or `after` is None where there is none."""

    path: Path
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class PlanResult:
    """`state` is one of review, done, gaveUp, cancelled, failed; `message` says in sentences how it ended.
    `applied` is whether the changes were written."""

    id: str
    state: str
    message: str
    steps: tuple[Step, ...]
    changes: tuple[Change, ...]
    applied: bool

    def diff(self) -> str:
        """The changes as a unified diff; "" where there are none."""
        from lido.edits.hunks import unified_diff

        return "".join(unified_diff(str(c.path), c.before or "", c.after or "") for c in self.changes)


async def complete(path: Place, line: int, column: int) -> str:
    """What the model would write at a place of a file, "" where nothing; line and column count from 1, in
    code points. Raises ModelError, OSError, ValueError for a place that is not in the file."""
    from lido.cli.complete import _completer
    from lido.workspace.documents import Document
    from lido.workspace.syntax import language_of

    file = Path(path).absolute()  # noqa: ASYNC240 - no disk is touched
    text = (await asyncio.to_thread(file.read_bytes)).decode("utf-8")
    lines = text.split("\n")
    if not (1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 1):
        raise ValueError(f"there is no line {line}, column {column} in {file}")
    document = Document.of(text, file.as_uri(), language_of(file), path=file)
    offset = document.offset_at(line - 1, column - 1, "utf-32")
    async with _completer(file.parent) as service:
        found = await service.complete(document, offset, "invoked")
    return found[0].text if found else ""


async def ask(
    text: str,
    *,
    root: Place = ".",
    files: Sequence[str] = (),
    model: str | None = None,
    conversation: str | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Answer:
    """One answer about the project at `root`. `files` as for ``lido chat -f``; `conversation` is the
    `conversation_id` of an earlier answer; `on_text` gets the pieces as they come. Raises ModelError,
    ValueError for a file that is not there, and LookupError for an unknown conversation."""
    from lido.cli.session import attached, session

    folder = Path(root).resolve()  # noqa: ASYNC240 - once, before anything else runs
    attachments = attached(files, folder)
    async with session(folder) as s, aclosing(s.chat.send(conversation, text, attachments, model)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Answer):
                return piece
            if on_text:
                on_text(piece)
    raise ModelError("bad_answer", "The model gave no answer.")


async def run_plan(
    instruction: str,
    *,
    root: Place = ".",
    files: Sequence[str] = (),
    mode: Literal["plan", "agent"] = "plan",
    test_command: str | None = None,
    model: str | None = None,
    apply: bool = False,
    answer: Callable[[str], str] | None = None,
) -> PlanResult:
    """Has a change made in the project at `root`, and writes it only with `apply`. Giving a `test_command` is
    consent to run it; `answer` is asked everything else the run wants to know, and without it a run that asks
    is cancelled. Raises ValueError for a file that is not there; how a run ends is in the result."""
    from lido.cli.session import attached, session
    from lido.plan.run import FINAL, Update

    folder = Path(root).resolve()  # noqa: ASYNC240 - once, before anything else runs
    attachments = attached(files, folder)
    async with session(folder) as s:
        updates: asyncio.Queue[Update] = asyncio.Queue()
        plan_id = s.plans.start(
            instruction, attachments, mode, test_command, updates.put_nowait, model,
            (test_command,) if test_command else (),
        )  # fmt: skip
        while (update := await updates.get()).state not in FINAL:
            if update.state == "waiting":
                if answer is None:
                    await s.plans.cancel(plan_id)
                else:
                    s.plans.answer(plan_id, await asyncio.to_thread(answer, update.question))
        changes: tuple[Change, ...] = ()
        applied = False
        if update.review_id:
            review = s.reviews.get(update.review_id)
            changes = tuple(Change(Path(f.path), f.before, f.after) for f in review.files)
            hunks = [hunk.id for file in review.files for hunk in file.hunks]
            outcomes = await s.reviews.decide(review.id, hunks, "accept" if apply else "reject")
            applied = apply and all(o.kind == "accepted" for o in outcomes)
        return PlanResult(plan_id, update.state, update.message, update.steps, changes, applied)


def complete_sync(path: Place, line: int, column: int) -> str:
    """`complete`, where no event loop runs."""
    return asyncio.run(complete(path, line, column))


def ask_sync(
    text: str,
    *,
    root: Place = ".",
    files: Sequence[str] = (),
    model: str | None = None,
    conversation: str | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Answer:
    """`ask`, where no event loop runs."""
    return asyncio.run(
        ask(text, root=root, files=files, model=model, conversation=conversation, on_text=on_text)
    )


def run_plan_sync(
    instruction: str,
    *,
    root: Place = ".",
    files: Sequence[str] = (),
    mode: Literal["plan", "agent"] = "plan",
    test_command: str | None = None,
    model: str | None = None,
    apply: bool = False,
    answer: Callable[[str], str] | None = None,
) -> PlanResult:
    """`run_plan`, where no event loop runs."""
    return asyncio.run(
        run_plan(
            instruction, root=root, files=files, mode=mode, test_command=test_command, model=model,
            apply=apply, answer=answer,
        )
    )  # fmt: skip
