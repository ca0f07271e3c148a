"""Events reach the collector at least once and count once, through outages and several servers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import httpx
import pytest

from lido.events import upload
from lido.events.schema import Event, uuid7
from lido.events.store import EventLog
from lido.events.upload import RefusedError, Uploader


async def record(path: Path, count: int) -> None:
    log = EventLog(path, lambda _: None)
    for _ in range(count):
        log.record(Event(uuid7(), "2026-11-01T10:00:00.000Z", uuid7(), "shown", "completion"))
    await log.flush()
    await asyncio.to_thread(log.close)


def sender(path: Path) -> Uploader:
    return Uploader(path, "http://collector", "token", lambda _: None)


class Counting:
    """What a collector does with ids, over httpx' transport for tests; `plan` is what it answers."""

    def __init__(self, *plan: int | Exception) -> None:
        self.plan = list(plan)
        self.ids: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        import gzip

        assert request.headers["authorization"] == "Bearer token"
        answer = self.plan.pop(0) if self.plan else 200
        if isinstance(answer, Exception):
            raise answer
        if answer == 200 or answer == 599:  # 599: stored, but the answer is lost
            self.ids += [event["id"] for event in json.loads(gzip.decompress(request.content))]
        return httpx.Response(answer, json={"stored": 0, "duplicates": 0, "rejected": []})

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


async def test_what_was_logged_before_and_after_is_sent_once(tmp_path):
    path = tmp_path / "events.sqlite3"
    await record(path, 3)
    upload.begin(path)
    await record(path, 2)
    upload.begin(path)  # another server
    collector = Counting()
    async with collector.client() as client:
        assert await sender(path).send(client) == 5
        assert await sender(path).send(client) == 0
    assert len(set(collector.ids)) == len(collector.ids) == 5


@pytest.mark.parametrize("trouble", [503, 429, 599, httpx.ConnectError("down"), httpx.ReadTimeout("slow")])
async def test_nothing_is_lost_through_an_outage(tmp_path, trouble):
    path = tmp_path / "events.sqlite3"
    upload.begin(path)
    await record(path, 4)
    collector = Counting(trouble)
    async with collector.client() as client:
        with pytest.raises(httpx.HTTPError):
            await sender(path).send(client)
        assert await sender(path).send(client) == 4
    assert len(set(collector.ids)) == 4


async def test_what_is_too_large_at_once_is_sent_in_parts(tmp_path):
    path = tmp_path / "events.sqlite3"
    upload.begin(path)
    await record(path, 9)
    collector = Counting(413, 413)
    uploader = sender(path)
    async with collector.client() as client:
        assert await uploader.send(client) == 2
        assert await uploader.send(client) == 4
        assert await uploader.send(client) == 3
        assert await uploader.send(client) == 0
        await record(path, 1)
        collector.plan = [413]
        with pytest.raises(RefusedError):
            await uploader.send(client)
    assert len(set(collector.ids)) == len(collector.ids) == 9


async def test_a_refusal_is_said_and_the_events_are_kept(tmp_path):
    path = tmp_path / "events.sqlite3"
    upload.begin(path)
    await record(path, 1)
    async with Counting(401, 404, 302).client() as client:
        for _ in range(3):
            with pytest.raises(RefusedError):
                await sender(path).send(client)
    assert len(upload.pending(path)) == 1


async def test_purged_events_leave_nothing_to_send(tmp_path):
    path = tmp_path / "events.sqlite3"
    upload.begin(path)
    await record(path, 2)
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM events")
    assert upload.pending(path) == []
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


async def test_without_a_collector_nothing_is_spooled(tmp_path):
    path = tmp_path / "events.sqlite3"
    upload.begin(path)
    upload.end(path)
    await record(path, 1)
    with sqlite3.connect(path) as database:
        assert not database.execute("SELECT 1 FROM sqlite_master WHERE name LIKE '%outbox%'").fetchall()
    upload.end(tmp_path / "none.sqlite3")
