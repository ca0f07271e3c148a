"""The log: SQLite in WAL mode, written in batches by a thread of its own, by many servers at once.

Recording never blocks and never raises. Where the log cannot be written, that is said once, and what was
dropped is counted.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from lido.events import rollup
from lido.events.schema import COLUMNS, Event, utc

log = logging.getLogger(__name__)

SCHEMA = 2
UPKEEP = 3600.0
"""Seconds between two looks at what is older, or more, than is to be kept."""
LINGER = 0.1
"""Seconds for which the log waits for more before it writes, unless someone waits for it: what is asked for,
shown and decided within a keystroke is one transaction, and not in the way of the next answer."""
PATIENCE = 10.0
"""Seconds for which another's lock on the log is waited for, before what is to be written is dropped."""
CLOSING = 2.0
"""The same, once the server ends."""
DAY = 86_400.0

_TYPES = {
    "latency_ms": "REAL",
    "first_token_ms": "REAL",
    "retained_fraction": "REAL",
    "after_seconds": "REAL",
    "prompt_tokens": "INTEGER",
    "completion_tokens": "INTEGER",
    "lines": "INTEGER",
    "characters": "INTEGER",
    "accepted_lines": "INTEGER",
    "accepted_characters": "INTEGER",
}
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_COLUMNS = ", ".join(f'"{name}" {_TYPES.get(name, "TEXT")}' for name in COLUMNS)
_MIGRATIONS = (
    # 0 → 1
    f"CREATE TABLE events ({_COLUMNS}, PRIMARY KEY (id)) WITHOUT ROWID;"
    "CREATE INDEX events_time ON events (time);"
    "CREATE INDEX events_suggestion ON events (suggestion_id);"
    # Suggestions that a running server has shown and not yet seen the end of; see attribution.recover.
    "CREATE TABLE open (suggestion_id TEXT PRIMARY KEY, session TEXT, outcome TEXT) WITHOUT ROWID;",
    # 1 → 2: the order in which events were recorded (clocks jump), sums per day, texts' contexts.
    f"CREATE TABLE events_2 (seq INTEGER PRIMARY KEY AUTOINCREMENT, {_COLUMNS}, UNIQUE (id));"  # noqa: S608
    f"INSERT INTO events_2 ({_NAMES}) SELECT {_NAMES} FROM events ORDER BY time, id;"
    "DROP TABLE events;"
    "ALTER TABLE events_2 RENAME TO events;"
    "CREATE INDEX events_time ON events (time);"
    "CREATE INDEX events_suggestion ON events (suggestion_id);"
    "CREATE TABLE upkeep (trusted REAL);"
    "CREATE TABLE texts (suggestion_id TEXT PRIMARY KEY, prefix TEXT, suffix TEXT) WITHOUT ROWID;"
    "CREATE TRIGGER texts_go AFTER DELETE ON events WHEN old.kind = 'shown' BEGIN "
    "DELETE FROM texts WHERE suggestion_id = old.suggestion_id; END;" + rollup.CREATE,
)
_MARKS = ", ".join("?" * len(COLUMNS))
INSERT = f"INSERT OR IGNORE INTO events ({_NAMES}) VALUES ({_MARKS})"  # noqa: S608 - names of our own


def values(event: Event) -> tuple[object, ...]:
    """An event as `INSERT` takes it."""
    return tuple(getattr(event, name) for name in COLUMNS)


class NewerLogError(Exception):
    """The log was written by a newer Lido."""


def connect(path: Path, *, readonly: bool = False, timeout: float = 10) -> sqlite3.Connection:
    """The log, brought to the present schema; a lock is waited for `timeout` seconds. Raises sqlite3.Error,
    OSError, NewerLogError."""
    if readonly:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        database.row_factory = sqlite3.Row
        return database
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    database = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")  # what a person was told is recorded survives power loss
        while (version := _version(database)) != SCHEMA:
            if version > SCHEMA:
                raise NewerLogError(f"{path} was written by a newer Lido (schema {version}); update this one")
            try:
                database.executescript(
                    f"BEGIN EXCLUSIVE; {_MIGRATIONS[version]} PRAGMA user_version={version + 1}; COMMIT;"
                )
            except sqlite3.OperationalError:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                if _version(database) == version:  # else another server was quicker
                    raise
    except BaseException:
        database.close()
        raise
    return database


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


