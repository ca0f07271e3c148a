"""The Markdown chat through the real server: an editor without a plugin, a person who keeps typing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from fakes.model_server import ModelServer, Script
from lido.lsp.client import Client

COMMAND = "lido.chat.document"


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with ModelServer(
        Script(["word "] * 400, match="FOREVER", delay=0.05),
        Script([f"w{i} " for i in range(30)], match="SLOWLY", delay=0.02),
        Script(["An ", "answer."]),
    ) as server:
        yield server


@pytest.fixture
async def client(tmp_path: Path, model: ModelServer) -> AsyncIterator[Client]:
    settings = {
        "models": {"scripted": {"provider": "openai", "base_url": f"{model.url}/v1", "model": "m"}},
        "roles": {"chat": "scripted", "plan": "scripted", "completion": "scripted"},
    }
    (tmp_path / "a.py").write_text("x = 1\n")
    async with Client(tmp_path, settings) as client:
        yield client


async def begin(client: Client, root: Path, text: str) -> str:
    path = root / "talk.lido.md"
    path.write_text(text)
    uri = client.open(path, "markdown").uri
    await client.workspace_execute_command_async(lsp.ExecuteCommandParams(COMMAND, [uri]))
    return uri


def text_of(client: Client, uri: str) -> str:
    document = client.documents.get(uri)
    assert document
    return document.text


async def until(client: Client, uri: str, wanted: str) -> None:
    changed = asyncio.Event()
    client.documents.listen(lambda *_: changed.set())
    async with asyncio.timeout(30):
        while wanted not in text_of(client, uri):
            await changed.wait()
            changed.clear()


async def test_the_answer_streams_in_and_leaves_room_for_the_next_question(
    client: Client, tmp_path: Path, model: ModelServer
):
    uri = await begin(client, tmp_path, "Why [a](a.py)?\n")
    await until(client, uri, "## You\n\n")
    assert text_of(client, uri) == "Why [a](a.py)?\n\n## Lido\n\nAn answer.\n\n## You\n\n\n"
    assert "x = 1" in model.seen[-1].prompt


async def test_typing_above_and_at_the_place_does_not_tear_the_answer(client: Client, tmp_path: Path):
    uri = await begin(client, tmp_path, "SLOWLY\n")
    await until(client, uri, "w3 ")
    client.replace(uri, 0, 0, "Typed above. ")
    await until(client, uri, "w8 ")
    end = text_of(client, uri).rindex("w") + 20
    end = min(end, len(text_of(client, uri)))
    client.replace(uri, end, end, "typed below")
    await until(client, uri, "## You\n\n")
    text = text_of(client, uri)
    assert text.startswith("Typed above. SLOWLY")
    assert "".join(f"w{i} " for i in range(30)) in text
    assert text.count("typed below") == 1


async def test_the_same_command_stops_it(client: Client, tmp_path: Path, model: ModelServer):
    uri = await begin(client, tmp_path, "FOREVER\n")
    await until(client, uri, "word word")
    await client.workspace_execute_command_async(lsp.ExecuteCommandParams(COMMAND, [uri]))
    await until(client, uri, "> Stopped.")
    await asyncio.wait_for(model.seen[-1].closed_early.wait(), 10)


async def test_asking_is_offered_in_such_documents_alone(client: Client, tmp_path: Path):
    zero = lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
    for name, titles in (("talk.lido.md", ["Ask Lido"]), ("a.py", [])):
        path = tmp_path / name
        path.touch()
        uri = client.open(path, "x").uri
        found = await client.text_document_code_action_async(
            lsp.CodeActionParams(lsp.TextDocumentIdentifier(uri), zero, lsp.CodeActionContext([]))
        )
        assert [a.title for a in found or [] if "Lido: " not in a.title] == titles


async def test_a_link_to_what_lies_outside_is_refused_and_nothing_is_asked(
    client: Client, tmp_path: Path, model: ModelServer
):
    with pytest.raises(JsonRpcException, match="link only what is in it"):
        await begin(client, tmp_path, "Read [this](../note.txt).\n")
    assert not model.seen
