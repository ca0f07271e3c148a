"""From the editor to the team's numbers: `lido serve` and `lido collect`, with the collector away at first."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.model_server import ModelServer, Script
from fakes.raw_client import RawClient


async def accept(client: RawClient, uri: str) -> None:
    text = "def f(total):\n    value = "
    document = {"uri": uri, "languageId": "python", "version": 0, "text": text}
    client.notify("textDocument/didOpen", {"textDocument": document})
    asked = {
        "textDocument": {"uri": uri},
        "position": {"line": 1, "character": 12},
        "context": {"triggerKind": 1},
    }
    (item,) = (await client.request("textDocument/inlineCompletion", asked))["items"]
    client.notify("lido/completion/shown", {"id": item["command"]["arguments"][0]})
    await client.request("workspace/executeCommand", item["command"])


async def test_what_one_accepted_while_the_collector_was_away_arrives(
    tmp_path: Path, collector_process: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = collector_process(f"sqlite:///{tmp_path / 'collector.sqlite3'}")
    await asyncio.to_thread(collector.lido, "token", "list")  # makes the database
    writer, reader = collector.token("w", team="core"), collector.token("r", "reader", "core")
    Path(os.environ["LIDO_CONFIG"]).write_text(
        f'[events]\ncollector_url = "{collector.url}"\ncollector_token_env = "TEAM_TOKEN"\nuser = "ann"\n'
    )
    monkeypatch.setenv("TEAM_TOKEN", writer)
    async with ModelServer(Script(["compute(total)"])) as backend:
        model = {"provider": "openai", "base_url": f"{backend.url}/v1", "model": "qwen2.5-coder-7b"}
        settings = {"models": {"m": model}, "completion": {"debounce_ms": 0}}
        async with RawClient(tmp_path, settings) as client:
            await accept(client, (tmp_path / "a.py").as_uri())
    await asyncio.to_thread(collector.start)
    try:
        headers = {"Authorization": f"Bearer {reader}"}
        async with RawClient(tmp_path, {}), httpx.AsyncClient(headers=headers) as team, asyncio.timeout(30):
            rows: list[dict[str, Any]] = []
            while not rows:
                await asyncio.sleep(0.1)
                answer = await team.get(f"{collector.url}/v1/metrics?by=team,user,language&since=1d")
                rows = answer.json()["rows"]
    finally:
        await asyncio.to_thread(collector.stop)
    (row,) = rows
    assert (row["team"], row["user"], row["language"]) == ("core", "ann", "python")
    assert (row["shown"], row["accepted"], row["accepted_characters"]) == (1, 1, len("compute(total)"))
