"""Hostile traffic over TCP: one connection's nonsense is its own affair, and others are served all the while."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.wire_client import MESSAGE, WireClient, encoded

AT_ONCE = 25
HOSTILE = int(os.environ.get("LIDO_FUZZ_MESSAGES", "1000")) // AT_ONCE
NOBODY: dict[str, Any] = {
    "models": {"m": {"provider": "openai", "base_url": "http://127.0.0.1:9/v1", "max_retries": 0}}
}


TOKEN = "shown-by-each-client"


class Served:
    """`lido serve --tcp` as a child process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stderr
        said = process.stderr.readline()
        found = re.search(r":(\d+)\.", said)
        assert found, said
        self.port = int(found[1])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 10)

    def client(self, root: Path) -> WireClient:
        return WireClient(root, NOBODY, self.connect(), token=TOKEN)

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "lido", "serve", "--tcp", "127.0.0.1:0"]
    env = os.environ | {"LIDO_HOME": str(home), "LIDO_CONFIG": str(home / "config.toml")}
    env["LIDO_SERVE_TOKEN"] = TOKEN
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        yield Served(process)
        assert process.poll() is None, "it lives through all of this"
        process.terminate()
        assert process.wait(20) == 0


@pytest.fixture
def honest(served: Served, tmp_path: Path) -> Iterator[WireClient]:
    with served.client(tmp_path) as client:
        yield client.initialize()


def works(client: WireClient) -> None:
    uri = "file:///w/right.py"
    item = {"uri": uri, "languageId": "python", "version": 1, "text": "x = 1\n"}
    client.notify("textDocument/didOpen", {"textDocument": item})
    where = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 5}}
    answer = client.request("textDocument/inlineCompletion", {**where, "context": {"triggerKind": 2}})
    assert answer == {"items": []}
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def test_a_thousand_malformed_messages_beside_an_honest_client(
    served: Served, honest: WireClient, tmp_path: Path
) -> None:
    with served.client(tmp_path) as hostile:
        hostile.initialize()

        @settings(max_examples=HOSTILE, database=None)
        @given(st.lists(MESSAGE, min_size=AT_ONCE, max_size=AT_ONCE))
        def attack(messages: list[bytes]) -> None:
            hostile.raw(b"".join(messages))
            assert isinstance(hostile.request("lido/chat/list", {}), list)

        attack()
        works(hostile)
        works(honest)


@settings(max_examples=60, database=None)
@given(st.binary(max_size=400), st.booleans())
def test_random_bytes_end_no_more_than_their_own_connection(served: Served, data: bytes, reset: bool) -> None:
    with served.connect() as sock:
        with suppress(OSError):  # it was closed already
            sock.sendall(data)
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert served.process.poll() is None


@pytest.mark.parametrize(
    "data",
    [b"Content-Length: -1\r\n\r\n{}", b"x" * 200_000, b"\x00" * 200_000, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3000],
    ids=["negative", "endless line", "zeros", "HTTP"],
)  # fmt: skip
def test_what_cannot_be_split_is_told_and_closed(
    served: Served, honest: WireClient, tmp_path: Path, data: bytes
) -> None:
    with served.client(tmp_path) as hostile:
        with suppress(OSError):
            hostile.raw(data + encoded({"jsonrpc": "2.0", "method": "nothing"}))
        with hostile.news:
            assert hostile.news.wait_for(lambda: hostile.ended, 10), "the connection is closed"
    works(honest)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
def test_connections_that_come_and_go_leave_nothing(served: Served, honest: WireClient) -> None:
    hello = encoded(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "processId": None,
                "rootUri": None,
                "capabilities": {},
                "initializationOptions": {"token": TOKEN},
            },
        }
    )
    works(honest)
    before = served.descriptors()
    for number in range(60):
        with served.connect() as sock:
            sock.sendall(hello[: (number * 7) % (len(hello) + 1)])
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    works(honest)
    until = time.monotonic() + 15
    while served.descriptors() > before + 10 and time.monotonic() < until:
        works(honest)
    assert served.descriptors() <= before + 10