Statement = tuple[str, tuple[object, ...]]


class _Flushed(threading.Event):
    """Tells a loop. The loop's few threads, which every session of a server shares, must not wait here."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.told = asyncio.Event()

    def set(self) -> None:
        super().set()
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self.told.set)


class EventLog:
    """The log as a server writes it. `on_problem` hears once why it cannot be written."""

    def __init__(
        self,
        path: Path,
        on_problem: Callable[[str], None] = lambda _: None,
        *,
        enabled: bool = True,
        retention_days: int = 400,
        max_size_mb: int = 512,
    ) -> None:
        self.path = path
        self.retention_days, self.max_size_mb = retention_days, max_size_mb
        self.dropped = 0
        self.observer: Callable[[Event], None] | None = None
        """Hears of each event once it is on disk; in the log's thread."""
        self._enabled = enabled
        self._on_problem = on_problem
        self._told = False
        self._ends = math.inf
        """When, by the monotonic clock, locks are no longer waited for."""
        self._queue: queue.SimpleQueue[Statement | Callable[[], Event | None] | threading.Event | None] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def record(self, event: Event) -> None:
        """Queues one event; a twin with the same id is ignored."""
        self._put((INSERT, values(event)))

    def remember_open(self, suggestion_id: str, session: str, outcome: str) -> None:
        """`outcome` (JSON of an event) is what the suggestion ends as, should this server die."""
        self._put(("INSERT OR REPLACE INTO open VALUES (?, ?, ?)", (suggestion_id, session, outcome)))

    def forget_open(self, suggestion_id: str) -> None:
        self._put(("DELETE FROM open WHERE suggestion_id = ?", (suggestion_id,)))

    def remember_context(self, suggestion_id: str, prefix: str, suffix: str) -> None:
        """What stood around a suggestion; only where its text is stored, too."""
        self._put(("INSERT OR REPLACE INTO texts VALUES (?, ?, ?)", (suggestion_id, prefix, suffix)))

    def work(self, make: Callable[[], Event | None]) -> None:
        """Records what `make` gives, if anything; it runs in the log's thread, where it may take a moment."""
        self._put(make)

    def _put(self, statement: Statement | Callable[[], Event | None]) -> None:
        if self._enabled:
            self._start()
            self._queue.put(statement)

    def _start(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._write, name="events", daemon=True)
                    self._thread.start()

    async def flush(self) -> None:
        """Returns when everything recorded so far is on disk (or counted as dropped)."""
        if self._thread is not None and self._thread.is_alive():
            done = _Flushed(asyncio.get_running_loop())
            self._queue.put(done)
            with suppress(TimeoutError):
                await asyncio.wait_for(done.told.wait(), 30)

    def flush_sync(self) -> None:
        """See `flush`."""
        if self._thread is not None and self._thread.is_alive():
            done = threading.Event()
            self._queue.put(done)
            done.wait(30)

    def close(self) -> None:
        """Writes what is queued and ends the thread. Someone else's lock is waited for no longer than
        `CLOSING`, a slow disk for ten seconds; what was lost over the session is counted in the log."""
        if self._thread is not None and self._thread.is_alive():
            self._ends = time.monotonic() + CLOSING
            self._queue.put(None)
            self._thread.join(10)
            if self._thread.is_alive():
                self.dropped += self._queue.qsize() + 1
        if self.dropped:
            log.warning("%d records could not be written to %s", self.dropped, self.path)
        self._thread = None

    # ------------------------------------------------------------------ the thread

    def _write(self) -> None:
        database: sqlite3.Connection | None = None
        ending = False
        looked = 0.0
        while not ending:
            batch: list[Statement] = []
            waiting: list[threading.Event] = []
            item = self._queue.get()
            until = time.monotonic() + LINGER
            while True:
                if item is None:
                    ending = True
                elif isinstance(item, threading.Event):
                    waiting.append(item)
                elif isinstance(item, tuple):
                    batch.append(item)
                elif (made := _made(item)) is not None:
                    batch.append((INSERT, values(made)))
                if ending or waiting or len(batch) >= 500:
                    break
                try:
                    item = self._queue.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    break
            if batch:
                try:
                    database = _written(self.path, database, batch, lambda: self._ends)
                    self._observe(batch)
                except (sqlite3.Error, OSError, NewerLogError) as error:
                    self.dropped += len(batch)
                    self._tell(error)
                    if database is not None:
                        database.close()
                    database = None
            for event in waiting:
                event.set()
            if database is not None and not ending and (not looked or time.monotonic() - looked > UPKEEP):
                looked = time.monotonic()
                # What cannot be deleted now is deleted later; recording goes first.
                with suppress(sqlite3.Error):
                    keep_within(database, self.retention_days, self.max_size_mb)
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()

    def _observe(self, batch: Iterable[Statement]) -> None:
        if self.observer is not None:
            for sql, bound in batch:
                if sql == INSERT:
                    try:
                        self.observer(Event(*bound))  # type: ignore[arg-type]  # as `values` took it apart
                    except Exception:
                        log.debug("an event could not be passed on", exc_info=True)

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            self._on_problem(
                f"What people accept cannot be recorded in {self.path}: {error}. Lido works on without it; "
                "`lido doctor` says how to mend it."
            )


