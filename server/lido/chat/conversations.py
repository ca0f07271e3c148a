"""Conversations on disk: one SQLite database, shared by every server of the person."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

Role = Literal["user", "assistant"]
Rating = Literal["up", "down"]
T = TypeVar("T")

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    time TEXT NOT NULL,
    model TEXT,
    rating TEXT,
    complete INTEGER NOT NULL DEFAULT 1,
    context TEXT NOT NULL DEFAULT '[]',
    UNIQUE (conversation_id, position)
);
"""


class StoreError(OSError):
    """The conversations cannot be read or written just now; the message is for people."""


class UnknownConversation(LookupError):  # noqa: N818 - reads as what it is
    """No such conversation or message: it was deleted, or never was."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """`time` is UTC, ISO 8601. `complete` is False where the answer broke off. `context` are the excerpts
    that went with a question, as plain dictionaries, so that a follow-up has them still."""

    id: str
    conversation_id: str
    role: Role
    text: str
    time: str
    model: str | None = None
    rating: Rating | None = None
    complete: bool = True
    context: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    id: str
    title: str
    updated: str
    messages: int


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    title: str
    messages: tuple[StoredMessage, ...] = field(default=())


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    """A UUIDv7 (RFC 9562): sortable by time."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | 0x7 << 76
    value = (value & ~(0x3 << 62)) | 0x2 << 62
    return str(uuid.UUID(int=value))


def title_of(text: str) -> str:
    """The first line with words, at most 60 characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "Conversation")
    return line if len(line) <= 60 else line[:59].rstrip() + "…"


class Conversations:
    """Methods are coroutines; the database work happens in a thread. Raises StoreError where the database
    cannot be used, UnknownConversation for an id that is not there.

    Where it cannot even be opened, conversations are kept in memory, and `on_problem` hears why, once; it is
    called in a thread.
    """

    def __init__(self, path: Path, on_problem: Callable[[str], None] = log.warning) -> None:
        self._path = path
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    async def create(self, title: str) -> str:
        identifier, at = new_id(), now()

        def work(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?)", (identifier, title, at, at))

        await self._run(work)
        return identifier

    async def append(
        self,
        conversation_id: str,
        role: Role,
        text: str,
        *,
        message_id: str | None = None,
        model: str | None = None,
        complete: bool = True,
        context: tuple[dict[str, Any], ...] = (),
    ) -> StoredMessage:
        message = StoredMessage(
            message_id or new_id(), conversation_id, role, text, now(), model, None, complete, context
        )

        def work(db: sqlite3.Connection) -> None:
            _require(db, conversation_id)
            db.execute(
                "INSERT INTO messages SELECT ?, ?, COALESCE(MAX(position) + 1, 0), ?, ?, ?, ?, NULL, ?, ? "
                "FROM messages WHERE conversation_id = ?",
                (
                    message.id, conversation_id, role, text, message.time, model, complete,
                    json.dumps(context, ensure_ascii=False), conversation_id,
                ),
            )  # fmt: skip
            db.execute("UPDATE conversations SET updated = ? WHERE id = ?", (message.time, conversation_id))

        await self._run(work)
        return message

    async def get(self, conversation_id: str) -> Conversation:
        def work(db: sqlite3.Connection) -> Conversation:
            title = _require(db, conversation_id)
            rows = db.execute(
                "SELECT id, role, text, time, model, rating, complete, context FROM messages "
                "WHERE conversation_id = ? ORDER BY position",
                (conversation_id,),
            ).fetchall()
            messages = tuple(
                StoredMessage(
                    r[0], conversation_id, r[1], r[2], r[3], r[4], r[5], bool(r[6]), tuple(json.loads(r[7]))
                )
                for r in rows
            )
            return Conversation(conversation_id, title, messages)

        return await self._run(work)

    async def list(self, query: str | None = None, limit: int = 200) -> list[Summary]:
        """Newest first; `query` is looked for in titles and messages, without regard to case (ASCII)."""
        pattern = "%" + (query or "").replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"

        def work(db: sqlite3.Connection) -> list[Summary]:
            rows = db.execute(
                "SELECT c.id, c.title, c.updated, "
                "(SELECT COUNT(*) FROM messages m WHERE m.conversation_id = c.id) FROM conversations c "
                r"WHERE ? = '%%' OR c.title LIKE ? ESCAPE '\' OR EXISTS (SELECT 1 FROM messages m "
                r"WHERE m.conversation_id = c.id AND m.text LIKE ? ESCAPE '\') "
                "ORDER BY c.updated DESC, c.id DESC LIMIT ?",
                (pattern, pattern, pattern, limit),
            ).fetchall()
            return [Summary(*row) for row in rows]

        return await self._run(work)

    async def rename(self, conversation_id: str, title: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            _require(db, conversation_id)
            db.execute("UPDATE conversations SET title = ? WHERE id = ?", (title, conversation_id))

        await self._run(work)

    async def delete(self, conversation_id: str) -> None:
        """Deletes the conversation and overwrites its pages."""

        def work(db: sqlite3.Connection) -> None:
            _require(db, conversation_id)
            db.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))

        await self._run(work)

    async def cut(self, conversation_id: str, message_id: str) -> None:
        """Removes the message and everything after it, for a retry or an edited question."""

        def work(db: sqlite3.Connection) -> None:
            row = db.execute(
                "SELECT position FROM messages WHERE conversation_id = ? AND id = ?",
                (conversation_id, message_id),
            ).fetchone()
            if row is None:
                raise UnknownConversation(message_id)
            db.execute(
                "DELETE FROM messages WHERE conversation_id = ? AND position >= ?", (conversation_id, row[0])
            )

        await self._run(work)

    async def rate(self, message_id: str, rating: Rating) -> None:
        def work(db: sqlite3.Connection) -> None:
            done = db.execute("UPDATE messages SET rating = ? WHERE id = ?", (rating, message_id))
            if not done.rowcount:
                raise UnknownConversation(message_id)

        await self._run(work)

    async def export(self, conversation_id: str) -> str:
        """The conversation as Markdown."""
        conversation = await self.get(conversation_id)
        parts = [f"# {conversation.title}"]
        for message in conversation.messages:
            who = "You" if message.role == "user" else message.model or "Assistant"
            titles = ", ".join(item["title"] for item in message.context)
            parts.append(f"## {who}" + (f"\n\n_With {titles}_" if titles else ""))
            parts.append(message.text.rstrip() + ("" if message.complete else "\n\n_(broken off)_"))
        return "\n\n".join(parts) + "\n"

    async def close(self) -> None:
        def work() -> None:
            with self._lock:
                if self._connection:
                    self._connection.close()
                    self._connection = None

        await asyncio.to_thread(work)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def locked() -> T:
            try:
                with self._lock, self._transaction() as db:
                    return work(db)
            except sqlite3.Error as error:
                raise StoreError(f"The conversations in {self._path} cannot be used: {error}.") from error

        return await asyncio.to_thread(locked)

    def _opened(self) -> sqlite3.Connection:
        try:
            return _open(self._path)
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise  # another server's, and for a moment
            self._on_problem(
                f"Conversations cannot be kept in {self._path}: {error}. They last as long as this session."
            )
            return _prepared(":memory:")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            self._connection = self._opened()
        db = self._connection
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Created with its final mode, before SQLite could create it readable by others; the -wal and -shm
    # files take the database's mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return _prepared(path)


def _prepared(path: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _require(db: sqlite3.Connection, conversation_id: str) -> str:
    row = db.execute("SELECT title FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
    if row is None:
        raise UnknownConversation(conversation_id)
    return str(row[0])
