"""`lido acp` as a real process, driven by the protocol's own client."""

from __future__ import annotations

import asyncio
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


class Terminals(Editor):
    """An editor with terminals: it runs what it is told to."""

    def __init__(self, *choices: str) -> None:
        super().__init__(*choices)
        self.made: list[Any] = []
        self.output: dict[str, str] = {}
        self.calls: list[Any] = []

    async def session_update(self, session_id: str, update: Any, **more: Any) -> None:
        await super().session_update(session_id, update, **more)
        if update.session_update in ("tool_call", "tool_call_update"):
            self.calls.append(update)

    async def create_terminal(
        self, session_id: str, command: str, args: Any = None, cwd: Any = None, **more: Any
    ) -> Any:
        process = await asyncio.create_subprocess_exec(
            command, *args, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        self.made.append((process, [command, *args], cwd))
        return acp.CreateTerminalResponse(terminal_id=str(len(self.made) - 1))

    async def wait_for_terminal_exit(self, session_id: str, terminal_id: str, **_: Any) -> Any:
        process = self.made[int(terminal_id)][0]
        out, _ = await process.communicate()
        self.output[terminal_id] = out.decode()
        return acp.WaitForTerminalExitResponse(exit_code=process.returncode)

    async def terminal_output(self, session_id: str, terminal_id: str, **_: Any) -> Any:
        from acp.schema import TerminalExitStatus

        status = TerminalExitStatus(exit_code=self.made[int(terminal_id)][0].returncode)
        return acp.TerminalOutputResponse(
            output=self.output[terminal_id], truncated=False, exit_status=status
        )

    async def release_terminal(self, session_id: str, terminal_id: str, **_: Any) -> Any:
        return acp.ReleaseTerminalResponse()


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

        async def run(editor: Editor, text: str, mode: str, **capabilities: Any) -> str:
            async with acp.spawn_agent_process(
                editor, sys.executable, "-m", "lido", "acp", env=dict(os.environ)
            ) as (conn, _):
                await conn.initialize(protocol_version=acp.PROTOCOL_VERSION, **capabilities)
                session = await conn.new_session(cwd=str(root), mcp_servers=[])
                await conn.set_session_mode(session_id=session.session_id, mode_id=mode)
                link = acp.resource_link_block("a.py", (root / "a.py").as_uri())
                answer = await conn.prompt(session_id=session.session_id, prompt=[acp.text_block(text), link])
                return str(answer.stop_reason)

        run.root = root  # type: ignore[attr-defined]
        run.model = model  # type: ignore[attr-defined]
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


@pytest.mark.skipif(os.name != "posix", reason="only env(1) clears a terminal's environment")
@pytest.mark.parametrize("has_terminals", [True, False])
async def test_commands_run_where_the_person_sees_them_and_as_confined_as_ever(
    start: Any, has_terminals: bool, monkeypatch: pytest.MonkeyPatch
):
    from acp.schema import ClientCapabilities

    monkeypatch.setenv("SOME_TOKEN", "not-for-commands")
    run = [{"id": "1", "name": "run", "arguments": json.dumps({"command": "env"})}]
    finish = [{"id": "2", "name": "finish", "arguments": json.dumps({"summary": "Seen."})}]
    start.model.scripts[:0] = [
        Script([], match="TERM=dumb", tool_calls=finish),
        Script([], match="Look around", tool_calls=run),
    ]
    editor = Terminals("yes")
    capabilities = {"client_capabilities": ClientCapabilities(terminal=has_terminals)}
    assert await start(editor, "Look around", "agent", **capabilities) == "end_turn"
    assert "Seen." in editor.said
    assert len(editor.made) == has_terminals
    assert [(call.title, call.status) for call in editor.calls] == [
        ("env", "in_progress"),
        (None, "completed"),
    ]
    assert any("TERM=dumb" in request.prompt for request in start.model.seen)
    assert not any("not-for-commands" in request.prompt for request in start.model.seen)
    if has_terminals:
        assert "not-for-commands" not in editor.output["0"]
        assert editor.made[0][2] != str(start.root)
        assert editor.calls[0].content[0].terminal_id == "0"
    else:
        assert "TERM=dumb" in editor.calls[1].content[0].content.text
