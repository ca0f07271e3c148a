"""``lido/plan/…``: runs of the planner over the protocol."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from lido.lsp import attachments
from lido.lsp import messages as m
from lido.lsp.review import shows_questions
from lido.lsp.server import RequestFailed, decode, to_path

if TYPE_CHECKING:
    from lido.lsp.server import LidoServer
    from lido.plan.run import Update
    from lido.plan.tools import Diagnostic, Diagnostics

log = logging.getLogger(__name__)

COMMAND = "lido.plan"
ANSWER = "lido.plan.answer"
DECIDE = "Decide yourself"
CANCEL = "Cancel the plan"


def register(server: LidoServer) -> None:
    @server.own("lido/plan/start")
    async def start(params: m.PlanStart) -> m.PlanStarted:
        return await begin(server, params)

    @server.command(COMMAND)
    async def plan(instruction: str, uri: str) -> str:
        """For editors without a client of ours: begins a plan for the document `uri` ("": the workspace)."""
        await server.configured.wait()
        attached = [{"kind": "file", "uri": uri}] if uri else []
        params = decode(m.PlanStart, {"instruction": instruction, "attachments": attached}, COMMAND)
        return (await begin(server, params)).plan_id

    @server.command(ANSWER)
    async def answer_by_command(plan_id: str, text: str) -> None:
        """For the same editors: answers what a plan asks."""
        await server.configured.wait()
        answered(server, decode(m.PlanAnswer, {"planId": plan_id, "text": text}, ANSWER))

    @server.own("lido/plan/answer")
    async def answer(params: m.PlanAnswer) -> None:
        answered(server, params)

    @server.own("lido/plan/cancel")
    async def cancel(params: m.PlanRef) -> None:
        from lido.plan.agent import UnknownPlan

        try:
            await server.plans.cancel(params.plan_id)
        except UnknownPlan:
            raise RequestFailed("There is no such plan in this session.") from None


async def begin(server: LidoServer, params: m.PlanStart) -> m.PlanStarted:
    """Starts a plan whose progress reaches the client. Raises RequestFailed."""
    if not params.instruction.strip():
        raise RequestFailed("Say what is to be done.")
    progress = _Progress(server, params.work_done_token)
    await progress.begin(params.instruction)

    def updated(update: Update) -> None:
        server.protocol.notify("lido/plan/update", encode(update).encode())
        progress.report(update)
        if update.state == "waiting" and not shows_questions(server):
            server.spawn(_ask(server, update), f"question of plan {update.plan_id}")

    plan_id = server.plans.start(
        params.instruction,
        attachments.decode(server, params.attachments),
        params.mode,
        params.test_command,
        updated,
        confirm=params.confirm_steps,
    )
    progress.on_cancel(plan_id)
    return m.PlanStarted(plan_id=plan_id)


def answered(server: LidoServer, params: m.PlanAnswer) -> None:
    """Raises RequestFailed."""
    from lido.plan.agent import NotWaiting, UnknownPlan
    from lido.plan.run import Step

    try:
        steps = params.steps
        decoded = None
        if steps is not None:
            decoded = [Step(step.title, step.detail, tuple(step.files)) for step in steps]
        server.plans.answer(params.plan_id, params.text, decoded)
    except UnknownPlan:
        raise RequestFailed("There is no such plan in this session.") from None
    except NotWaiting:
        raise RequestFailed("The plan asks nothing at the moment.") from None


def diagnostics(server: LidoServer) -> Diagnostics:
    """Asks the editor, for an agent. An editor that does not answer reports nothing."""
    from lido.plan.tools import Diagnostic

    async def ask(path: Path | None) -> list[Diagnostic]:
        query = m.DiagnosticsQuery(uri=path.as_uri() if path else None)
        try:
            async with asyncio.timeout(10):
                answer = await server.protocol.send_request_async("lido/diagnostics", query.encode())
            found = [decode(m.FileDiagnostic, each, "lido/diagnostics") for each in answer or []]
        except (TimeoutError, TypeError, JsonRpcException) as error:
            log.warning("the editor told no diagnostics", exc_info=error)
            return []
        return [
            Diagnostic(where, each.line, each.severity, each.message)
            for each in found
            if (where := to_path(each.uri))
        ]

    return ask


async def _ask(server: LidoServer, update: Update) -> None:
    """Puts a run's question in an editor that shows none of its own: consent by button, other questions with
    the command that answers in words."""
    from lido.plan.agent import NotWaiting, UnknownPlan
    from lido.plan.permissions import CHOICES, is_consent

    if not is_consent(update.question):
        chosen = await server.window_show_message_request_async(
            lsp.ShowMessageRequestParams(
                lsp.MessageType.Info,
                f"Lido asks: {update.question} Answer in words with the command {ANSWER}, "
                f"plan {update.plan_id}, or:",
                [lsp.MessageActionItem(choice) for choice in (DECIDE, CANCEL)],
            )
        )
        with suppress(NotWaiting, UnknownPlan):
            if chosen and chosen.title == CANCEL:
                await server.plans.cancel(update.plan_id)
            elif chosen and chosen.title == DECIDE:
                server.plans.answer(update.plan_id, "Decide that yourself, as seems best.")
        return
    answer = await server.window_show_message_request_async(
        lsp.ShowMessageRequestParams(
            lsp.MessageType.Warning,
            f"Lido: {update.question}",
            [lsp.MessageActionItem(choice) for choice in CHOICES],
        )
    )
    with suppress(NotWaiting, UnknownPlan):
        server.plans.answer(update.plan_id, answer.title if answer else "no")


def encode(update: Update) -> m.PlanUpdate:
    return m.PlanUpdate(
        plan_id=update.plan_id,
        state=update.state,
        steps=[
            m.PlanStep(title=s.title, detail=s.detail, files=list(s.files), state=s.state)
            for s in update.steps
        ],
        message=update.message or None,
        question=update.question or None,
        asks=update.asks,
        review_id=update.review_id or None,
    )


class _Progress:
    """Work-done progress of one run: on the request's token, else on one of our own where the client
    shows such."""

    def __init__(self, server: LidoServer, token: str | int | None) -> None:
        self._server = server
        self._token = token
        self._open = False

    async def begin(self, instruction: str) -> None:
        window = self._server.client_capabilities.window
        if self._token is None and window and window.work_done_progress:
            import uuid

            self._token = str(uuid.uuid4())
            await self._server.work_done_progress.create_async(self._token)
        if self._token is not None:
            self._open = True
            title = instruction.strip().splitlines()[0][:60]
            self._server.work_done_progress.begin(
                self._token, lsp.WorkDoneProgressBegin(title=f"Lido: {title}", cancellable=True)
            )

    def on_cancel(self, plan_id: str) -> None:
        """The person's cancel button ends the run."""
        if self._token is None:
            return
        tokens = self._server.work_done_progress.tokens
        if (future := tokens.get(self._token)) is not None:
            future.add_done_callback(
                lambda done: (
                    self._server.spawn(self._server.plans.cancel(plan_id), "cancel plan")
                    if done.cancelled()
                    else None
                )
            )

    def report(self, update: Update) -> None:
        from lido.plan.run import FINAL

        if not self._open or self._token is None:
            return
        if update.state in FINAL:
            self._open = False
            self._server.work_done_progress.end(
                self._token, lsp.WorkDoneProgressEnd(message=update.message or update.state)
            )
            self._server.work_done_progress.tokens.pop(self._token, None)
        else:
            self._server.work_done_progress.report(
                self._token, lsp.WorkDoneProgressReport(message=update.question or update.message)
            )
