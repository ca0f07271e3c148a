"""Disks that are full, read-only, denied, locked or damaged: the server goes on answering and says so once."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fakes.model_server import ModelServer, Script
from fakes.raw_client import RawClient
from lido.events.store import EventLog, connect
from lido.workspace import index

GARBAGE = b"this is no database, nor JSON \x00\xff\n" * 4096
Arrange = Callable[[Path], Iterator[None]]


def place(name: str, content: bytes | None) -> Arrange:
    """`content` lies where Lido keeps `name`; None: a directory does."""

    def arrange(home: Path) -> Iterator[None]:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            (path / "in the way").mkdir(parents=True)
        else:
            path.write_bytes(content)
        yield

    return arrange


def lock(name: str) -> Arrange:
    """Another process holds the database for a while."""

    def arrange(home: Path) -> Iterator[None]:
        holder = sqlite3.connect(home / name, isolation_level=None, check_same_thread=False)
        holder.execute("PRAGMA journal_mode=WAL")
        holder.execute("CREATE TABLE held (x)")
        holder.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(2, holder.close)
        release.start()
        yield
        release.join()

    return arrange


def no_directory(home: Path) -> Iterator[None]:
    home.rmdir()
    home.write_bytes(b"")
    yield
    home.unlink()
    home.mkdir()


def newer(home: Path) -> Iterator[None]:
    database = sqlite3.connect(home / "events.sqlite3")
    database.execute("PRAGMA user_version=999")
    database.close()
    yield


def mounted(*options: str, fill: bool = False) -> Arrange:
    """`LIDO_HOME` is a small file system of its own."""

    def arrange(home: Path) -> Iterator[None]:
        if not shutil.which("mount") or os.geteuid():
            pytest.skip("only root can mount a small file system")
        mount = ["mount", "-t", "tmpfs", "-o", ",".join(("size=256k", *options)), "tmpfs", str(home)]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            if fill:
                with (home / "filler").open("wb", 0) as file, suppress(OSError):
                    while file.write(b"x" * 4096):
                        pass
            yield
        finally:
            subprocess.run(["umount", "-l", str(home)], check=True)

    return arrange


EVENTS, CHATS = "events.sqlite3", "conversations.sqlite3"
CASES: dict[str, tuple[Arrange, str]] = {
    # what is wrong: how it comes about, and what the person is to be told of: events, chats, both or neither
    "the home is a file": (no_directory, "events chats"),
    "the home is read-only": (mounted("ro"), "events chats"),
    "the disk is full": (mounted(fill=True), "events chats"),
    "the log is a directory": (place(EVENTS, None), "events"),
    "the log is damaged": (place(EVENTS, GARBAGE), "events"),
    "the log is damaged behind its header": (place(EVENTS, b"SQLite format 3\x00" + GARBAGE), "events"),
    "the log is of a newer Lido": (newer, "events"),
    "the log is locked": (lock(EVENTS), ""),
    "the chats are a directory": (place(CHATS, None), "chats"),
    "the chats are damaged": (place(CHATS, GARBAGE), "chats"),
    "the chats are locked": (lock(CHATS), ""),
    "the cache is a file": (place("cache", b""), ""),
    "the cache's completions are a file": (place("cache/completions", b""), ""),
    "the journal is a file": (place("journal", b""), ""),
    "the sessions are a file": (place("sessions", b""), ""),
    "the plans are a file": (place("plans", b""), ""),
    "the logs are a file": (place("logs", b""), ""),
    "the salt is a directory": (place("salt", None), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_each_fault_of_the_disk(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIDO_CONFIG", str(tmp_path / "config.toml"))
    arrange, told = CASES[name]
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text("def total(items):\n    return \n")
    async with ModelServer(Script(["sum(", "items)"])) as server:
        with contextmanager(arrange)(Path(os.environ["LIDO_HOME"])):
            await work(root, server.url, told)


async def test_a_cache_and_an_index_that_are_damaged_are_made_anew(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def total(items):\n    return \n")
    async with ModelServer(Script(["sum(", "items)"])) as server:
        await work(tmp_path, server.url, "")
        cache = Path(os.environ["LIDO_HOME"]) / "cache"
        # The server may have ended before its index was whole.
        await asyncio.to_thread(index.update, index.location(cache, tmp_path), tmp_path)
        caches = [path for path in cache.rglob("*") if path.is_file()]
        assert any(path.name.startswith("index-") for path in caches)
        for path in caches:
            path.write_bytes(GARBAGE)
        await work(tmp_path, server.url, "")


async def work(root: Path, url: str, told: str) -> None:
    model = {
        "provider": "openai",
        "base_url": f"{url}/v1",
        "model": "m",
        "fim": "qwen",
        "context_window": 8192,
    }
    settings = {"models": {"m": model}, "completion": {"debounce_ms": 0}}
    client = RawClient(root, settings)

    def shown() -> list[str]:
        return [
            params["message"] for method, params in client.notifications if method == "window/showMessage"
        ]

    async with client:
        uri = (root / "a.py").as_uri()
        text = (root / "a.py").read_text()
        for version in range(1, 4):
            item = {"uri": uri, "languageId": "python", "version": version, "text": text}
            client.notify("textDocument/didOpen", {"textDocument": item})
            where = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 11}}
            asked = {**where, "context": {"triggerKind": 1}}
            began = time.monotonic()
            found = await client.request("textDocument/inlineCompletion", asked)
            assert [each["insertText"] for each in found["items"]] == ["sum(items)"]
            assert time.monotonic() - began < 5
            identifier = found["items"][0]["command"]["arguments"][0]
            client.notify("lido/completion/shown", {"id": identifier})
            client.notify("lido/completion/dismissed", {"id": identifier})
            client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        for _ in range(2):
            answer = await client.request("lido/chat/send", {"text": "hello", "attachments": []})
            assert answer["text"] == "sum(items)"
        assert len(await client.request("lido/chat/list", {})) >= 2
        async with asyncio.timeout(10), client.news:
            await client.news.wait_for(lambda: len(shown()) >= len(told.split()))
    assert len(shown()) == len(told.split()), f"one word for each that is lost: {shown()}"
    assert ("recorded" in str(shown())) == ("events" in told)
    assert ("Conversations" in str(shown())) == ("chats" in told)
    assert client.process.returncode == 0


def settings_of(url: str) -> dict[str, object]:
    model = {
        "provider": "openai",
        "base_url": f"{url}/v1",
        "model": "m",
        "fim": "qwen",
        "context_window": 8192,
    }
    return {"models": {"m": model}, "completion": {"debounce_ms": 0}}


async def suggestion(client: RawClient, root: Path, version: int = 1) -> str:
    """Opens a file and asks for a completion; its id."""
    uri = (root / "a.py").as_uri()
    text = "def total(items):\n    return \n"
    item = {"uri": uri, "languageId": "python", "version": version, "text": text}
    client.notify("textDocument/didOpen", {"textDocument": item})
    where = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 11}}
    asked = {**where, "context": {"triggerKind": 1}}
    found = await client.request("textDocument/inlineCompletion", asked)
    (item,) = found["items"]
    return str(item["command"]["arguments"][0])


async def test_a_log_that_stays_locked_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    home = Path(os.environ["LIDO_HOME"])
    holder = sqlite3.connect(home / EVENTS, isolation_level=None)
    holder.execute("PRAGMA journal_mode=WAL")
    holder.execute("CREATE TABLE held (x)")
    holder.execute("BEGIN EXCLUSIVE")
    async with ModelServer(Script(["sum(", "items)"])) as server:
        client = await RawClient(tmp_path, settings_of(server.url)).__aenter__()
        identifier = await suggestion(client, tmp_path)
        client.notify("lido/completion/shown", {"id": identifier})
        client.notify("lido/completion/dismissed", {"id": identifier})
        await client.request("shutdown", None)
        client.notify("exit", None)
        began = time.monotonic()
        assert await asyncio.wait_for(client.process.wait(), 20) == 0
        assert time.monotonic() - began < 7, "two seconds, on a busy machine"
        messages = [
            params["message"] for name, params in client.notifications if name == "window/showMessage"
        ]
        assert len(messages) <= 1
    holder.close()


async def test_what_a_lock_cost_is_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / EVENTS
    connect(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    told: list[str] = []
    log = EventLog(path, told.append)
    for number in range(1200):  # three transactions' worth
        log.remember_open(f"s{number}", "session", "{}")
    began = time.monotonic()
    await asyncio.to_thread(log.close)
    assert time.monotonic() - began < 6
    assert log.dropped == 1200
    assert len(told) == 1
    assert "locked" in told[0]
    assert [record.message for record in caplog.records] == [f"1200 records could not be written to {path}"]
    holder.close()
    log = EventLog(path, told.append)
    log.remember_open("after", "session", "{}")
    await asyncio.to_thread(log.close)
    assert log.dropped == 0
    assert connect(path).execute("SELECT count(*) FROM open").fetchone()[0] == 1


STRACE = shutil.which("strace")


@pytest.mark.skipif(STRACE is None, reason="strace delays the disk; it is not installed")
async def test_a_disk_that_takes_half_a_second_to_write_holds_up_no_answer(tmp_path: Path) -> None:
    """Every fsync of the server takes that long; what a person waits for must not wait for one."""
    slow = "fsync,fdatasync:delay_exit=500000"
    under = [
        str(STRACE),
        "-f",
        "-q",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        f"inject={slow}",
    ]
    if (await asyncio.to_thread(subprocess.run, [*under, "true"])).returncode:
        pytest.skip("strace may trace nothing here")
    async with ModelServer(Script(["sum(", "items)"])) as server:
        client = RawClient(tmp_path, settings_of(server.url))
        client.under = under
        async with client:
            await suggestion(client, tmp_path)  # all that is loaded with the first one
            took = []
            for version in range(2, 12):
                began = time.monotonic()
                identifier = await suggestion(client, tmp_path, version)
                client.notify("lido/completion/shown", {"id": identifier})
                client.notify("lido/completion/dismissed", {"id": identifier})
                took.append(time.monotonic() - began)
            assert sorted(took)[5] < 0.4, took
            began = time.monotonic()
            answer = await client.request("lido/chat/send", {"text": "hello", "attachments": []})
            assert answer["text"] == "sum(items)"
            assert time.monotonic() - began < 8
        assert client.process.returncode == 0
    database = sqlite3.connect(Path(os.environ["LIDO_HOME"]) / EVENTS)
    outcomes = dict(database.execute("SELECT kind, count(*) FROM events GROUP BY kind"))
    database.close()
    assert outcomes["shown"] == outcomes["rejected"] + outcomes["ignored"] == 11, "all was written at last"
