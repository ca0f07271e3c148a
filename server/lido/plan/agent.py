"""Plans: an instruction → relevant files → steps → edits → one review. Each run is a task of its own."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lido.edits.apply import Reviews
from lido.edits.files import Workspace
from lido.models.base import Capabilities, Message, ModelError
from lido.plan import answers, explore
from lido.plan.editing import Editor, SyntaxErrors, no_syntax
from lido.plan.run import GaveUp, Mode, OnUpdate, Run, Step, Trajectory, Update, prompt
from lido.settings import PlanSettings
from lido.workspace.attachments import Attachment, Attachments, Excerpt, fenced, fit

if TYPE_CHECKING:
    from lido.models.registry import Models

log = logging.getLogger(__name__)


class UnknownPlan(LookupError):  # noqa: N818 - reads as what it is
    """No such run in this session."""


class NotWaiting(Exception):  # noqa: N818 - reads as what it is
    """The run asked nothing, so there is nothing to answer."""


@dataclass
class _Running:
    run: Run
    task: asyncio.Task[None]
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Plans:
    """All runs of a session. Runs never touch the person's files: they end in a review."""

    def __init__(
        self,
        models: Models,
        attachments: Attachments,
        workspace: Workspace,
        reviews: Reviews,
        settings: PlanSettings,
        folder: Path,
        syntax_errors: SyntaxErrors = no_syntax,
    ) -> None:
        self._models = models
        self._attachments = attachments
        self._workspace = workspace
        self._reviews = reviews
        self._settings = settings
        self._folder = folder
        self._syntax = syntax_errors
        self._running: dict[str, _Running] = {}

    def start(
        self,
        instruction: str,
        attachments: Sequence[Attachment] = (),
        mode: Mode = "plan",
        test_command: str | None = None,
        on_update: OnUpdate = lambda _: None,
        model: str | None = None,
    ) -> str:
        """Begins a run and returns its id; everything else comes through `on_update`, always on the event
        loop, the last one in a final state."""
        plan_id = _new_id()
        trajectory = Trajectory(self._folder / f"{plan_id}.jsonl")
        run = Run(plan_id, instruction, mode, self._models, trajectory, on_update, model=model)
        work = self._work(run, list(attachments), test_command or self._settings.test_command)
        running = _Running(run, asyncio.create_task(work, name=f"plan {plan_id}"))
        self._running[plan_id] = running
        running.task.add_done_callback(lambda _: running.ended.set())
        return plan_id

    def state(self, plan_id: str) -> Update:
        """Raises UnknownPlan."""
        return self._get(plan_id).run.update

    def answer(self, plan_id: str, text: str) -> None:
        """Answers the question a run waits with. Raises UnknownPlan, NotWaiting."""
        future = self._get(plan_id).run.answer
        if future is None or future.done():
            raise NotWaiting(plan_id)
        future.set_result(text)

    async def cancel(self, plan_id: str) -> Update:
        """Ends the run at once: the model's stream is closed. Raises UnknownPlan."""
        running = self._get(plan_id)
        running.task.cancel()
        await running.ended.wait()
        return running.run.update

    async def wait(self, plan_id: str) -> Update:
        """The run's final state. Raises UnknownPlan."""
        running = self._get(plan_id)
        await running.ended.wait()
        return running.run.update

    async def close(self) -> None:
        """Cancels every run."""
        for plan_id in list(self._running):
            await self.cancel(plan_id)

    def _get(self, plan_id: str) -> _Running:
        try:
            return self._running[plan_id]
        except KeyError:
            raise UnknownPlan(plan_id) from None

    async def _work(self, run: Run, attachments: list[Attachment], test_command: str) -> None:
        run.trajectory.record(
            "start", id=run.id, instruction=run.instruction, mode=run.mode, test_command=test_command,
            attachments=[[a.kind, str(a.path or ""), a.name or ""] for a in attachments],
        )  # fmt: skip
        try:
            await self._plan(run, attachments, test_command)
        except asyncio.CancelledError:
            run.tell("cancelled", message="Cancelled.", question="")
        except GaveUp as end:
            run.tell("gaveUp", message=str(end))
        except ModelError as error:
            run.tell("failed", message=str(error))
        except Exception as error:
            log.exception("plan %s", run.id)
            run.tell("failed", message=f"The plan failed: {error}. The log has the details.")
        finally:
            run.trajectory.record(
                "end", state=run.update.state, seconds=round(time.monotonic() - run.started, 2),
                prompt_tokens=run.usage.prompt_tokens, completion_tokens=run.usage.completion_tokens,
            )  # fmt: skip
            run.trajectory.close()

    # ------------------------------------------------------------------ plan mode

    async def _plan(self, run: Run, attachments: list[Attachment], test_command: str) -> None:
        backends = self._models.for_role("plan", run.model)
        can = backends[0].capabilities
        run.tell("exploring", message="Looking for the files that matter.")
        resolved = await self._attachments.resolve(attachments, run.instruction)
        excerpts = await self._explore(run, resolved.excerpts, can)
        notes = list(resolved.problems)
        run.tell("planning", message="Read " + ", ".join(e.title for e in excerpts) + ".")
        talk, steps = await self._steps(run, excerpts, can)
        run.tell("editing", steps=tuple(steps), message=f"{len(steps)} step{'s' * (len(steps) != 1)}.")
        editor = Editor(run, talk, self._workspace.read, can, self._syntax)
        changes = await editor.changes()
        notes += editor.problems
        if not changes:
            raise GaveUp(" ".join(("No edit could be made.", *notes)))
        review = await self._reviews.open(changes, run.instruction.strip().splitlines()[0][:80])
        if test_command:
            notes.append(f"To check it, run: {test_command}")
        count = sum(len(file.hunks) for file in review.files)
        message = " ".join((f"{count} change{'s' * (count != 1)} to review.", *notes))
        run.tell("review", review_id=review.id, message=message)

    async def _explore(self, run: Run, attached: Sequence[Excerpt], can: Capabilities) -> list[Excerpt]:
        budget = 1100 if can.small else can.context_window // 2
        for _ in range(2):
            files = await explore.relevant(
                self._attachments, run.instruction, attached, budget, 3 if can.small else 12
            )
            if files:
                break
            answer = await run.ask_human(
                "I found no file that this is about. Which file, function or class do you mean?"
            )
            run.instruction = f"{run.instruction}\n{answer}"
        else:
            raise GaveUp("I found no file that this is about. Name or attach one and try again.")
        whole = {e.path for e in files}
        others = [e for e in attached if e.path not in whole]
        shown = fit([*files, *others], budget)
        return shown or files[:1]

    async def _steps(
        self, run: Run, excerpts: Sequence[Excerpt], can: Capabilities
    ) -> tuple[list[Message], list[Step]]:
        """The conversation so far, and the steps the model wants, each with a file."""
        known = [e.path for e in excerpts if e.path]
        system = prompt("system_small" if can.small else "system")
        for _ in range(3):
            task = prompt("steps_small" if can.small else "steps").replace("{task}", run.instruction)
            shown = "\n\n".join(fenced(e) for e in excerpts)
            talk = [Message("system", system), Message("user", f"{shown}\n\n{task}")]
            editable = _editable(run.instruction, known)
            reply = await run.ask(
                talk, max_tokens=220 if can.small else 1500, schema=_schema(editable, can.small)
            )
            steps, question = answers.steps(reply.text)
            if not question:
                break
            run.instruction = f"{run.instruction}\n{question} {await run.ask_human(question)}"
        files = [name for name in known if name in editable] or editable
        if not steps:
            steps = [Step(run.instruction.strip()[:200], "", tuple(files[:1]))]
        placed = [_placed(step, editable if can.small else [], files) for step in steps]
        talk.append(Message("assistant", reply.text or "{}"))
        return talk, placed


