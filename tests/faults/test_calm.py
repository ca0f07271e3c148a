"""A failing backend through the real server: one status, one message, and the next request is answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes.model_server import ModelServer, Script
from fakes.raw_client import RawClient

FAULTS = [
    Script(fault="reset"),
    Script(fault="hang"),
    Script(fault="html"),
    Script([], fault="invalid json"),
    Script(status=401),
    Script(status=500, body="<html>" + "x" * 100_000),
]


@pytest.mark.parametrize("script", FAULTS, ids=lambda script: script.fault or str(script.status))
async def test_an_outage_is_said_once_and_then_it_works(script: Script, tmp_path: Path) -> None:
    async with ModelServer(script) as server:
        model = {
            "provider": "openai", "base_url": f"{server.url}/v1", "model": "m", "fim": "qwen", "max_retries": 0,
            "timeouts": {"connect": 1, "first_token": 0.5, "between_tokens": 0.5, "total": 3},
        }  # fmt: skip
        client = RawClient(tmp_path, {"models": {"m": model}, "completion": {"debounce_ms": 0}})

        def told(method: str) -> list[Any]:
            return [params for name, params in client.notifications if name == method]

        async def invoke() -> list[Any]:
            where = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 7}}
            asked = {**where, "context": {"triggerKind": 1}}
            answer = await client.request("textDocument/inlineCompletion", asked, timeout=8)
            return list(answer["items"])

        async with client:
            uri = (tmp_path / "a.py").as_uri()
            item = {"uri": uri, "languageId": "python", "version": 1, "text": "x = tot"}
            client.notify("textDocument/didOpen", {"textDocument": item})
            assert await invoke() == []
            assert await invoke() == []
            (message,) = told("window/showMessage")
            assert "The model 'm'" in message["message"]
            assert [status["state"] for status in told("lido/status")].count("error") == 1
            server.scripts = [Script(["al"])]
            assert [each["insertText"] for each in await invoke()] == ["al"]
            assert told("lido/status")[-1]["state"] == "ready"


async def test_an_outage_of_many_faces_is_one_message_and_one_status(tmp_path: Path) -> None:
    faces = [*FAULTS, Script(["a"], fault="reset mid-stream"), Script(["a"], fault="stall"), *FAULTS]
    async with ModelServer() as server:
        model = {
            "provider": "openai", "base_url": f"{server.url}/v1", "model": "m", "fim": "qwen", "max_retries": 0,
            "timeouts": {"connect": 1, "first_token": 0.5, "between_tokens": 0.5, "total": 3},
        }  # fmt: skip
        client = RawClient(tmp_path, {"models": {"m": model}, "completion": {"debounce_ms": 0}})

        def told(method: str) -> list[Any]:
            return [params for name, params in client.notifications if name == method]

        async with client:
            uri = (tmp_path / "a.py").as_uri()
            item = {"uri": uri, "languageId": "python", "version": 1, "text": "x = tot"}
            client.notify("textDocument/didOpen", {"textDocument": item})
            where = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 7}}
            for face in faces:
                server.scripts = [face]
                await client.request(
                    "textDocument/inlineCompletion", {**where, "context": {"triggerKind": 1}}, timeout=8
                )
            assert len(told("window/showMessage")) == 1
            states = [status["state"] for status in told("lido/status")]
            assert "ready" not in states[states.index("error") :], "it does not flap"
