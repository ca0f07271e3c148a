"""Random, truncated, reordered and oversized traffic: the server answers what is right, and never hangs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.wire_client import MESSAGE, OPEN, WireClient, encoded, framed

MALFORMED = int(os.environ.get("LIDO_FUZZ_MESSAGES", "1000"))
AT_ONCE = 25


@pytest.fixture
def client(tmp_path: Path) -> Iterator[WireClient]:
    """No model answers: hostile traffic must not depend on one."""
    nobody = {"models": {"m": {"provider": "openai", "base_url": "http://127.0.0.1:9/v1", "max_retries": 0}}}
    with WireClient(tmp_path, nobody) as made:
        yield made


def works(client: WireClient) -> None:
    """A document is opened, and changed; a right question has a right answer."""
    uri = "file:///w/right.py"
    item = {"uri": uri, "languageId": "python", "version": 1, "text": "x = 1\n"}
    client.notify("textDocument/didOpen", {"textDocument": item})
    where = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 5}}
    answer = client.request("textDocument/inlineCompletion", {**where, "context": {"triggerKind": 2}})
    assert answer == {"items": []}, "no model answers, so there is nothing to suggest"
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    assert isinstance(client.request("lido/chat/list", {}), list)


def test_a_thousand_malformed_messages_and_then_a_right_one(client: WireClient) -> None:
    client.initialize()
    item = {"uri": OPEN, "languageId": "python", "version": 1, "text": "a = 1\nb = 2\n"}
    client.notify("textDocument/didOpen", {"textDocument": item})
    works(client)
    sent = 0

    @settings(max_examples=MALFORMED // AT_ONCE, database=None)
    @given(st.lists(MESSAGE, min_size=AT_ONCE, max_size=AT_ONCE))
    def hostile(messages: list[bytes]) -> None:
        nonlocal sent
        client.raw(b"".join(messages))
        sent += len(messages)
        assert isinstance(client.request("lido/chat/list", {}), list)

    hostile()
    assert sent >= MALFORMED
    works(client)
    shown = [
        each for each in client.seen if each.get("method") in ("window/showMessage", "window/logMessage")
    ]
    assert len(shown) <= 12, "no storm of pop-ups for what is the client's fault"
    client.request("shutdown", None)
    client.notify("exit", None)
    assert client.ends() == 0


@given(st.permutations(range(9)))
@settings(max_examples=12, database=None)
def test_right_messages_in_any_order(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    uri = "file:///w/a.py"
    document, start = {"uri": uri, "version": 2}, {"line": 0, "character": 0}
    opened = {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": "x\n"}}
    changed = {"textDocument": document, "contentChanges": [{"text": "y\n"}]}
    hint = {"textDocument": document, "position": start, "context": {"triggerKind": 1}}
    steps: list[dict[str, Any]] = [
        {"method": "initialize", "id": 1, "params": {"processId": None, "rootUri": None, "capabilities": {}}},
        {"method": "initialized", "params": {}},
        {"method": "textDocument/didOpen", "params": opened},
        {"method": "textDocument/didChange", "params": changed},
        {"method": "textDocument/inlineCompletion", "id": 2, "params": hint},
        {"method": "$/cancelRequest", "params": {"id": 2}},
        {"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}},
        {"id": 77, "result": None},
        {"method": "lido/chat/list", "id": 3, "params": {}},
    ]
    with WireClient(tmp_path_factory.mktemp("w"), {"models": {}}) as client:
        client.raw(b"".join(encoded({"jsonrpc": "2.0", **steps[index]}) for index in order))
        client.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        client.notify("initialized", {})
        assert isinstance(client.request("lido/chat/list", {}), list)


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: many\r\n\r\n{}",
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: 99999999999999999999\r\n\r\n{}",
        b"Content-Length: 1e3\r\n\r\n{}",
        b"Content-Length:\r\n\r\n{}",
        b"x" * 200_000,
        b"X: y\r\n" * 50_000,
        b"\x00" * 200_000,
    ],
    ids=[
        "no number",
        "negative",
        "over every bound",
        "a float",
        "empty",
        "endless line",
        "endless header",
        "zeros",
    ],
)
def test_a_stream_that_cannot_be_split_any_more_ends_with_a_word(client: WireClient, data: bytes) -> None:
    client.initialize()
    with suppress(BrokenPipeError):  # it read enough
        client.raw(data + encoded({"jsonrpc": "2.0", "method": "nothing"}))
    assert client.ends() == 1
    with client.news:
        assert client.news.wait_for(lambda: client.ended, 5)
    errors = [each["error"]["message"] for each in client.seen if each.get("id", 0) is None]
    assert any("the connection is closed" in each for each in errors), "never silently"


@pytest.mark.parametrize(
    "data",
    [b"", b"Cont", b"Content-Length: 50", b"Content-Length: 50\r\n\r\n", b'Content-Length: 50\r\n\r\n{"json'],
    ids=["between messages", "within a name", "within a line", "before a body", "within a body"],
)
def test_a_client_that_goes_away_takes_the_server_with_it(client: WireClient, data: bytes) -> None:
    client.initialize()
    client.raw(data)
    client.end_of_input()
    assert client.ends() == 1, "it was not told to exit"


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n" + encoded({"jsonrpc": "2.0", "method": "$/x"}),
        b"content-length:  2\r\nX-Unknown: 1\r\n\r\n{}",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n" + framed(b"{}"),
        b"garbage without a colon\r\n" + framed(b"{}"),
        framed(b""),
        framed(b"\xff\xfe{\x00}\x00"),
        framed(b"\xef\xbb\xbf{}"),
        framed(b"[" * 100_000),
        framed(b"[" + b"{}," * 1000 + b"{}]"),
        framed(b'{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "$/x"}'),
        framed(b'{"jsonrpc": "2.0", "id": ' + b"9" * 10_000 + b', "method": "$/x"}'),
        framed(json.dumps({"jsonrpc": "2.0", "id": "x" * 1_000_000, "method": "lido/none"}).encode()),
        framed(json.dumps({"jsonrpc": "2.0", "id": 5, "method": "\ud800"}).encode()),
        framed(b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "lido/chat/list"}'),
        framed(b'{"jsonrpc": "2.0", "id": {}, "method": "lido/chat/list"}'),
        framed(b'{"jsonrpc": "2.0", "id": [1], "result": 1}'),
        encoded({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": {"a": 1}}}),
    ],
)
def test_what_can_be_skipped_is_skipped(client: WireClient, data: bytes) -> None:
    client.initialize()
    client.raw(data)
    works(client)


def test_what_is_large_is_taken(client: WireClient) -> None:
    client.initialize()
    text = "x = 1\n" * 4_000_000
    item = {"uri": OPEN, "languageId": "python", "version": 1, "text": text}
    client.notify("textDocument/didOpen", {"textDocument": item})
    client.raw(encoded({"jsonrpc": "2.0", "method": "nothing", "params": ["x" * 30_000_000]}))
    works(client)


def test_a_client_that_does_not_read_is_waited_for(client: WireClient) -> None:
    """Answers for megabytes wait in the server; it takes messages all the while, and loses none."""
    client.initialize()
    with client.news:  # holds up the reading thread with its next message
        for number in range(3000):
            body = {"jsonrpc": "2.0", "id": f"n{number}", "method": "lido/none" + "x" * 500, "params": {}}
            client.raw(encoded(body))
    works(client)
    answered = {each.get("id") for each in client.seen}
    assert {f"n{number}" for number in range(3000)} <= answered


def test_after_shutdown_nothing_is_served_and_exit_ends_it(client: WireClient) -> None:
    client.initialize()
    client.request("shutdown", None)
    assert "error" in client.ask("lido/chat/list", {})
    client.notify("exit", None)
    assert client.ends() == 0