def _made(make: Callable[[], Event | None]) -> Event | None:
    try:
        return make()
    except Exception:
        log.debug("an event could not be made", exc_info=True)
        return None


def _written(
    path: Path, database: sqlite3.Connection | None, batch: Sequence[Statement], ends: Callable[[], float]
) -> sqlite3.Connection:
    """Commits `batch` and gives the connection for the next one. A lock is waited for `PATIENCE`, in steps,
    so that `ends` is heeded.

    Some locks are refused at once, whatever the time-out: while another server switches the journal's mode,
    or is the last to close the log (https://www.sqlite.org/wal.html#sometimes_queries_return_sqlite_busy_in_wal_mode).
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            database = database or connect(path, timeout=0.25)
            _commit(database, batch)
            return database
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > min(until, ends()):
                raise
            time.sleep(0.02)


def _commit(database: sqlite3.Connection, batch: Iterable[Statement]) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        for sql, bound in batch:
            database.execute(sql, bound)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def keep_within(
    database: sqlite3.Connection, retention_days: int, max_size_mb: float, now: float | None = None
) -> int:
    """Deletes what is older than `retention_days`, then the oldest until the rest takes at most
    `max_size_mb`; how many events. In steps, so that other servers can write in between. Raises
    sqlite3.Error.

    A clock that jumps ahead must not cost a year of events: the time that is trusted moves by at most a day
    at each call, and back at once.
    """
    wall = time.time() if now is None else now
    row = database.execute("SELECT max(trusted) FROM upkeep").fetchone()
    if row[0] is None:
        newest = database.execute("SELECT max(time) FROM events WHERE time <= ?", (utc(wall),)).fetchone()[0]
        trusted = min(wall, _seconds(newest) + DAY) if newest else wall
        database.execute("INSERT INTO upkeep VALUES (?)", (trusted,))
    else:
        trusted = min(wall, float(row[0]) + DAY)
        database.execute("UPDATE upkeep SET trusted = ?", (trusted,))
    gone = 0
    step = "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE {} LIMIT 500)"
    while True:
        found = database.execute(step.format("time < ?"), (utc(max(0.0, trusted - retention_days * DAY)),))
        gone += max(0, found.rowcount)
        if found.rowcount <= 0:
            break
    limit = max_size_mb * 1_000_000
    if _size(database) > limit:
        while _size(database) > limit * 0.9:
            found = database.execute(step.format("1 ORDER BY seq"))
            gone += max(0, found.rowcount)
            if found.rowcount <= 0:
                break
    return gone


def _seconds(time_text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(time_text).timestamp()


def _size(database: sqlite3.Connection) -> int:
    """Bytes in use; pages that were freed are used again before the file grows."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
