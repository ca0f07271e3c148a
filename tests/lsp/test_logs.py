"""The server's log: what can be found in it, what cannot, and what becomes of it where the disk refuses."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp

from fakes.model_server import ModelServer, Script
from lido import settings as configuration
from lido.lsp import logs
from lido.lsp.client import Client

KEY = "sk-canary-0123456789abcdefghijklmnop"
TEXT = "canary_in_a_document"


def lines(home: Path) -> list[dict[str, Any]]:
    texts = [path.read_text() for path in sorted((home / "logs").glob("serve-*.jsonl"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def told(client: Client) -> list[str]:
    """The server's standard error, without what the client itself reports."""
    return [line for line in client.errors if not line.startswith("<class")]


@pytest.fixture
def home(tmp_path: Path) -> configuration.Home:
    return configuration.Home(tmp_path / "home")


async def test_the_lines_of_a_request_have_its_id_and_none_has_a_key_or_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CANARY_KEY", KEY)
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text(f"{TEXT} = 1\nx = ")
    echo = f'{{"error": {{"message": "bad key {KEY} for prompt {TEXT}"}}}}'
    scripts = (
        Script(status=500, body=echo, match="FAIL"),
        Script([f"{TEXT}_answer"], match="fim_suffix"),
        Script([TEXT, " it is"]),
    )
    async with ModelServer(*scripts) as backend:
        settings = {
            "models": {
                "m": {
                    "provider": "openai",
                    "base_url": f"{backend.url}/v1",
                    "model": "qwen2.5-coder-7b",
                    "api_key_env": "CANARY_KEY",
                }
            },
            "completion": {"debounce_ms": 0},
        }
        async with Client(root, settings) as client:
            uri = client.open(root / "a.py", "python").uri
            assert await client.complete_inline(uri, len(f"{TEXT} = 1\nx = "))
            await client.ask("lido/chat/send", {"text": TEXT})
            for bad in (
                {"text": f"FAIL {TEXT}"},
                {"text": {"no": TEXT}},
            ):
                with pytest.raises(Exception, match=r"."):
                    await client.ask("lido/chat/send", bad)
            with pytest.raises(Exception, match=r"."):
                await client.ask("lido/chat/apply", {"text": TEXT, "uri": f"file:///{TEXT}"})
            for method, params in (
                ("textDocument/didChange", {"textDocument": TEXT, "contentChanges": TEXT}),
                ("lido/completion/shown", {"id": [TEXT]}),
                (TEXT, {}),
            ):
                body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()
                client.protocol.writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            await client.ask("lido/models", {})
        assert any(KEY in str(request.headers) for request in backend.seen)
        stderr = "\n".join(told(client))
    found = lines(configuration.Home().root)
    said = json.dumps(found) + stderr
    assert KEY not in said
    assert TEXT not in said
    (asked,) = [line for line in found if line.get("method") == "textDocument/inlineCompletion"][-1:]
    mine = [line for line in found if line.get("request") == asked["request"]]
    assert [line["message"] for line in mine] == ["model answered", "answered"]
    assert mine[0]["model"] == "m"
    assert mine[0]["outcome"] in ("ok", "stopped")
    assert mine[1]["outcome"] == "ok"
    assert mine[1]["milliseconds"] >= mine[0]["milliseconds"] > 0
    failed = [
        line for line in found if line.get("method") == "lido/chat/send" and "RequestFailed" in str(line)
    ]
    assert failed, "why a request failed is in the log"


async def test_what_is_refused_or_cancelled_late_says_nothing_on_standard_error(tmp_path: Path):
    async with Client(tmp_path, {}) as client:
        client.protocol.notify("$/cancelRequest", lsp.CancelParams("long-gone"))
        with pytest.raises(Exception, match=r"."):
            await client.ask("lido/review/get", {"reviewId": "none"})
        with pytest.raises(Exception, match=r"."):
            await client.ask("lido/no/such/method", {})
    assert told(client) == []


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_only_the_person_can_read_it(home: configuration.Home):
    old = os.umask(0)
    try:
        with logs.written(home, io.StringIO()) as path:
            assert path
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert home.logs.stat().st_mode & 0o777 == 0o700


def test_files_are_put_aside_in_time_and_old_ones_removed(
    home: configuration.Home, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(logs, "SIZE", 2000)
    monkeypatch.setattr(logs, "FILES", 3)
    home.logs.mkdir(parents=True)
    for number in range(5):
        old = home.logs / f"serve-2020010{number}-000000-1.jsonl"
        old.write_text("{}\n")
        os.utime(old, (number, number))
    (home.logs / "engine.log").write_text("another's")
    with logs.written(home, io.StringIO()) as path:
        assert path
        for number in range(100):
            logging.getLogger("lido.test").info("line %d", number)
    left = sorted(each.name for each in home.logs.iterdir())
    assert left == ["engine.log", "serve-20200103-000000-1.jsonl", "serve-20200104-000000-1.jsonl",
                    path.name, f"{path.name}.1"]  # fmt: skip
    assert all(each.stat().st_size <= 2000 for each in home.logs.iterdir())
    last = json.loads(path.read_text().splitlines()[-1])
    assert last["message"] == "line 99"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_loses_lines_and_nothing_else(home: configuration.Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logs, "_place", lambda _: Path("/dev/full"))
    shown = io.StringIO()
    with logs.written(home, shown):
        logging.getLogger("lido.test").warning("seen all the same")
    assert shown.getvalue() == "warning: seen all the same\n"


async def test_where_no_log_can_be_kept_the_server_says_so_and_works(tmp_path: Path):
    configuration.Home().root.mkdir(exist_ok=True)
    configuration.Home().logs.write_text("in the way")
    async with Client(tmp_path, {}) as client:
        await client.ask("lido/models", {})
    (said,) = told(client)
    assert "no log can be kept" in said


def test_a_slow_disk_holds_nobody_up_and_what_was_dropped_is_counted(
    home: configuration.Home, monkeypatch: pytest.MonkeyPatch
):
    import threading

    monkeypatch.setattr(logs, "BACKLOG", 10)
    gate = threading.Event()
    emit = logs._File.emit
    monkeypatch.setattr(logs._File, "emit", lambda self, record: (gate.wait(30), emit(self, record)))
    logger = logging.getLogger("lido.test")
    with logs.written(home, io.StringIO()) as path:
        assert path
        for number in range(50):
            logger.info("line %d", number)
        gate.set()
        while "dropped" not in path.read_text():
            logger.info("and on")
    found = [json.loads(line) for line in path.read_text().splitlines()]
    counted = sum(line.get("dropped", 0) for line in found)
    assert counted >= 50 - 10 - 1
    assert found[0]["message"] == "line 0"


def test_importing_it_costs_no_start():
    code = "import lido.lsp.logs, sys; print('structlog' in sys.modules, 'lido.workspace.privacy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