def _placed(step: Step, allowed: Sequence[str], files: Sequence[str]) -> Step:
    """`step` with a file it belongs to: its own, one it names, else the first one."""
    if step.files and (not allowed or all(name in allowed for name in step.files)):
        return step
    text = f"{step.title} {' '.join(step.files)}"
    named = [name for name in files if name in text or name.rsplit("/", 1)[-1] in text]
    return replace(step, files=tuple(named[:1] or files[:1]))


def _editable(instruction: str, known: Sequence[str]) -> list[str]:
    """The files a small model may choose from: those it was shown and those the instruction names. Tests
    that fail are there to be passed, so they are left out unless they are what is to be written."""
    named = [name.removeprefix("./") for name in explore.paths_in(instruction)]
    named = [n for n in named if not any(k == n or k.endswith("/" + n) for k in known)]
    about_tests = re.search(r"\b(?:write|add|new|create)\b.{0,30}\btests?\b", instruction, re.I)
    code = [name for name in known if not explore.is_test(name)]
    tests = [name for name in known if explore.is_test(name)]
    chosen = [*code, *tests] if about_tests or not code else code
    chosen += [name for name in tests if name in instruction and name not in chosen]
    return [*chosen, *named] or list(known)


def _schema(files: Sequence[str], small: bool) -> dict[str, Any]:
    file: dict[str, Any] = {"type": "string", "maxLength": 300}
    if small:
        file = {"type": "string", "enum": list(files)}
    step = {
        "type": "object",
        "properties": {"file": file, "change": {"type": "string", "maxLength": 160 if small else 400}},
        "required": ["file", "change"],
        "additionalProperties": False,
    }
    properties: dict[str, Any] = {"steps": {"type": "array", "items": step, "maxItems": 4 if small else 20}}
    if small:
        properties["steps"]["minItems"] = 1
        return {
            "type": "object", "properties": properties, "required": ["steps"], "additionalProperties": False,
        }  # fmt: skip
    step["properties"]["reason"] = {"type": "string", "maxLength": 400}  # type: ignore[index]
    properties["question"] = {"type": "string", "maxLength": 500}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _new_id() -> str:
    return str(uuid.uuid4())
