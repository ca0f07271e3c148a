"""The judge of clients: a client that keeps the protocol passes, and each breach is named."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp

from conformance import client_check
from conformance.client_check import CHECKS, Server
from conformance.protocol import Judge
from lido.lsp.client import Client

SCRIPT = Path(client_check.__file__)
URI = "file:///a.py"


def judged(*messages: dict[str, Any]) -> client_check.Report:
    """What is said of a client that sends these."""
    wire = io.BytesIO()
    for message in messages:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        wire.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    wire.seek(0)
    return Server(Judge(), wire, io.BytesIO()).run()


BEGIN = (
    {"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}},
    {"method": "initialized", "params": {}},
)
OPEN = {
    "method": "textDocument/didOpen",
    "params": {"textDocument": {"uri": URI, "languageId": "python", "version": 1, "text": "é𝄞\n"}},
}
END = ({"id": 9, "method": "shutdown"}, {"method": "exit"})


def change(version: int, line: int, character: int) -> dict[str, Any]:
    at = {"line": line, "character": character}
    return {
        "method": "textDocument/didChange",
        "params": {
            "textDocument": {"uri": URI, "version": version},
            "contentChanges": [{"range": {"start": at, "end": at}, "text": "x"}],
        },
    }


def test_nothing_is_said_of_a_client_that_keeps_the_protocol() -> None:
    report = judged(*BEGIN, OPEN, change(2, 0, 3), change(3, 1, 0), *END)
    assert report.wrong == []
    assert {"initialize", "documents", "end"} <= report.done
    assert "never asks for an inline completion" in report.text()


@pytest.mark.parametrize(
    ("messages", "named"),
    [
        ([OPEN], "didOpen before initialize"),
        ([BEGIN[0], OPEN, BEGIN[1], *END], "didOpen before initialized"),
        ([*BEGIN, OPEN, OPEN, *END], "a second time"),
        ([*BEGIN, OPEN, change(1, 0, 0), *END], "version 1 after 1"),
        ([*BEGIN, OPEN, change(2, 0, 4), *END], "is not in the document"),
        ([*BEGIN, change(2, 0, 0), *END], "which is not open"),
        ([*BEGIN, {"method": "exit"}], "exit without shutdown"),
        ([*BEGIN], "went without shutdown"),
        ([*BEGIN, END[0], OPEN, END[1]], "didOpen after shutdown"),
        ([*BEGIN, {"method": "textDocument/didOpen", "params": {"uri": URI}}, *END], "didOpen"),
        ([*BEGIN, {"method": "lido/completion/shown", "params": {}}, *END], "'id' is a required property"),
        ([*BEGIN, {"id": "check-7", "result": None}, *END], "an answer to nothing"),
    ],
)
def test_each_breach_is_named(messages: list[dict[str, Any]], named: str) -> None:
    assert named in "\n".join(judged(*messages).wrong)


async def test_our_own_client_is_seen_doing_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("x = \n")
    report = tmp_path / "report.txt"
    client = Client(tmp_path, name="checked")
    start = client.start_io

    async def instead(*_: str, **options: Any) -> None:
        await start(sys.executable, str(SCRIPT), "--report", str(report), **options)

    monkeypatch.setattr(client, "start_io", instead)
    async with client:
        document = client.open(tmp_path / "a.py", "python")
        (item,) = await client.complete_inline(document.uri, 4, invoked=True)
        await client.accept(document.uri, item)
        span = lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
        (action,) = await client.text_document_code_action_async(
            lsp.CodeActionParams(lsp.TextDocumentIdentifier(document.uri), span, lsp.CodeActionContext([]))
        )
        assert isinstance(action, lsp.CodeAction)
        assert action.command
        await client.workspace_execute_command_async(
            lsp.ExecuteCommandParams(action.command.command, action.command.arguments)
        )
        client.text_document_did_close(
            lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(document.uri))
        )
    lines = report.read_text().splitlines()
    assert lines[0] == "nothing wrong was seen", lines
    assert [line for line in lines if line.startswith("never")] == []
    assert len([line for line in lines if line.startswith("yes")]) == len(CHECKS)
    assert (tmp_path / "a.py").read_text() == "checked\nx = conformance\n"


def test_it_runs_by_itself_and_its_exit_says_whether_all_was_well(tmp_path: Path) -> None:
    body = json.dumps({"jsonrpc": "2.0", "method": "initialized", "params": {}}).encode()
    wire = b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    run = subprocess.run(
        [sys.executable, SCRIPT, "--report", tmp_path / "r", "--stdio"], input=wire, check=False, timeout=60
    )
    assert run.returncode == 1
    assert "initialized before initialize" in (tmp_path / "r").read_text()
