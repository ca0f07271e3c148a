"""The workspace's definitions and code, on disk, for the context of completions.

A process of its own (``python -m lido.workspace.index``) brings the index up to date: it reads what changed
since last time and commits in small transactions, so that a crash costs at most the last of them. The server
only reads. What the privacy gate blocks is never indexed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WINDOW = 40
"""Lines of a piece."""
BATCH = 200
"""Files of one transaction."""
VERSION = 1
"""Of the tables; another one begins anew."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file(id INTEGER PRIMARY KEY, path TEXT UNIQUE, stamp TEXT);
CREATE TABLE IF NOT EXISTS symbol(
    file INTEGER, name TEXT, kind TEXT, first INTEGER, last INTEGER, signature TEXT);
CREATE INDEX IF NOT EXISTS symbol_name ON symbol(name);
CREATE INDEX IF NOT EXISTS symbol_file ON symbol(file);
CREATE TABLE IF NOT EXISTS piece(id INTEGER PRIMARY KEY, file INTEGER, first INTEGER, text TEXT);
CREATE INDEX IF NOT EXISTS piece_file ON piece(file);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    text, content='piece', content_rowid='id', tokenize="unicode61 tokenchars '_'");
"""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,40}")


def identifiers(text: str) -> list[str]:
    """In order, with repetitions."""
    return _IDENTIFIER.findall(text)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition somewhere in the workspace; `path` is relative to the root, lines count from 0."""

    path: str
    name: str
    kind: str
    first: int
    last: int
    signature: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of a file, from line `first` (0-based) on."""

    path: str
    first: int
    text: str


def location(cache: Path, root: Path) -> Path:
    """Where the index of a workspace root lies."""
    return cache / f"index-{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.sqlite3"


def connect(path: Path) -> sqlite3.Connection:
    """Opens the index for writing; one of another version, or a broken one, is made anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        database = sqlite3.connect(path, timeout=10, isolation_level=None)
        try:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version in (0, VERSION):
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=NORMAL")
                database.executescript(_SCHEMA)
                database.execute(f"PRAGMA user_version={VERSION}")
                return database
        except sqlite3.DatabaseError:
            pass
        database.close()
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                path.with_name(path.name + suffix).unlink()
    raise OSError(f"{path} cannot be made")


def update(path: Path, root: Path, ignore: Sequence[str] = ()) -> tuple[int, int]:
    """Brings the index of `root` up to date; files read anew, files removed. Blocking."""
    from lido.settings import PrivacySettings
    from lido.workspace import search
    from lido.workspace.privacy import Privacy

    privacy = Privacy([root], PrivacySettings(ignore=tuple(ignore)))
    database = connect(path)
    try:
        known = {
            name: (number, stamp)
            for number, name, stamp in database.execute("SELECT id, path, stamp FROM file")
        }
        pending: list[tuple[str, str]] = []
        present: set[str] = set()
        for name in search.files(root, privacy.blocked):
            try:
                found = (root / name).stat()
            except OSError:
                continue
            if found.st_size > search.MAX_FILE:
                continue
            present.add(name)
            stamp = f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"
            if name not in known or known[name][1] != stamp:
                pending.append((name, stamp))
        gone = [name for name in known if name not in present]
        for at in range(0, len(gone), BATCH):
            database.execute("BEGIN IMMEDIATE")
            for name in gone[at : at + BATCH]:
                _remove(database, known[name][0])
            database.execute("COMMIT")
        for at in range(0, len(pending), BATCH):
            database.execute("BEGIN IMMEDIATE")
            for name, stamp in pending[at : at + BATCH]:
                if name in known:
                    _remove(database, known[name][0])
                _add(database, root, name, stamp)
            database.execute("COMMIT")
        return len(pending), len(gone)
    finally:
        database.close()


def _remove(database: sqlite3.Connection, file: int) -> None:
    database.execute(
        "INSERT INTO words(words, rowid, text) SELECT 'delete', id, text FROM piece WHERE file = ?", (file,)
    )
    for table, column in (("piece", "file"), ("symbol", "file"), ("file", "id")):
        database.execute(f"DELETE FROM {table} WHERE {column} = ?", (file,))  # noqa: S608 - fixed names


def _add(database: sqlite3.Connection, root: Path, name: str, stamp: str) -> None:
    from lido.workspace import search, syntax

    file = database.execute("INSERT INTO file(path, stamp) VALUES(?, ?)", (name, stamp)).lastrowid
    language = syntax.language_of(name)
    text = search.read_text(root / name) if language else None
    if not text or language in ("json", "yaml", "toml"):
        return
    found = syntax.definitions(language, text.encode("utf-8", "surrogatepass"))
    database.executemany(
        "INSERT INTO symbol VALUES(?, ?, ?, ?, ?, ?)",
        [(file, d.name, d.kind, d.first, d.last, d.signature) for d in found],
    )
    lines = text.split("\n")
    for first in range(0, len(lines), WINDOW):
        piece = "\n".join(lines[first : first + WINDOW])
        if len(piece) > 8000 or not piece.strip():
            continue
        row = database.execute("INSERT INTO piece(file, first, text) VALUES(?, ?, ?)", (file, first, piece))
        database.execute("INSERT INTO words(rowid, text) VALUES(?, ?)", (row.lastrowid, piece))


