"""``lido acp``: chat and plans for clients of the Agent Client Protocol (https://agentclientprotocol.com):
Zed, JetBrains' AI chat, Neovim and Emacs clients. Everything it decides is decided by the same services."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from lido.cli.session import Session
    from lido.edits.review import Review, ReviewFile
    from lido.plan.run import Mode, Update
    from lido.plan.sandbox import Result, Runner
    from lido.workspace.attachments import Attachment

MODES = (
    ("plan", "Plan", "Read what matters, plan, and propose edits. No command is run."),
    ("agent", "Agent", "Work in a copy, run commands you allow, try until the tests pass."),
    ("ask", "Ask", "Answer questions. Nothing is changed."),
)


def command() -> None:
    """Run as an agent for editors that speak the Agent Client Protocol (Zed, JetBrains, Neovim, Emacs)."""
    try:
        import acp
    except ImportError:
        print("`lido acp` needs one more package: pip install 'lido-lsp[acp]'", file=sys.stderr)
        raise SystemExit(1) from None
    asyncio.run(_serve(acp.run_agent))


async def _serve(run_agent: Any) -> None:
    agent = LidoAgent()
    try:
        await run_agent(agent)
    finally:
        await agent.close()


@dataclass
class _Conversation:
    services: Session
    mode: str = "plan"
    chat: str | None = None
    plan: str | None = None
    """A run that waits for an answer in words."""
    turn: asyncio.Task[Any] | None = None


class LidoAgent:
    """An ACP agent (`acp.Agent`); a session is one conversation in one folder."""

    def __init__(self) -> None:
        self._client: Any = None
        self._open: dict[str, _Conversation] = {}
        self._closing = AsyncExitStack()
        self._terminals = False

    def on_connect(self, conn: Any) -> None:
        self._client = conn

    async def close(self) -> None:
        await self._closing.aclose()

    async def initialize(self, protocol_version: int, client_capabilities: Any = None, **_: Any) -> Any:
        from acp import PROTOCOL_VERSION, InitializeResponse
        from acp.schema import AgentCapabilities, Implementation, PromptCapabilities

        import lido

        # A terminal hands its own environment on, and only env(1) clears that.
        self._terminals = bool(getattr(client_capabilities, "terminal", False)) and os.name == "posix"
        return InitializeResponse(
            protocol_version=min(protocol_version, PROTOCOL_VERSION),
            agent_capabilities=AgentCapabilities(
                prompt_capabilities=PromptCapabilities(embedded_context=True)
            ),
            agent_info=Implementation(name="lido", title="Lido", version=lido.__version__),
        )

    async def authenticate(self, method_id: str, **_: Any) -> None:
        """There is nothing to sign in to."""

    async def new_session(self, cwd: str, **_: Any) -> Any:
        from acp import NewSessionResponse
        from acp.schema import SessionMode, SessionModeState

        from lido.cli.session import session
        from lido.events.schema import uuid7

        services = await self._closing.enter_async_context(session(Path(cwd)))
        identifier = uuid7()
        self._open[identifier] = _Conversation(services)
        modes = [SessionMode(id=i, name=name, description=text) for i, name, text in MODES]
        return NewSessionResponse(
            session_id=identifier, modes=SessionModeState(current_mode_id="plan", available_modes=modes)
        )

    async def set_session_mode(self, session_id: str, mode_id: str, **_: Any) -> None:
        if mode_id in {mode for mode, _, _ in MODES}:
            self._get(session_id).mode = mode_id

    async def cancel(self, session_id: str, **_: Any) -> None:
        turn = self._get(session_id).turn
        if turn:
            turn.cancel()

    async def prompt(self, session_id: str, prompt: Sequence[Any], **_: Any) -> Any:
        from acp import PromptResponse

        from lido.models.base import ModelError

        here = self._get(session_id)
        text, attachments = read_prompt(prompt)
        here.turn = asyncio.ensure_future(self._turn(session_id, here, text, attachments))
        try:
            await here.turn
        except asyncio.CancelledError:
            return PromptResponse(stop_reason="cancelled")
        except ModelError as error:
            await self._say(session_id, f"\n\n{error}")
        finally:
            here.turn = None
        return PromptResponse(stop_reason="end_turn")

    # ------------------------------------------------------------------ turns

    async def _turn(
        self, session_id: str, here: _Conversation, text: str, attachments: list[Attachment]
    ) -> None:
        if here.mode == "ask" and here.plan is None:
            await self._answer(session_id, here, text, attachments)
        else:
            await self._plan(session_id, here, text, attachments)

    async def _answer(
        self, session_id: str, here: _Conversation, text: str, attachments: list[Attachment]
    ) -> None:
        async with aclosing(here.services.chat.send(here.chat, text, attachments)) as pieces:
            async for piece in pieces:
                if isinstance(piece, str):
                    await self._say(session_id, piece)
                else:
                    here.chat = piece.conversation_id
                    for note in piece.notes:
                        await self._say(session_id, f"\n\n> {note}")

    async def _plan(
        self, session_id: str, here: _Conversation, text: str, attachments: list[Attachment]
    ) -> None:
        from lido.plan.permissions import is_consent
        from lido.plan.run import FINAL

        plans = here.services.plans
        updates: asyncio.Queue[Update] = asyncio.Queue()
        if here.plan:
            plan, here.plan = here.plan, None
            plans.watch(plan, updates.put_nowait)
            plans.answer(plan, text)
        else:
            mode: Mode = "agent" if here.mode == "agent" else "plan"
            plan = plans.start(
                text, attachments, mode, on_update=updates.put_nowait, runner=self._runner(session_id)
            )
        told = ""
        try:
            while True:
                update = await updates.get()
                await self._show(session_id, update)
                if update.state == "waiting":
                    if not is_consent(update.question):
                        here.plan = plan  # the person's next message is the answer
                        await self._say(session_id, update.question)
                        return
                    plans.answer(plan, await self._may(session_id, update))
                elif update.state in FINAL:
                    await self._say(session_id, update.message)
                    break
                elif update.message != told and not update.message.startswith("Writing"):
                    told = update.message
        except asyncio.CancelledError:
            await plans.cancel(plan)
            raise
        if update.review_id:
            await self._review(session_id, here.services, here.services.reviews.get(update.review_id))

    async def _show(self, session_id: str, update: Update) -> None:
        import acp

        states = {"running": "in_progress", "done": "completed", "failed": "completed"}
        entries = [
            acp.plan_entry(step.title, status=states.get(step.state, "pending"))  # type: ignore[arg-type]
            for step in update.steps
        ]
        if entries:
            await self._client.session_update(session_id, acp.update_plan(entries))

    def _runner(self, session_id: str) -> Runner:
        """Runs commands confined as everywhere, where the person sees them: in the client's terminal if it
        has one, else with their output as text."""
        import acp

        from lido.events.schema import uuid7
        from lido.plan import sandbox

        async def run(argv: Sequence[str], cwd: Path, timeout: float, writable: Path) -> sandbox.Result:
            call = uuid7()
            title = shlex.join(argv)
            if not self._terminals:
                await self._client.session_update(
                    session_id, acp.start_tool_call(call, title, kind="execute", status="in_progress")
                )
                result = await sandbox.run(argv, cwd, timeout, writable)
                shown = [acp.tool_content(acp.text_block(result.output or "(no output)"))]
                await self._ran(session_id, call, result, shown)
                return result
            isolated = await sandbox.can_isolate()
            command, variables = sandbox.wrapped(argv, writable, isolated)
            began = time.monotonic()
            terminal = await self._client.create_terminal(
                session_id=session_id,
                command="/usr/bin/env",
                args=["-i", *(f"{name}={value}" for name, value in variables.items()), *command],
                cwd=str(cwd),
                output_byte_limit=sandbox.OUTPUT,
            )
            here = {"session_id": session_id, "terminal_id": terminal.terminal_id}
            timed_out = False
            try:
                content = [acp.tool_terminal_ref(terminal.terminal_id)]
                await self._client.session_update(
                    session_id,
                    acp.start_tool_call(call, title, kind="execute", status="in_progress", content=content),
                )
                try:
                    async with asyncio.timeout(timeout):
                        await self._client.wait_for_terminal_exit(**here)
                except TimeoutError:
                    timed_out = True
                    await self._client.kill_terminal(**here)
                told = await self._client.terminal_output(**here)
            finally:
                await asyncio.shield(self._client.release_terminal(**here))  # kills what still runs
            status = told.exit_status
            code = status.exit_code if status and not timed_out else None
            if code is None and not timed_out:
                code = -1  # ended by a signal
            result = sandbox.Result(code, told.output, time.monotonic() - began, timed_out, isolated)
            await self._ran(session_id, call, result)
            return result

        return run

    async def _ran(
        self, session_id: str, call: str, result: Result, content: list[Any] | None = None
    ) -> None:
        import acp

        status: Any = "completed" if result.ok else "failed"
        await self._client.session_update(
            session_id, acp.update_tool_call(call, status=status, content=content)
        )

    async def _may(self, session_id: str, update: Update) -> str:
        """The person's consent to a command, as `Permissions` reads it."""
        title = update.question.split("?")[0]
        return await self._choose(
            session_id,
            title,
            "execute",
            [],
            (("yes", "allow_once"), ("always", "allow_always"), ("no", "reject_once")),
        )

    async def _choose(
        self, session_id: str, title: str, kind: str, content: list[Any], options: Sequence[tuple[str, str]]
    ) -> str:
        from acp.schema import PermissionOption, ToolCallUpdate

        from lido.events.schema import uuid7

        call: Any = ToolCallUpdate(
            tool_call_id=uuid7(),
            title=title,
            kind=kind,
            status="pending",
            content=content,
        )
        answer = await self._client.request_permission(
            session_id=session_id,
            tool_call=call,
            options=[
                PermissionOption(option_id=name, name=name.capitalize(), kind=how) for name, how in options
            ],
        )
        chosen = getattr(answer.outcome, "option_id", "no")
        return chosen if any(chosen == name for name, _ in options) else "no"

    async def _review(self, session_id: str, services: Session, review: Review) -> None:
        """Each file's change is shown as a difference and written where the person accepts it."""
        import acp

        for file in review.files:
            hunks = [hunk.id for hunk in file.hunks]
            content = [acp.tool_diff_content(file.path, file.after or "", file.before)]
            chosen = await self._choose(
                session_id, _title(file, services.root), "edit", content,
                (("accept", "allow_once"), ("reject", "reject_once")),
            )  # fmt: skip
            outcomes = await services.reviews.decide(
                review.id, hunks, "accept" if chosen == "accept" else "reject"
            )
            for problem in {o.message for o in outcomes if o.message}:
                await self._say(session_id, f"\n\n{file.path}: {problem}")

    async def _say(self, session_id: str, text: str) -> None:
        import acp

        await self._client.session_update(session_id, acp.update_agent_message_text(text))

    def _get(self, session_id: str) -> _Conversation:
        from acp import RequestError

        if session_id not in self._open:
            raise RequestError.invalid_params({"sessionId": session_id})
        return self._open[session_id]


def _title(file: ReviewFile, root: Path) -> str:
    path = Path(file.path)
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else file.path
    count = len(file.hunks)
    return f"{file.kind.capitalize()} {name} ({count} change{'s' * (count != 1)})"


def read_prompt(blocks: Sequence[Any]) -> tuple[str, list[Attachment]]:
    """The text of a prompt, and the files it links or embeds."""
    from lido.workspace.attachments import Attachment

    texts: list[str] = []
    found: list[Attachment] = []
    for block in blocks:
        match block.type:
            case "text":
                texts.append(block.text)
            case "resource_link":
                if path := _path(block.uri):
                    found.append(Attachment("folder" if path.is_dir() else "file", path))
            case "resource" if hasattr(block.resource, "text"):
                path = _path(block.resource.uri)
                found.append(Attachment("file", path, text=block.resource.text, name=block.resource.uri))
    return "\n".join(texts), found


def _path(uri: str) -> Path | None:
    parts = urlsplit(uri)
    with suppress(ValueError):
        if parts.scheme == "file":
            return Path(url2pathname(parts.path))
    return None
