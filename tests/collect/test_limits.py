"""Who asks too much is told when to come again, and the uploader does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lido.collect import app
from lido.collect.app import Limits
from lido.events import upload
from lido.events.schema import Event, uuid7
from lido.events.store import EventLog
from lido.events.upload import Uploader


def test_a_minutes_worth_at_once_then_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(app.time, "monotonic", lambda: now)
    limits = Limits(60)
    assert [limits.wait("a") for _ in range(60)] == [0.0] * 60
    assert limits.wait("a") == pytest.approx(1.0)
    assert limits.wait("b") == 0.0, "the others have their own"
    now += 0.25
    assert limits.wait("a") == pytest.approx(0.75), "asking does not put it off"
    now += 0.8
    assert limits.wait("a") == 0.0
    assert limits.wait("a") > 0
    now += 3600
    assert [limits.wait("a") for _ in range(61)].count(0.0) == 60


def test_many_names_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(app.time, "monotonic", lambda: now)
    limits = Limits(60)
    for number in range(30_000):
        now += 0.01
        limits.wait(str(number))
    assert len(limits._left) <= 10_001


@pytest.fixture
def narrow(tmp_path: Any, collector_process: Any) -> Iterator[Any]:
    made = collector_process(f"sqlite:///{tmp_path / 'collector.sqlite3'}", "--requests-per-minute", "20")
    made.start()
    yield made
    made.stop()


def test_too_many_requests_are_refused_for_that_token_alone(narrow: Any) -> None:
    first, second = narrow.token("a", "admin"), narrow.token("b", "admin")

    with httpx.Client(base_url=narrow.url, timeout=30) as client:

        def ask(token: str, path: str = "/v1/metrics") -> httpx.Response:
            return client.get(path, headers={"Authorization": f"Bearer {token}"})

        while (refused := ask(first)).status_code == 200:  # however slow the machine is
            pass
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 3
        assert "Too many requests" in refused.json()["error"]
        assert ask(second).status_code == 200
        # A flood of wrong tokens is no flood of audit notes.
        strangers = [401]
        while strangers[-1] == 401:
            strangers.append(ask(f"wrong{len(strangers)}").status_code)
        assert strangers[-1] == 429
        notes = ask(second, "/v1/audit").json()["rows"]
    assert sum(note["action"] == "refused" for note in notes) == len(strangers) - 2


class Watched(Uploader):
    """Notes when it sends, and what comes of it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.tries: list[tuple[float, int | str]] = []

    async def send(self, client: httpx.AsyncClient) -> int:
        began = time.monotonic()
        try:
            sent = await super().send(client)
        except httpx.HTTPStatusError as error:
            self.tries.append((began, error.response.headers["Retry-After"]))
            raise
        if sent:
            self.tries.append((began, sent))
        return sent


async def test_the_uploader_comes_again_when_it_was_told(
    narrow: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "EVERY", 0.05)
    writer, admin = narrow.token("w"), narrow.token("a", "admin")
    path = tmp_path / "events.sqlite3"
    log = EventLog(path)
    for _ in range(5):
        log.record(Event(uuid7(), "2026-11-01T10:00:00.000Z", uuid7(), "shown", "completion"))
    await log.flush()
    await asyncio.to_thread(log.close)
    uploader = Watched(path, narrow.url, writer, lambda _: None)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {writer}"}) as others:
        while (await others.post(f"{narrow.url}/v1/events", json=[])).status_code != 429:
            pass
    async with asyncio.timeout(30):
        task = asyncio.create_task(uploader.run())
        while not any(isinstance(what, int) for _, what in uploader.tries):
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert isinstance(uploader.tries[0][1], str), "it met the limit"
    for (before, told), (after, _) in zip(uploader.tries, uploader.tries[1:], strict=False):
        assert after - before >= float(told)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {admin}"}) as client:
        (row,) = (await client.get(f"{narrow.url}/v1/metrics?since=2026-01-01")).json()["rows"]
    assert row["shown"] == 5


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("120", 120), ("999999999999", 3600), ("", 0), ("soon", 0), ("-5", 0), ("Fri, 01 Jan 2010 00:00:00 GMT", 0),
     ("Fri, 01 Jan 2100 00:00:00 GMT", 3600)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(said: str, seconds: float) -> None:
    assert upload.asked_wait(httpx.Response(429, headers={"Retry-After": said})) == seconds