def shared(cache: Path, root: Path, ignore: Sequence[str] = ()) -> Index:
    """The index that every session of this process shares for `root`: one process brings it up to date, one
    connection reads it. Each session closes it."""
    key = (location(cache, root), tuple(ignore))
    index = _shared.get(key)
    if index is None:
        index = _shared[key] = Index(cache, root, ignore)
    else:
        index._users += 1
    return index


class Index:
    """Reads the index of one workspace root and has it brought up to date in the background."""

    def __init__(self, cache: Path, root: Path, ignore: Sequence[str] = ()) -> None:
        self.path = location(cache, root)
        self.root = root
        self._ignore = tuple(ignore)
        self._database: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._running: asyncio.Task[None] | None = None
        self._again = False
        self._began: float | None = None
        self._users = 1

    # ------------------------------------------------------------------ reading (blocking, thread-safe)

    def definitions(self, names: Iterable[str], limit: int = 24) -> list[Symbol]:
        """Definitions called one of `names`; those of names with many definitions are left out, because
        none of them is likely to be meant."""
        wanted = list(dict.fromkeys(names))[:60]
        if not wanted:
            return []
        marks = ",".join("?" * len(wanted))
        rows = self._rows(
            "SELECT path, name, kind, first, last, signature FROM symbol JOIN file ON file.id = symbol.file "  # noqa: S608 - marks only
            f"WHERE name IN ({marks}) LIMIT 400",
            wanted,
        )
        found = [Symbol(*row) for row in rows]
        count: dict[str, int] = {}
        for symbol in found:
            count[symbol.name] = count.get(symbol.name, 0) + 1
        return [symbol for symbol in found if count[symbol.name] <= 4][:limit]

    def members(self, symbol: Symbol, limit: int = 12) -> list[Symbol]:
        """What stands within a definition, of the same file."""
        rows = self._rows(
            "SELECT path, name, kind, first, last, signature FROM symbol JOIN file ON file.id = symbol.file "
            "WHERE path = ? AND first > ? AND last <= ? ORDER BY first LIMIT ?",
            (symbol.path, symbol.first, symbol.last, limit),
        )
        return [Symbol(*row) for row in rows]

    def similar(self, words: Iterable[str], limit: int = 6) -> list[Piece]:
        """The pieces that suit `words` best, by BM25."""
        wanted = list(dict.fromkeys(words))[:24]
        if not wanted:
            return []
        query = " OR ".join(f'"{word}"' for word in wanted)
        rows = self._rows(
            "SELECT path, first, text FROM (SELECT rowid AS id, rank FROM words WHERE words MATCH ? "
            "ORDER BY rank LIMIT ?) AS best JOIN piece USING (id) JOIN file ON file.id = piece.file "
            "ORDER BY best.rank",
            (query, limit),
        )
        return [Piece(*row) for row in rows]

    def _rows(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                if self._database is None:
                    if not self.path.exists():
                        return []
                    uri = f"{self.path.as_uri()}?mode=ro"
                    self._database = sqlite3.connect(uri, uri=True, timeout=0.05, check_same_thread=False)
                return self._database.execute(query, values).fetchall()
            except sqlite3.Error:
                if self._database is not None:
                    self._database.close()
                    self._database = None
                return []

    # ------------------------------------------------------------------ updating

    def refresh(self, older_than: float = 0.0) -> asyncio.Task[None] | None:
        """Brings the index up to date, where that was last begun over `older_than` seconds ago; asked again
        meanwhile, it does so once more afterwards."""
        now = time.monotonic()
        if self._began is not None and now - self._began < older_than:
            return self._running
        self._began = now
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._refresh(), name="index")
        else:
            self._again = True
        return self._running

    async def _refresh(self) -> None:
        while True:
            self._again = False
            job = json.dumps([str(self.path), str(self.root), self._ignore]).encode()
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "lido.workspace.index",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                await process.communicate(job)
            except asyncio.CancelledError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                raise
            if not self._again:
                return

    async def close(self) -> None:
        self._users -= 1
        if self._users:
            return
        if _shared.get(key := (self.path, self._ignore)) is self:
            del _shared[key]
        if self._running and not self._running.done():
            self._running.cancel()
            await asyncio.wait([self._running], timeout=2)
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None


_shared: dict[tuple[Path, tuple[str, ...]], Index] = {}


def main() -> None:
    """Reads what to do from standard input: ``[index, root, [ignored patterns]]``. Dies with its parent's
    pipe or when another process is at the same index."""
    import filelock

    path, root, ignore = json.loads(sys.stdin.read())
    with suppress(AttributeError, OSError):
        os.nice(10)
    lock = Path(path).with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with suppress(filelock.Timeout), filelock.FileLock(lock, timeout=0):
        began = time.perf_counter()
        read, removed = update(Path(path), Path(root), ignore)
        print(f"{read} files read, {removed} removed in {time.perf_counter() - began:.1f} s")  # noqa: T201


if __name__ == "__main__":
    main()
