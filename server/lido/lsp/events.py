"""``lido/metrics``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lido.lsp.messages import MetricsQuery, MetricsRows
from lido.lsp.server import RequestFailed

if TYPE_CHECKING:
    from lido.lsp.server import LidoServer


def register(server: LidoServer) -> None:
    @server.own("lido/metrics", MetricsQuery)
    async def rows(query: MetricsQuery) -> MetricsRows:
        import sqlite3

        from lido.events import metrics

        await server.tracker.flush()
        try:
            begin = metrics.since(query.since)
            found = await asyncio.to_thread(metrics.rows, server.home.events, query.by, begin)
        except (ValueError, sqlite3.Error) as error:
            raise RequestFailed(str(error)) from None
        return MetricsRows(rows=found)
