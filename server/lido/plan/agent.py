"""Plans: an instruction → relevant files → steps → edits → one review. Each run is a task of its own."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lido.edits.apply import Reviews
from lido.edits.files import Workspace
from lido.models.base import Capabilities, ModelError, Usage
from lido.plan import explore, history, loop, planning, rounds, sandbox
from lido.plan.editing import Editor, SyntaxErrors, no_syntax
from lido.plan.permissions import Permissions
from lido.plan.run import GaveUp, Mode, OnUpdate, Run, Step, Trajectory, Update
from lido.plan.tools import Diagnostics, Toolbox
from lido.plan.workcopy import sweep, workcopy
from lido.settings import PlanSettings
from lido.workspace.attachments import Attachment, Attachments, Excerpt, fit

if TYPE_CHECKING:
    from lido.models.registry import Models

log = logging.getLogger(__name__)


KEEP_ENDED = 20
"""Runs of this session that can still be asked about after they ended."""


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
        trusted: bool = True,
        diagnostics: Diagnostics | None = None,
    ) -> None:
        self._diagnostics = diagnostics
        self.trusted = trusted
        """Whether the person trusts the workspace; where not, no command runs."""
        self._scratch = folder / "work"
        self._agreed: set[tuple[str, ...]] = set()
        self._models = models
        self._attachments = attachments
        self._workspace = workspace
        self._reviews = reviews
        self._settings = settings
        self._folder = folder
        self._syntax = syntax_errors
        self._running: dict[str, _Running] = {}
        self._recovering: asyncio.Task[list[str]] | None = None

    def configure(self, settings: PlanSettings) -> None:
        """Other settings from the next run on."""
        self._settings = settings

    def start(
        self,
        instruction: str,
        attachments: Sequence[Attachment] = (),
        mode: Mode = "plan",
        test_command: str | None = None,
        on_update: OnUpdate = lambda _: None,
        model: str | None = None,
        allowed: Sequence[str] = (),
        confirm: bool = False,
        temperature: float = 0.0,
        seed: int | None = None,
        runner: sandbox.Runner = sandbox.run,
    ) -> str:
        """Begins a run and returns its id; everything else comes through `on_update`, always on the event
        loop, the last one in a final state. `allowed` are commands that the person gave for this run, which
        need no further question. With `confirm`, plan mode waits for the person to go over the steps.
        `temperature` and `seed` are for those who want several different runs of one instruction. Commands
        run by `runner`."""
        if self._recovering is None:
            self._recovering = asyncio.create_task(self.recover(), name="recover plans")
        plan_id = _new_id()
        trajectory = Trajectory(self._folder / f"{plan_id}.jsonl")
        run = Run(
            plan_id,
            instruction,
            mode,
            self._models,
            trajectory,
            on_update,
            model=model,
            allowed=tuple(allowed),
            confirm=confirm,
            temperature=temperature,
            seed=seed,
            runner=runner,
            budget=self._settings,
        )
        work = self._work(run, list(attachments), test_command or self._settings.test_command)
        running = _Running(run, asyncio.create_task(work, name=f"plan {plan_id}"))
        ended = [name for name, each in self._running.items() if each.ended.is_set()]
        for old in ended[:-KEEP_ENDED]:  # their trajectories stay on disk
            del self._running[old]
        self._running[plan_id] = running
        running.task.add_done_callback(lambda _: running.ended.set())
        return plan_id

    def state(self, plan_id: str) -> Update:
        """Raises UnknownPlan."""
        return self._get(plan_id).run.update

    async def recover(self) -> list[str]:
        """Ends the runs that a killed server left, as failed, and removes their copies; their ids."""
        await asyncio.to_thread(sweep, self._scratch)
        return await asyncio.to_thread(history.recover, self._folder)

    def resume(self, plan_id: str, on_update: OnUpdate = lambda _: None, allowed: Sequence[str] = ()) -> str:
        """Begins an earlier run anew, by its id or the beginning of it, and returns the new run's id. What
        the earlier one made was in its copy, which is gone. Blocking for a moment. Raises UnknownPlan."""
        path = history.find(self._folder, plan_id)
        start = history.events(path)[0] if path else {}
        if not start.get("instruction"):
            raise UnknownPlan(plan_id)
        attachments = [
            Attachment(kind, Path(place), name=name or None)
            for kind, place, name in start.get("attachments", ())
            if place and kind in ("file", "folder") and Path(place).exists()
        ]
        mode: Mode = "agent" if start.get("mode") == "agent" else "plan"
        return self.start(
            start["instruction"], attachments, mode, start.get("test_command"), on_update, allowed=allowed
        )

    def usage(self, plan_id: str) -> Usage:
        """The tokens a run took so far. Raises UnknownPlan."""
        return self._get(plan_id).run.usage

    def watch(self, plan_id: str, on_update: OnUpdate) -> None:
        """Updates go to `on_update` from now on. Raises UnknownPlan."""
        self._get(plan_id).run.on_update = on_update

    def answer(self, plan_id: str, text: str, steps: Sequence[Step] | None = None) -> None:
        """Answers the question a run waits with; `steps` as the person left them, where it asks for them.
        Raises UnknownPlan, NotWaiting."""
        run = self._get(plan_id).run
        future = run.answer
        if future is None or future.done():
            raise NotWaiting(plan_id)
        run.edited = None if steps is None else tuple(steps)
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
        if self._recovering:
            await self._recovering

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
            if run.mode == "agent":
                await self._agent(run, attachments, test_command)
            else:
                await self._plan(run, attachments, test_command)
        except asyncio.CancelledError:
            run.tell("cancelled", message="Cancelled.", question="", asks=None)
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
        talk, steps = await planning.steps(run, excerpts, can)
        if run.confirm:
            talk, steps = await planning.agreed(run, talk, steps)
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

    # ------------------------------------------------------------------ agent mode

    async def _agent(self, run: Run, attachments: list[Attachment], test_command: str) -> None:
        can = self._models.for_role("plan", run.model)[0].capabilities
        run.tell("exploring", message="Looking for the files that matter.")
        origin = self._origin(attachments)
        resolved = await self._attachments.resolve(attachments, run.instruction)
        blocked, opened = self._attachments.blocked, self._attachments.opened
        async with workcopy(origin, self._scratch, blocked, opened) as copy:

            def blocked_here(path: Path) -> str | None:
                """The copy is judged as the person's folder is."""
                return blocked(origin / path.relative_to(copy.real)) if path != copy.real else None

            permissions = Permissions(
                (*self._settings.allow_commands, *run.allowed),
                self._agreed,
                lambda question: run.ask_human(question, "consent"),
                self.trusted,
            )
            box = Toolbox(run, copy, blocked_here, permissions, test_command, self._syntax, self._diagnostics)
            if can.small:
                excerpts = await self._explore(run, resolved.excerpts, can)
                message = await rounds.work(run, box, excerpts, can, self._syntax)
            else:
                message = await loop.work(run, box, resolved.excerpts, can, self._settings)
            changes = await asyncio.to_thread(copy.changes, self._workspace.read)
        message = " ".join((message, *resolved.problems))
        if not changes:
            run.tell("done", message=f"{message} Nothing was changed.")
            return
        review = await self._reviews.open(changes, run.instruction.strip().splitlines()[0][:80])
        run.tell("done", review_id=review.id, message=message)

    def _origin(self, attachments: Sequence[Attachment]) -> Path:
        """The root that the attachments lie in, else the first. Raises GaveUp where no folder is open."""
        roots = self._workspace.roots
        for attachment in attachments:
            for root in roots:
                if attachment.path and attachment.path.is_relative_to(root):
                    return root
        if not roots:
            raise GaveUp("No folder is open.")
        return roots[0]

    # ------------------------------------------------------------------ both

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


def _new_id() -> str:
    return str(uuid.uuid4())
