"""Code actions through the real server over stdio, as any LSP client uses them; the model is scripted."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from fakes.model_server import ModelServer, Script
from lido.lsp.client import Client

CODE = "# TODO: multiply instead\ndef double(x):\n    return x + 1\n"
STEPS = json.dumps({"steps": [{"file": "a.py", "change": "multiply"}]})
BLOCK = "a.py\n<<<<<<< SEARCH\n    return x + 1\n=======\n    return x * 2\n>>>>>>> REPLACE\n"


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with ModelServer(
        Script([BLOCK], match="Now make these changes"),
        Script([STEPS], match="Plan the work"),
        Script(["It adds ", "one."]),
    ) as server:
        yield server


@pytest.fixture
async def client(tmp_path: Path, model: ModelServer) -> AsyncIterator[Client]:
    root = tmp_path / "project ä"
    root.mkdir()
    (root / "a.py").write_text(CODE)
    table = {"provider": "openai", "base_url": f"{model.url}/v1", "model": "m", "context_window": 16384}
    async with Client(root, {"models": {"scripted": table}}) as client:
        yield client


async def actions(
    client: Client,
    uri: str,
    line: int,
    diagnostics: list[lsp.Diagnostic] | None = None,
    only: list[str] | None = None,
) -> dict[str, lsp.CodeAction]:
    span = lsp.Range(lsp.Position(line, 0), lsp.Position(line, 3))
    answer = await client.text_document_code_action_async(
        lsp.CodeActionParams(
            lsp.TextDocumentIdentifier(uri),
            span,
            lsp.CodeActionContext(diagnostics or [], only=only),  # type: ignore[arg-type]
        )
    )
    return {action.title: action for action in answer or [] if isinstance(action, lsp.CodeAction)}


async def test_each_place_offers_what_can_be_done_there(client: Client) -> None:
    uri = client.open(client.root / "a.py", "python").uri
    assert list(await actions(client, uri, 2)) == [
        "Lido: explain this",
        "Lido: document this",
        "Lido: write tests for this",
        "Lido: say here what to do",
    ]
    assert "Lido: do “multiply instead”" in await actions(client, uri, 0)
    problem = lsp.Diagnostic(lsp.Range(lsp.Position(2, 0), lsp.Position(2, 4)), "wrong\nresult")
    fixes = await actions(client, uri, 2, [problem], only=["quickfix"])
    assert list(fixes) == ["Lido: fix “wrong result”"]
    assert list(fixes["Lido: fix “wrong result”"].diagnostics or []) == [problem]
    assert "Lido: document this" in await actions(client, uri, 2, only=["refactor"])


async def test_an_action_that_changes_code_ends_in_a_review(client: Client, model: ModelServer) -> None:
    updates: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    client.on_notification["lido/plan/update"] = updates.put_nowait
    uri = client.open(client.root / "a.py", "python").uri
    action = (await actions(client, uri, 0))["Lido: do “multiply instead”"]
    action = await client.code_action_resolve_async(action)
    assert action.command
    await client.workspace_execute_command_async(
        lsp.ExecuteCommandParams(action.command.command, action.command.arguments)
    )
    while (update := await asyncio.wait_for(updates.get(), 30))["state"] not in (
        "review",
        "failed",
        "gaveUp",
    ):
        pass
    assert update["state"] == "review"
    assert "multiply instead" in model.seen[0].prompt
    assert (client.root / "a.py").read_text() == CODE, "nothing changes before the person agrees"


async def test_an_explanation_is_written_down_and_shown(client: Client, model: ModelServer) -> None:
    uri = client.open(client.root / "a.py", "python").uri
    action = (await actions(client, uri, 2))["Lido: explain this"]
    assert action.command
    path = await client.workspace_execute_command_async(
        lsp.ExecuteCommandParams(action.command.command, action.command.arguments)
    )
    text = Path(str(path)).read_text()
    assert "/explain [a.py](/a.py#L3-L3)" in text
    assert "It adds one." in text
    assert Path(str(path)).stat().st_mode & 0o077 == 0
    assert Path(str(path)).is_relative_to(os.environ["LIDO_HOME"])
    assert "return x + 1" in model.seen[0].prompt
    assert any("It adds one." in message for message in client.messages)


async def test_a_code_block_of_chat_is_reviewed_and_logged_as_such(client: Client) -> None:
    uri = client.open(client.root / "a.py", "python").uri
    block = {"text": "def double(x):\n    return x * 2\n", "uri": uri}
    review = await client.ask("lido/review/get", await client.ask("lido/chat/apply", block))
    assert review["title"].startswith("Code from chat for ")
    assert "/" not in review["title"]
    (hunk,) = review["files"][0]["hunks"]
    await client.ask(
        "lido/review/decide",
        {"reviewId": review["reviewId"], "hunkIds": [hunk["hunkId"]], "decision": "accept"},
    )
    document = client.documents.get(uri)
    assert document
    assert document.text == CODE.replace("x + 1", "x * 2")
    rows = (await client.ask("lido/metrics", {"by": ["feature"], "since": "1h"}))["rows"]
    assert [(row["feature"], row["accepted"]) for row in rows if row["shown"]] == [("chat_apply", 1)]
    with pytest.raises(JsonRpcException, match="clear where"):
        await client.ask("lido/chat/apply", {"text": "def double(x):\n    return 1\nprint(2)\n", "uri": uri})
