"""`lido acp` as a real process, driven by the protocol's own client."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fakes.model_server import ModelServer, Script

acp = pytest.importorskip("acp")

BEFORE = "def double(x):\n    return x + 1\n"
STEPS = json.dumps({"steps": [{"file": "a.py", "change": "multiply"}]})
BLOCK = "a.py\n<<<<<<< SEARCH\n    return x + 1\n=======\n    return x * 2\n>>>>>>> REPLACE\n"


class Editor:
    """What an ACP client shows and answers."""

    def __init__(self, *choices: str) -> None:
        self.choices = list(choices)
        self.said = ""
        self.plans: list[list[tuple[str, str]]] = []
        self.asked: list[Any] = []

    def on_connect(self, conn: Any) -> None: ...

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        if update.session_update == "agent_message_chunk":
            self.said += update.content.text
        elif update.session_update == "plan":
            self.plans.append([(e.content, e.status) for e in update.entries])

    async def request_permission(self, session_id: str, tool_call: Any, options: Any, **_: Any) -> Any:
        from acp.schema import AllowedOutcome, RequestPermissionResponse

        self.asked.append(tool_call)
        return RequestPermissionResponse(
            outcome=AllowedOutcome(outcome="selected", option_id=self.choices.pop(0))
        )


@pytest.fixture
async def start(tmp_path: Path, _own_home: Path) -> AsyncIterator[Any]:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text(BEFORE)
    async with ModelServer(
        Script([BLOCK], match="Now make these changes"),
        Script([STEPS], match="Plan the work"),
        Script(["An ", "answer."]),
    ) as model:
        (_own_home / "config.toml").write_text(
            f'[models.m]\nprovider = "openai"\nbase_url = "{model.url}/v1"\nmodel = "m"\ncontext_window = 16384\n'
        )

        async def run(editor: Editor, text: str, mode: str) -> str:
            async with acp.spawn_agent_process(
                editor, sys.executable, "-m", "lido", "acp", env=dict(os.environ)
            ) as (conn, _):
                await conn.initialize(protocol_version=acp.PROTOCOL_VERSION)
                session = await conn.new_session(cwd=str(root), mcp_servers=[])
                await conn.set_session_mode(session_id=session.session_id, mode_id=mode)
                link = acp.resource_link_block("a.py", (root / "a.py").as_uri())
                answer = await conn.prompt(session_id=session.session_id, prompt=[acp.text_block(text), link])
                return str(answer.stop_reason)

        run.root = root  # type: ignore[attr-defined]
        yield run


async def test_a_question_is_answered(start: Any):
    editor = Editor()
    assert await start(editor, "Why?", "ask") == "end_turn"
    assert editor.said == "An answer."


@pytest.mark.parametrize(("choice", "after"), [("accept", "x * 2"), ("reject", "x + 1")])
async def test_a_plan_is_shown_and_written_only_where_accepted(start: Any, choice: str, after: str):
    editor = Editor(choice)
    assert await start(editor, "Fix double()", "plan") == "end_turn"
    assert editor.plans[-1] == [("multiply", "completed")]
    (call,) = editor.asked
    assert call.kind == "edit"
    assert (call.content[0].old_text, "x * 2" in call.content[0].new_text) == (BEFORE, True)
    assert after in (start.root / "a.py").read_text()
