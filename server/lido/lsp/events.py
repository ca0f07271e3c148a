"""``lido/metrics``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from lido.lsp import messages as m
from lido.lsp.server import RequestFailed, to_uri

if TYPE_CHECKING:
    from lido.edits.apply import Outcome
    from lido.events.schema import Feature
    from lido.lsp.server import LidoServer


def register(server: LidoServer) -> None:
    server.review_listeners.append(lambda outcome: reviewed(server, outcome))

    @server.own("lido/metrics")
    async def rows(query: m.MetricsQuery) -> m.MetricsRows:
        import sqlite3

        from lido.events import metrics

        await server.tracker.flush()
        try:
            begin = metrics.since(query.since)
            found = await asyncio.to_thread(metrics.rows, server.home.events, query.by, begin)
        except (ValueError, sqlite3.Error) as error:
            raise RequestFailed(str(error)) from None
        return m.MetricsRows(rows=found)


def reviewed(server: LidoServer, outcome: Outcome) -> None:
    """A hunk is a suggestion like any other: shown when its review opens, then one outcome."""
    from lido.workspace.syntax import language_of

    tracker = server.tracker
    match outcome.kind:
        case "shown":
            origin = server.reviews.get(outcome.review_id).origin
            feature: Feature = "plan"
            if origin in ("chat_apply", "code_action"):
                feature = cast("Feature", origin)
            tracker.requested(feature, language_of(outcome.path), suggestion_id=outcome.hunk_id)
            # Its place is not known until it is applied: how much of it stays is looked for by its text.
            tracker.answered(outcome.hunk_id, outcome.text, uri=to_uri(outcome.path))
            tracker.shown(outcome.hunk_id)
        case "accepted":
            tracker.accepted(outcome.hunk_id)
        case "rejected":
            tracker.rejected(outcome.hunk_id)
        case "undone":
            tracker.undone(outcome.hunk_id)
