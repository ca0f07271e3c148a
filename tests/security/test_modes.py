"""What Lido writes for itself can be read by its person alone, whatever the umask."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from fakes.model_server import ModelServer, Script
from lido import settings as configuration
from lido.edits import journal
from lido.lsp.client import Client
from lido.workspace import private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX modes")

BEFORE = "def double(x):\n    return x + 1\n\n\ny = "
STEPS = json.dumps({"steps": [{"file": "a.py", "change": "multiply"}]})
BLOCK = "a.py\n<<<<<<< SEARCH\n    return x + 1\n=======\n    return x * 2\n>>>>>>> REPLACE\n"


async def work(root: Path) -> None:
    """A completion, a chat, and a plan that is accepted and undone."""
    scripts = (
        Script(["double(1)"], match="fim_suffix"),
        Script([BLOCK], match="Now make these changes"),
        Script([STEPS], match="Plan the work"),
        Script(["It ", "doubles."]),
    )
    async with ModelServer(*scripts) as backend:
        table = {"provider": "openai", "base_url": f"{backend.url}/v1", "model": "qwen2.5-coder-7b"}
        settings = {"models": {"m": table | {"context_window": 16384}}, "completion": {"debounce_ms": 0}}
        async with Client(root, settings) as client:
            uri = client.open(root / "a.py", "python").uri
            assert await client.complete_inline(uri, len(BEFORE))
            await client.ask("lido/chat/send", {"text": "What does it do?"})
            updates: asyncio.Queue[Any] = asyncio.Queue()
            client.on_notification["lido/plan/update"] = updates.put_nowait
            attached = [{"kind": "file", "uri": uri}]
            await client.ask("lido/plan/start", {"instruction": "Make it double", "attachments": attached})
            while (update := await asyncio.wait_for(updates.get(), 30))["state"] != "review":
                assert update["state"] not in ("failed", "gaveUp"), update
            review = update["reviewId"]
            found = await client.ask("lido/review/get", {"reviewId": review})
            hunks = [hunk["hunkId"] for file in found["files"] for hunk in file["hunks"]]
            await client.ask(
                "lido/review/decide", {"reviewId": review, "hunkIds": hunks, "decision": "accept"}
            )
            await client.ask("lido/review/undo", {"reviewId": review})


@pytest.mark.parametrize("umask", [0o022, 0o000])
async def test_nothing_below_lidos_home_is_open_to_others(tmp_path: Path, umask: int):
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text(BEFORE)
    before = os.umask(umask)
    try:
        await work(root)
    finally:
        os.umask(before)
    home = configuration.Home().root
    written = [path for path in home.rglob("*") if not path.is_symlink()]
    assert {"events.sqlite3", "conversations.sqlite3", "journal", "plans", "cache", "logs"} <= {
        path.relative_to(home).parts[0] for path in written
    }
    wrong = [
        f"{oct(path.stat().st_mode)} {path.relative_to(home)}"
        for path in written
        if path.stat().st_mode & 0o077
    ]
    assert wrong == []
    assert (root / "a.py").stat().st_mode & 0o777 == 0o644, "the person's own files keep their mode"


def test_what_is_new_in_the_persons_folders_is_as_their_umask_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(private, "_persons", 0o022)
    before = os.umask(0o077)
    try:
        journal._put(tmp_path / "new" / "deep" / "b.py", b"x", None, "an-id")
        journal._put(tmp_path / "run.sh", b"x", 0o755, "an-id")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"new": 0o755, "deep": 0o755, "b.py": 0o644, "run.sh": 0o755}
