"""What a run of the planner is made of: its state, what it asks and records, and its one way to a model."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lido.models.base import ChatRequest, Message, Tool, ToolCall, Usage
from lido.plan import history, sandbox
from lido.workspace.privacy import scrub

if TYPE_CHECKING:
    from lido.models.base import Backend
    from lido.models.registry import Models
    from lido.settings import PlanSettings

State = Literal[
    "exploring", "planning", "waiting", "editing", "testing",
    "review", "done", "gaveUp", "cancelled", "failed",
]  # fmt: skip
FINAL: frozenset[State] = frozenset({"review", "done", "gaveUp", "cancelled", "failed"})
Mode = Literal["plan", "agent"]
StepState = Literal["pending", "running", "done", "failed", "skipped"]
Asks = Literal["text", "consent", "steps"]
"""What answers a run's question: any text, one of `permissions.CHOICES`, or the steps as they shall be."""


@dataclass(frozen=True, slots=True)
class Step:
    """`files` are relative to the workspace."""

    title: str
    detail: str = ""
    files: tuple[str, ...] = ()
    state: StepState = "pending"


@dataclass(frozen=True, slots=True)
class Update:
    """The whole present state of a run."""

    plan_id: str
    state: State
    steps: tuple[Step, ...] = ()
    message: str = ""
    question: str = ""
    asks: Asks | None = None
    review_id: str = ""


OnUpdate = Callable[[Update], None]


class GaveUp(Exception):  # noqa: N818 - an honest end, not an error
    """The run cannot do what was asked; the text says what was tried and why it ends."""


@cache
def prompt(name: str) -> str:
    """A prompt of this room, read once."""
    return resources.files("lido.plan").joinpath("prompts", f"{name}.md").read_text("utf-8").strip()


