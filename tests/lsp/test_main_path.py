"""The main job, end to end: the real server over stdio, a real LSP client, the real embedded model.

Asserts on behaviour, not on a model's words.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

import lido

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine"), pytest.mark.timeout(600)]


REMOVE = "\n    def remove(self, name: str) -> None:\n        self.items = [item for item in "


class Editor:
    """What an editor adds to the client: documents and the edits it is asked to make."""

    def __init__(self, client: LanguageClient, root: Path) -> None:
        self.client = client
        self.root = root
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.edits: list[lsp.WorkspaceEdit] = []
        self.updates: asyncio.Queue[Any] = asyncio.Queue()
        self.statuses: list[Any] = []
        client.feature(lsp.WORKSPACE_APPLY_EDIT)(lambda params: self.apply(params))
        client.feature("lido/plan/update")(lambda update: self.updates.put_nowait(update))
        client.feature("lido/status")(lambda status: self.statuses.append(status))
        self.deltas: list[str] = []
        # pytest-lsp's own handler knows work-done progress alone, not partial results.
        del client.protocol.fm.features[lsp.PROGRESS]
        client.feature(lsp.PROGRESS)(self.progressed())

    def progressed(self) -> Any:
        def progress(params: lsp.ProgressParams) -> None:
            if params.token == "answer":
                self.deltas.append(params.value["delta"])

        return progress

    def open(self, name: str) -> str:
        path = self.root / name
        uri = path.as_uri()
        self.texts[uri], self.versions[uri] = path.read_text(), 1
        item = lsp.TextDocumentItem(uri, "python", 1, self.texts[uri])
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        return uri

    def type(self, uri: str, offset: int, text: str) -> None:
        at = self.position(uri, offset)
        self.texts[uri] = self.texts[uri][:offset] + text + self.texts[uri][offset:]
        self.versions[uri] += 1
        change = lsp.TextDocumentContentChangePartial(lsp.Range(at, at), text)
        self.client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(self.versions[uri], uri), [change]
            )
        )

    def position(self, uri: str, offset: int) -> lsp.Position:
        before = self.texts[uri][:offset]
        return lsp.Position(before.count("\n"), offset - (before.rfind("\n") + 1))

    def offset(self, uri: str, position: lsp.Position) -> int:
        lines = self.texts[uri].splitlines(keepends=True)
        return sum(map(len, lines[: position.line])) + position.character

    async def inline(self, uri: str, offset: int) -> lsp.InlineCompletionItem:
        answer = await self.client.text_document_inline_completion_async(
            lsp.InlineCompletionParams(
                lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Invoked),
                lsp.TextDocumentIdentifier(uri),
                self.position(uri, offset),
            )
        )
        items = answer.items if isinstance(answer, lsp.InlineCompletionList) else answer or []
        assert len(items) == 1
        return items[0]

    def apply(self, params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
        self.edits.append(params.edit)
        for change in params.edit.document_changes or []:
            assert isinstance(change, lsp.TextDocumentEdit)
            uri = change.text_document.uri
            assert change.text_document.version == self.versions[uri]
            for edit in sorted(change.edits, key=lambda e: self.offset(uri, e.range.start), reverse=True):
                start, end = self.offset(uri, edit.range.start), self.offset(uri, edit.range.end)
                text = self.texts[uri]
                self.texts[uri] = text[:start] + edit.new_text + text[end:]
        return lsp.ApplyWorkspaceEditResult(applied=True)


@pytest.fixture
async def editor(engine_home: Path, tmp_path: Path) -> AsyncIterator[Editor]:
    root = tmp_path / "sample"
    shutil.copytree(Path(lido.__file__).with_name("sample"), root)
    config = ClientServerConfig(
        server_command=[sys.executable, "-m", "lido", "serve"],
        server_env={**os.environ, "LIDO_HOME": str(engine_home)},
    )
    client = await config.start()
    made = Editor(client, root)  # type: ignore[arg-type]
    await client.initialize_session(
        lsp.InitializeParams(
            capabilities=client_capabilities("visual_studio_code"),
            client_info=lsp.ClientInfo("test editor", "1"),
            workspace_folders=[lsp.WorkspaceFolder(root.as_uri(), "sample")],
        )
    )
    yield made
    if not client.stopped:
        await client.shutdown_session()
        await client.stop()


def log(home: Path) -> Counter[tuple[str, str]]:
    with sqlite3.connect(home / "events.sqlite3") as database:
        return Counter(database.execute("SELECT feature, kind FROM events"))


async def test_complete_chat_plan_review_and_the_log_says_exactly_that(
    editor: Editor, engine_home: Path
) -> None:
    client = editor.client

    # A completion, accepted.
    uri = editor.open("basket.py")
    end = len(editor.texts[uri])
    editor.type(
        uri, end, "\n    def remove(self, name: str) -> None:\n        self.items = [item for item in "
    )
    cursor = len(editor.texts[uri])
    item = await editor.inline(uri, cursor)
    assert isinstance(item.insert_text, str)
    assert item.insert_text.strip()
    assert item.range == lsp.Range(editor.position(uri, cursor), editor.position(uri, cursor))
    assert item.command
    client.protocol.notify("lido/completion/shown", {"id": item.command.arguments[0]})
    editor.type(uri, cursor, item.insert_text)
    await client.workspace_execute_command_async(
        lsp.ExecuteCommandParams(item.command.command, item.command.arguments)
    )
    seen = log(engine_home)
    assert (seen["completion", "shown"], seen["completion", "accepted"]) == (1, 1)

    # Another, rejected.
    second = editor.open("receipt.py")
    start = editor.texts[second].index('lines.append(f"Total')
    editor.type(second, start, "lines.append(")
    item = await editor.inline(second, start + len("lines.append("))
    assert item.command
    identifier = item.command.arguments[0]
    client.protocol.notify("lido/completion/shown", {"id": identifier})
    client.protocol.notify("lido/completion/dismissed", {"id": identifier, "reason": "escape"})

    # A chat turn that streams.
    answer = await client.protocol.send_request_async(
        "lido/chat/send",
        {
            "text": "What does total() return? One sentence.",
            "attachments": [{"kind": "file", "uri": uri}],
            "partialResultToken": "answer",
        },
    )
    assert answer.text.strip()
    assert len(editor.deltas) > 1
    assert "".join(editor.deltas) == answer.text

    # A plan with two hunks: one accepted, one rejected. It starts from the files as they were.
    third = editor.open("test_basket.py")
    assert third
    started = await client.protocol.send_request_async(
        "lido/plan/start",
        {
            "instruction": "Make the failing tests pass: total() must multiply each price by its quantity, "
            "and count() must add up the quantities.",
            "mode": "plan",
            "attachments": [{"kind": "file", "uri": uri}],
        },
    )
    while True:
        update = await asyncio.wait_for(editor.updates.get(), 240)
        assert update.planId == started.planId
        if update.state in ("review", "done", "gaveUp", "failed", "cancelled"):
            break
    assert update.state == "review", getattr(update, "message", "")
    review = await client.protocol.send_request_async("lido/review/get", {"reviewId": update.reviewId})
    hunks = [hunk for file in review.files for hunk in file.hunks]
    assert len(hunks) >= 2
    untouched = dict(editor.texts)
    for number, hunk in enumerate(hunks):
        decided = await client.protocol.send_request_async(
            "lido/review/decide",
            {
                "reviewId": update.reviewId,
                "hunkIds": [hunk.hunkId],
                "decision": "reject" if number else "accept",
            },
        )
        assert decided.hunks[0].state == ("rejected" if number else "accepted")
    assert len(editor.edits) == 1
    start, end = (
        editor_offset(untouched[hunks[0].uri], hunks[0].oldRange.start),
        editor_offset(untouched[hunks[0].uri], hunks[0].oldRange.end),
    )
    before = untouched[hunks[0].uri]
    assert editor.texts[hunks[0].uri] == before[:start] + hunks[0].newText + before[end:]

    metrics = await client.protocol.send_request_async("lido/metrics", {"by": ["feature"], "since": "1h"})
    rows = {row.feature: row for row in metrics.rows}
    assert (rows["completion"].shown, rows["completion"].accepted, rows["completion"].rejected) == (2, 1, 1)
    assert (rows["plan"].shown, rows["plan"].accepted) == (len(hunks), 1)
    assert rows["plan"].rejected == len(hunks) - 1
    assert rows["chat"].shown == 1


def editor_offset(text: str, position: Any) -> int:
    return sum(map(len, text.splitlines(keepends=True)[: position.line])) + position.character


async def test_the_engine_is_started_again_when_it_dies_and_dies_with_a_server_that_is_killed(
    editor: Editor,
) -> None:
    server = editor.client._server
    assert server
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    if not children.exists():
        pytest.skip("needs /proc")

    def engines() -> list[int]:
        pids = map(int, children.read_text().split())
        return [pid for pid in pids if b"engine_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    uri = editor.open("basket.py")
    editor.type(uri, len(editor.texts[uri]), REMOVE)
    await editor.inline(uri, len(editor.texts[uri]))
    (first,) = engines()
    os.kill(first, signal.SIGKILL)
    editor.type(uri, 0, "# A basket\n")
    await editor.inline(uri, len(editor.texts[uri]))
    (second,) = engines()
    assert second != first

    server.kill()
    watch = os.pidfd_open(second)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(watch, ended.set)
    await asyncio.wait_for(ended.wait(), 10)
    asyncio.get_running_loop().remove_reader(watch)
    os.close(watch)
