"""The real server over stdio: what an editor does that says everything, and one that says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.model_server import ModelServer, Script
from fakes.raw_client import RawClient


@pytest.mark.parametrize("explicit", [True, False])
async def test_the_servers_metrics_are_what_the_person_did(tmp_path: Path, explicit: bool) -> None:
    async with ModelServer(Script(["compute(total)"])) as backend:
        model = {"provider": "openai", "base_url": f"{backend.url}/v1", "model": "qwen2.5-coder-7b"}
        settings = {"models": {"m": model}, "completion": {"debounce_ms": 0}}
        async with RawClient(tmp_path, settings) as client:
            for number, deed in enumerate(["accept", "part", "type", "differ"]):
                uri = (tmp_path / f"a{number}.py").as_uri()
                # Texts differ, so that none is answered from what was said before.
                text = f"def f{number}(total):\n    value{number} = "
                client.notify(
                    "textDocument/didOpen",
                    {"textDocument": {"uri": uri, "languageId": "python", "version": 0, "text": text}},
                )
                at = {"line": 1, "character": len(text.split("\n")[1])}
                answer = await client.request(
                    "textDocument/inlineCompletion",
                    {"textDocument": {"uri": uri}, "position": at, "context": {"triggerKind": 1}},
                )
                (item,) = answer["items"]
                said = item["insertText"]
                identifier = item["command"]["arguments"][0]
                if explicit:
                    client.notify("lido/completion/shown", {"id": identifier})
                else:
                    while (await client.request("lido/metrics", {"by": [], "since": "1d"}))["rows"][0][
                        "shown"
                    ] <= number:
                        pass  # it counts as shown after a while without a change
                pieces = {"accept": [said], "part": [said[:8], "z"], "type": list(said), "differ": ["zz"]}[
                    deed
                ]
                for version, piece in enumerate(pieces, 1):
                    here = {"start": dict(at), "end": dict(at)}
                    change = {"range": here, "text": piece}
                    client.notify(
                        "textDocument/didChange",
                        {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]},
                    )
                    at["character"] += len(piece)
                    if explicit and deed == "part" and version == 1:
                        client.notify(
                            "lido/completion/partiallyAccepted", {"id": identifier, "acceptedLength": 8}
                        )
                if explicit and deed == "accept":
                    await client.request("workspace/executeCommand", item["command"])
                client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            row = {"open": 1}
            while row["open"]:  # the last outcome waits a second for what the editor may say
                (row,) = (await client.request("lido/metrics", {"by": [], "since": "1d"}))["rows"]
    names = ("shown", "accepted", "partially_accepted", "ignored", "rejected", "open")
    assert {name: row[name] for name in names} == {
        "shown": 4,
        "accepted": 1,
        "partially_accepted": 1,
        "ignored": 1,
        "rejected": 1,
        "open": 0,
    }
    assert row["accepted_characters"] == len("compute(total)") + 8