class Trajectory:
    """One run as JSON lines, one event each, readable by the person alone; secrets are replaced.

    A line: ``{"time": …, "kind": "start" | "request" | "answer" | "call" | "result" | "update", …}``.
    Writing is left out, not failed, where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def record(self, kind: str, **data: Any) -> None:
        line = json.dumps({"time": round(time.time(), 3), "kind": kind, **data}, ensure_ascii=False)
        try:
            if self._fd is None:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                history.lock(self._fd)
            os.write(self._fd, (scrub(line) + "\n").encode("utf-8", "replace"))
        except OSError:
            return

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's whole answer."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    model: str = ""


@dataclass
class Run:
    """One run. Everything that changes goes through `tell`, so that whoever watches sees it."""

    id: str
    instruction: str
    mode: Mode
    models: Models
    trajectory: Trajectory
    on_update: OnUpdate
    update: Update = field(init=False)
    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    allowed: tuple[str, ...] = ()
    confirm: bool = False
    """In plan mode the person goes over the steps before any edit is made."""
    answer: asyncio.Future[str] | None = None
    edited: tuple[Step, ...] | None = None
    """The steps as the person left them, with the answer to a question for them."""
    temperature: float = 0.0
    seed: int | None = None
    budget: PlanSettings | None = None
    """What the run may use up; no limit where None."""
    cost: float = 0.0
    """What the answers cost so far, where prices are set, in their currency."""
    runner: sandbox.Runner = sandbox.run
    """Where the commands run."""
    waited: float = 0.0
    """Seconds that the run waited for the person."""
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.update = Update(self.id, "exploring")

    def tell(self, state: State | None = None, **changes: Any) -> None:
        """Changes the update and hands it on, where it differs."""
        new = replace(self.update, state=state or self.update.state, **changes)
        if new != self.update:
            self.update = new
            self.trajectory.record(
                "update", state=new.state, message=new.message, question=new.question, review=new.review_id,
                steps=[[s.title, s.state, list(s.files)] for s in new.steps],
            )  # fmt: skip
            self.on_update(new)

    def say(self, message: str) -> None:
        """Progress that need not be recorded, such as how far an answer has come."""
        self.update = replace(self.update, message=message)
        self.on_update(self.update)

    def step(self, index: int, state: StepState) -> None:
        steps = list(self.update.steps)
        steps[index] = replace(steps[index], state=state)
        self.tell(steps=tuple(steps))

    def tried(self) -> str:
        """The latest steps, as a sentence; "" for none."""
        titles = [step.title for step in self.update.steps[-5:]]
        return f"Last I tried: {'; '.join(titles)}." if titles else ""

    def _within_budget(self) -> None:
        """Raises GaveUp."""
        if self.budget is None:
            return
        used = self.usage.prompt_tokens + self.usage.completion_tokens
        if used >= self.budget.max_tokens:
            raise GaveUp(f"I used {used} tokens, more than plan.max_tokens allows. {self.tried()}".strip())
        seconds = time.monotonic() - self.started - self.waited
        if seconds >= self.budget.max_seconds:
            raise GaveUp(
                f"I worked for {seconds:.0f} s, longer than plan.max_seconds allows. {self.tried()}".strip()
            )
        if self.budget.max_cost is not None and self.cost >= self.budget.max_cost:
            raise GaveUp(
                f"The answers cost {self.cost:.2f}, more than plan.max_cost allows. {self.tried()}".strip()
            )

    async def ask_human(self, question: str, asks: Asks = "text") -> str:
        """Waits for the person's answer."""
        before = self.update.state
        self.answer = asyncio.get_running_loop().create_future()
        began = time.monotonic()
        self.tell("waiting", question=question, asks=asks, message="")
        try:
            text = await self.answer
        finally:
            self.answer = None
            self.waited += time.monotonic() - began
        self.trajectory.record("human", question=question, answer=text)
        self.tell(before, question="", asks=None)
        return text

    async def ask(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: dict[str, Any] | None = None,
        tools: tuple[Tool, ...] = (),
        progress: Callable[[str], None] | None = None,
        temperature: float | None = None,
    ) -> Reply:
        """One answer of the model; `progress` gets the text so far. `schema` and `tools` are used where
        the backend can. Raises ModelError, and GaveUp where the budget is used up."""
        self._within_budget()
        self.trajectory.record("request", messages=[_plain(m) for m in messages], max_tokens=max_tokens)

        def build(backend: Backend) -> ChatRequest:
            can = backend.capabilities
            return ChatRequest(
                tuple(messages),
                max_tokens=max_tokens,
                temperature=self.temperature if temperature is None else temperature,
                seed=self.seed,
                json_schema=schema if can.json_schema else None,
                tools=tools if can.tools else (),
            )

        parts: list[str] = []
        calls: list[ToolCall] = []
        finish = "stop"
        model = ""
        async with aclosing(self.models.stream("plan", build, self.model)) as stream:
            async for backend, chunk in stream:
                model = backend.model
                calls += chunk.tool_calls
                finish = chunk.finish or finish
                if chunk.usage:
                    self.usage = Usage(
                        self.usage.prompt_tokens + chunk.usage.prompt_tokens,
                        self.usage.completion_tokens + chunk.usage.completion_tokens,
                        self.usage.cached_tokens + chunk.usage.cached_tokens,
                    )
                    self.cost += self.models.cost(backend.name, chunk.usage)
                if chunk.text:
                    parts.append(chunk.text)
                    if progress:
                        progress("".join(parts))
        reply = Reply("".join(parts), tuple(calls), finish, model)
        self.trajectory.record(
            "answer", text=reply.text, model=model, finish=finish,
            tool_calls=[[c.name, c.arguments] for c in calls],
        )  # fmt: skip
        return reply


def _plain(message: Message) -> dict[str, Any]:
    plain: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        plain["tool_calls"] = [[c.id, c.name, c.arguments] for c in message.tool_calls]
    if message.tool_call_id:
        plain["tool_call_id"] = message.tool_call_id
    return plain
