"""The log: SQLite in WAL mode, written in batches by a thread of its own, by many servers at once.

Recording never blocks and never raises. Where the log cannot be written, that is said once, and what was
dropped is counted.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from lido.events.schema import COLUMNS, Event

SCHEMA = 1

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
_MIGRATIONS = (
    # 0 → 1
    "CREATE TABLE events ("
    + ", ".join(f'"{name}" {_TYPES.get(name, "TEXT")}' for name in COLUMNS)
    + ", PRIMARY KEY (id)) WITHOUT ROWID;"
    "CREATE INDEX events_time ON events (time);"
    "CREATE INDEX events_suggestion ON events (suggestion_id);"
    # Suggestions that a running server has shown and not yet seen the end of; see attribution.recover.
    "CREATE TABLE open (suggestion_id TEXT PRIMARY KEY, session TEXT, outcome TEXT) WITHOUT ROWID;",
)
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_MARKS = ", ".join("?" * len(COLUMNS))
INSERT = f"INSERT OR IGNORE INTO events ({_NAMES}) VALUES ({_MARKS})"  # noqa: S608 - names of our own


def values(event: Event) -> tuple[object, ...]:
    """An event as `INSERT` takes it."""
    return tuple(getattr(event, name) for name in COLUMNS)


class NewerLogError(Exception):
    """The log was written by a newer Lido."""


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """The log, brought to the present schema. Raises sqlite3.Error, OSError, NewerLogError."""
    if readonly:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        database.row_factory = sqlite3.Row
        return database
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    database = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")  # what a person was told is recorded survives power loss
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA:
        raise NewerLogError(f"{path} was written by a newer Lido (schema {version}); update this one")
    for number in range(version, SCHEMA):
        with suppress(sqlite3.OperationalError):  # another server was quicker
            database.executescript(
                f"BEGIN EXCLUSIVE; {_MIGRATIONS[number]} PRAGMA user_version={number + 1}; COMMIT;"
            )
        if database.in_transaction:
            database.execute("ROLLBACK")
    return database


Statement = tuple[str, tuple[object, ...]]


class EventLog:
    """The log as a server writes it. `on_problem` hears once why it cannot be written."""

    def __init__(
        self, path: Path, on_problem: Callable[[str], None] = lambda _: None, *, enabled: bool = True
    ) -> None:
        self.path = path
        self.dropped = 0
        self._enabled = enabled
        self._on_problem = on_problem
        self._told = False
        self._queue: queue.SimpleQueue[Statement | threading.Event | None] = queue.SimpleQueue()
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

    def _put(self, statement: Statement) -> None:
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
        if self._thread is not None:
            await asyncio.to_thread(self.flush_sync)

    def flush_sync(self) -> None:
        """See `flush`."""
        if self._thread is not None and self._thread.is_alive():
            done = threading.Event()
            self._queue.put(done)
            done.wait(30)

    def close(self) -> None:
        """Writes what is queued and ends the thread."""
        if self._thread is not None and self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(30)
        self._thread = None

    # ------------------------------------------------------------------ the thread

    def _write(self) -> None:
        database: sqlite3.Connection | None = None
        ending = False
        while not ending:
            batch: list[Statement] = []
            waiting: list[threading.Event] = []
            item = self._queue.get()
            while True:
                if item is None:
                    ending = True
                elif isinstance(item, threading.Event):
                    waiting.append(item)
                else:
                    batch.append(item)
                if ending or len(batch) >= 500:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            if batch:
                try:
                    database = database or connect(self.path)
                    _commit(database, batch)
                except (sqlite3.Error, OSError, NewerLogError) as error:
                    self.dropped += len(batch)
                    self._tell(error)
                    if database is not None:
                        database.close()
                    database = None
            for event in waiting:
                event.set()
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            self._on_problem(
                f"What people accept cannot be recorded in {self.path}: {error}. Lido works on without it; "
                "`lido doctor` says how to mend it."
            )


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
