"""A real collector as its own process, on SQLite and on PostgreSQL where Debian's server is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from lido.collect.store import Role, Store, audit, daily, events, tokens


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Collector:
    database: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    options: tuple[str, ...] = ("--requests-per-minute", "100000")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lido(self, *words: str) -> str:
        command = [sys.executable, "-m", "lido", "collect", *words, "--database", self.database]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def start(self) -> None:
        command = [sys.executable, "-m", "lido", "collect", "--port", str(self.port)]
        self.process = subprocess.Popen([*command, "--database", self.database, *self.options])
        self.wait()

    def wait(self, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while True:
            try:
                if httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            assert time.monotonic() < until, "the collector does not answer"
            time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> None:
        assert self.process
        self.process.kill() if kill else self.process.terminate()
        self.process.wait(20)

    def token(self, name: str, role: Role = "writer", *teams: str, team: str = "") -> str:
        store = Store(self.database)
        try:
            return store.add_token(name, role, *teams, team)
        finally:
            store.close()

    def empty(self) -> None:
        store = Store(self.database)
        with store.engine.begin() as connection:
            for table in (events, daily, tokens, audit):
                connection.execute(table.delete())
        store.close()


class Postgres:
    """A database server of the test's own. Debian's binaries refuse root, so it runs as `postgres` then."""

    def __init__(self, folder: Path, bin: Path) -> None:
        self.folder, self.bin, self.port = folder, bin, free_port()
        root = os.geteuid() == 0
        self.user = pwd.getpwnam("postgres") if root else None
        if self.user:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        self._run(
            "initdb", "-D", str(folder / "data"), "-U", "lido", "-A", "trust", "-E", "UTF8", "--no-locale"
        )

    def _run(self, program: str, *words: str) -> None:
        ids = {"user": self.user.pw_uid, "group": self.user.pw_gid} if self.user else {}
        subprocess.run(
            [str(self.bin / program), *words],
            check=True, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **ids,
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"postgresql://lido@127.0.0.1:{self.port}/postgres"

    def database(self, name: str) -> str:
        """The URL of an empty database of its own."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "lido", name)
        return self.url.removesuffix("postgres") + name

    def start(self) -> None:
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        )
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "-w", "stop")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not places:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # pytest's own folders are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="lido-pg-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        server = Postgres(folder, places[-1].parent)
        server.start()
        yield server
        server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    if request.param == "sqlite":
        made = Collector(f"sqlite:///{tmp_path_factory.mktemp('collector') / 'collector.sqlite3'}")
    else:
        made = Collector(request.getfixturevalue("postgres").url)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def collector_process() -> Callable[..., Collector]:
    """One of the test's own, not started: its database and options of the command."""
    return lambda database, *options: Collector(database, options=options)


@pytest.fixture
def collector(running: Collector) -> Collector:
    """A collector that knows nothing yet."""
    running.empty()
    return running


@pytest.fixture
def event() -> Callable[..., dict[str, object]]:
    from lido.events.schema import uuid7

    def make(**members: object) -> dict[str, object]:
        return {
            "id": uuid7(),
            "time": "2026-11-01T10:00:00.000Z",
            "suggestion_id": uuid7(),
            "kind": "shown",
            "feature": "completion",
            "language": "python",
            "editor": "vscode",
            "model": "qwen",
            "user": "u1",
            "lines": 2,
            "characters": 40,
            **members,
        }

    return make
