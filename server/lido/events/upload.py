"""Events to the team's collector: at least once, through outages, without slowing anything.

A trigger in the log puts each new event's id into an outbox; what the collector has acknowledged leaves it.
The log itself is the spool, clocks play no part, and ids make a repeated batch harmless. One server of a
machine sends for all of them.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lido.events.schema import COLUMNS
from lido.events.store import connect

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

EVERY = 30.0
"""Seconds between two looks at the outbox."""
LONGEST = 600.0
"""Seconds between two attempts while the collector cannot be reached or refuses."""
BATCH = 1000

_NAMES = ", ".join(f'events."{name}"' for name in COLUMNS)


class RefusedError(Exception):
    """The collector does not want what is sent; its text is for people."""


def begin(path: Path) -> None:
    """Makes the outbox, with everything that was logged before. Blocking. Raises sqlite3.Error, OSError."""
    database = connect(path)
    try:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").fetchone():
            with suppress(sqlite3.OperationalError):  # another server was quicker
                database.executescript(
                    "BEGIN IMMEDIATE;"
                    "CREATE TABLE outbox (id TEXT PRIMARY KEY) WITHOUT ROWID;"
                    "INSERT INTO outbox SELECT id FROM events;"
                    "COMMIT;"
                )
            if database.in_transaction:
                database.execute("ROLLBACK")
        database.execute(
            "CREATE TRIGGER IF NOT EXISTS events_outbox AFTER INSERT ON events "
            "BEGIN INSERT OR IGNORE INTO outbox VALUES (new.id); END"
        )
    finally:
        database.close()


def end(path: Path) -> None:
    """No collector any more: the outbox goes. Blocking."""
    if not path.exists():
        return
    with suppress(sqlite3.Error, OSError):
        database = connect(path, timeout=2)  # the server may end meanwhile
        try:
            database.executescript("DROP TRIGGER IF EXISTS events_outbox; DROP TABLE IF EXISTS outbox;")
        finally:
            database.close()


def pending(path: Path, limit: int = BATCH) -> list[dict[str, object]]:
    """Events that the collector does not have for sure. Blocking."""
    database = connect(path)
    try:
        rows = database.execute(
            f"SELECT {_NAMES} FROM outbox JOIN events USING (id) ORDER BY id LIMIT ?",  # noqa: S608 - our own
            (limit,),
        ).fetchall()
        if not rows:  # what was purged meanwhile has nothing to be sent
            database.execute("DELETE FROM outbox WHERE id NOT IN (SELECT id FROM events)")
        return [{name: row[name] for name in COLUMNS if row[name] is not None} for row in rows]
    finally:
        database.close()


def done(path: Path, ids: list[str]) -> None:
    """The collector has these. Blocking."""
    database = connect(path)
    try:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("DELETE FROM outbox WHERE id = ?", [(each,) for each in ids])
        database.execute("COMMIT")
    finally:
        database.close()


def asked_wait(response: httpx.Response) -> float:
    """Seconds that an answer's Retry-After (RFC 9110, 10.2.3) asks for, an hour at most; 0 where it does
    not."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(min(3600, int(text[:9])))
    with suppress(ValueError):
        return min(3600.0, max(0.0, parsedate_to_datetime(text).timestamp() - time.time()))
    return 0.0


class Uploader:
    """Sends until it is cancelled. `tell` gets a sentence, once, where the collector refuses."""

    def __init__(self, path: Path, url: str, token: str, tell: Callable[[str], None]) -> None:
        self._path = path
        self._url = url.rstrip("/") + "/v1/events"
        self._token = token
        self._tell = tell
        self._told = False
        self._most = BATCH

    async def run(self) -> None:
        import filelock
        import httpx

        await asyncio.to_thread(begin, self._path)
        lock = filelock.FileLock(self._path.with_name("upload.lock"), timeout=0, thread_local=False)
        wait = EVERY
        async with httpx.AsyncClient(timeout=30, follow_redirects=False) as client:
            while True:
                least = 0.0
                try:
                    with lock:
                        while await self.send(client):
                            pass
                    wait = EVERY
                except filelock.Timeout:
                    wait = EVERY  # another server of this machine sends
                except RefusedError as error:
                    wait = LONGEST
                    if not self._told:
                        self._told = True
                        self._tell(f"Lido: the collector refuses events: {error} They are kept meanwhile.")
                except (httpx.HTTPError, sqlite3.Error, OSError, ValueError) as error:
                    log.warning("events not sent: %s", type(error).__name__)
                    wait = min(LONGEST, 2 * wait)
                    if isinstance(error, httpx.HTTPStatusError):
                        least = asked_wait(error.response)
                # Not all machines of a team at the same moment.
                await asyncio.sleep(max(least * random.uniform(1, 1.2), wait * random.uniform(0.8, 1.2)))

    async def send(self, client: httpx.AsyncClient) -> int:
        """One batch; how many events it had. Raises httpx.HTTPError, RefusedError, sqlite3.Error."""
        batch = await asyncio.to_thread(pending, self._path, self._most)
        if not batch:
            return 0
        body = await asyncio.to_thread(lambda: gzip.compress(json.dumps(batch).encode(), 5))
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        response = await client.post(self._url, content=body, headers=headers)
        if response.status_code in (401, 403):
            raise RefusedError(
                f"the token in events.collector_token_env is not accepted ({response.status_code})."
            )
        if response.status_code == 413 and len(batch) > 1:  # long texts
            self._most = len(batch) // 2
            return await self.send(client)
        if response.status_code in (408, 429) or response.status_code >= 500:
            response.raise_for_status()
        if response.status_code != 200:
            raise RefusedError(f"it answers {response.status_code}; is events.collector_url right?")
        rejected = response.json().get("rejected", [])
        if rejected:
            log.error("the collector rejected %d events: %s", len(rejected), rejected[0].get("reason"))
        self._most = min(BATCH, 2 * self._most)
        await asyncio.to_thread(done, self._path, [str(event["id"]) for event in batch])
        return len(batch)
