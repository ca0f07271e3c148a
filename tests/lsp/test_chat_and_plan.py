"""Chat and plans through the real server over stdio; the model is scripted, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from fakes.model_server import ModelServer, Script
from lido.lsp.client import Client, capabilities

BEFORE = "def double(x):\n    return x + 1\n"
AFTER = "def double(x):\n    return x * 2\n"
STEPS = json.dumps({"steps": [{"file": "a.py", "change": "multiply"}]})
BLOCK = "a.py\n<<<<<<< SEARCH\n    return x + 1\n=======\n    return x * 2\n>>>>>>> REPLACE\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text(BEFORE)
    return root


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with ModelServer(
        Script(["Hang", "ing "] * 500, match="SLOWLY", delay=0.05),
        Script([BLOCK], match="Now make these changes"),
        Script([STEPS], match="Plan the work"),
        Script(["Use ", "this:\n", "```python\n", "x = 2\n", "```\n"]),
    ) as server:
        yield server


@pytest.fixture
async def client(root: Path, model: ModelServer) -> AsyncIterator[Client]:
    settings = {
        "models": {
            "scripted": {
                "provider": "openai",
                "base_url": f"{model.url}/v1",
                "model": "m",
                "context_window": 16384,
            }
        },
        "roles": {"chat": "scripted", "plan": "scripted", "completion": "scripted"},
    }
    async with Client(root, settings) as client:
        yield client


def attach(root: Path) -> list[dict[str, Any]]:
    return [{"kind": "file", "uri": (root / "a.py").as_uri()}]


async def test_a_chat_streams_is_listed_rated_and_deleted(client: Client, root: Path):
    parts: list[str] = []
    answer = await client.ask(
        "lido/chat/send", {"text": "How?", "attachments": attach(root)}, lambda v: parts.append(v["delta"])
    )
    assert len(parts) > 1
    assert "".join(parts) == answer["text"] == "Use this:\n```python\nx = 2\n```\n"
    (block,) = answer["codeBlocks"]
    assert (block["text"], block["uri"]) == ("x = 2\n", (root / "a.py").as_uri())
    conversation = {"conversationId": answer["conversationId"]}
    client.protocol.notify("lido/chat/feedback", {"messageId": answer["messageId"], "rating": "up"})
    found = await client.ask("lido/chat/get", conversation)
    assert [(m["role"], m.get("rating")) for m in found["messages"]] == [("user", None), ("assistant", "up")]
    again = await client.ask("lido/chat/retry", conversation)
    assert again["conversationId"] == answer["conversationId"]
    assert [c["messages"] for c in await client.ask("lido/chat/list", {})] == [2]
    await client.ask("lido/chat/delete", conversation)
    assert await client.ask("lido/chat/list", {}) == []


async def test_a_client_can_show_keep_and_repeat_a_conversation(client: Client, root: Path):
    parts: list[dict[str, Any]] = []
    span = {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 0}}
    part = {"kind": "selection", "uri": (root / "a.py").as_uri(), "range": span}
    answer = await client.ask(
        "lido/chat/send", {"text": "/explain", "attachments": [*attach(root), part]}, parts.append
    )
    conversation = {"conversationId": answer["conversationId"]}
    assert [p.get("conversationId") for p in parts[:2]] == [answer["conversationId"], None]
    await client.ask("lido/chat/rename", {**conversation, "title": "Doubling"})
    found = await client.ask("lido/chat/get", conversation)
    assert (found["title"], found["messages"][0]["text"]) == ("Doubling", "/explain")
    assert found["messages"][0]["attachments"] == [
        {"kind": "file", "name": "a.py", "uri": (root / "a.py").as_uri()},
        {"kind": "selection", "name": "a.py lines 2-2", "uri": (root / "a.py").as_uri(), "range": span},
    ]
    exported = await client.ask("lido/chat/export", conversation)
    assert exported["text"].startswith("# Doubling\n\n## You")
    models = await client.ask("lido/models", {})
    (told,) = models["models"]
    assert (told["name"], told["tools"], told["contextWindow"]) == ("scripted", True, 16384)
    assert models["roles"]["chat"] == ["scripted"]
    with pytest.raises(JsonRpcException, match="nobody") as failed:
        await client.ask("lido/chat/retry", {**conversation, "model": "nobody"})
    assert failed.value.data == conversation
    for method in ("rename", "export"):
        with pytest.raises(JsonRpcException, match="no such conversation"):
            await client.ask(f"lido/chat/{method}", {"conversationId": "x", "title": "y"})


async def test_a_model_answers_a_conversation_that_the_client_keeps(client: Client, model: ModelServer):
    parts: list[dict[str, Any]] = []
    turns = [
        {"role": "system", "text": "Be brief."},
        {"role": "user", "text": "What is in a.py?"},
        {"role": "assistant", "toolCalls": [{"id": "1", "name": "read", "arguments": '{"path": "a.py"}'}]},
        {"role": "tool", "text": "x = 1", "toolCallId": "1"},
    ]
    tool = {"name": "read", "description": "Reads", "parameters": {"type": "object", "properties": {}}}
    answer = await client.ask("lido/models/ask", {"turns": turns, "tools": [tool]}, parts.append)
    assert "".join(part["delta"] for part in parts) == answer["text"] != ""
    body = model.seen[-1].body
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool"]
    assert body["messages"][0]["content"] == "Be brief."
    assert body["messages"][2]["tool_calls"][0]["function"]["name"] == "read"
    assert body["messages"][3]["tool_call_id"] == "1"
    assert body["tools"][0]["function"]["name"] == "read"
    assert await client.ask("lido/chat/list", {}) == []
    with pytest.raises(JsonRpcException, match="nobody"):
        await client.ask("lido/models/ask", {"turns": turns, "model": "nobody"})


async def test_a_models_tool_calls_reach_the_client(client: Client, model: ModelServer):
    call = {"id": "7", "name": "read", "arguments": '{"path": "a.py"}'}
    model.scripts.insert(0, Script([], match="CALL", tool_calls=[call]))
    answer = await client.ask("lido/models/ask", {"turns": [{"role": "user", "text": "CALL"}]})
    assert answer["toolCalls"] == [call]


async def test_the_person_goes_over_the_steps_before_anything_is_edited(
    client: Client, root: Path, model: ModelServer
):
    updates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    client.on_notification["lido/plan/update"] = updates.put_nowait
    started = await client.ask(
        "lido/plan/start", {"instruction": "Fix double()", "attachments": attach(root), "confirmSteps": True}
    )
    while (update := await asyncio.wait_for(updates.get(), 30))["state"] != "waiting":
        pass
    assert (update["asks"], [s["title"] for s in update["steps"]]) == ("steps", ["multiply"])
    steps = [{"title": "multiply by two", "files": ["a.py"]}]
    await client.ask("lido/plan/answer", {**started, "text": "", "steps": steps})
    while (update := await asyncio.wait_for(updates.get(), 30))["state"] != "review":
        pass
    assert "asks" not in update
    assert [(s["title"], s["state"]) for s in update["steps"]] == [("multiply by two", "done")]
    assert "multiply by two" in model.seen[-1].prompt
    assert '"change": "multiply"' not in model.seen[-1].prompt


async def test_a_plan_of_which_no_step_is_left_gives_up(client: Client, root: Path):
    updates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    client.on_notification["lido/plan/update"] = updates.put_nowait
    started = await client.ask(
        "lido/plan/start", {"instruction": "Fix double()", "attachments": attach(root), "confirmSteps": True}
    )
    while (update := await asyncio.wait_for(updates.get(), 30))["state"] != "waiting":
        pass
    await client.ask("lido/plan/answer", {**started, "text": "", "steps": []})
    while (update := await asyncio.wait_for(updates.get(), 30))["state"] != "gaveUp":
        pass
    assert "No step was left" in update["message"]


async def test_cancelling_a_chat_reaches_the_model(client: Client, model: ModelServer):
    started = asyncio.Event()
    task = asyncio.create_task(client.ask("lido/chat/send", {"text": "SLOWLY"}, lambda _: started.set()))
    await asyncio.wait_for(started.wait(), 20)
    identifier = next(iter(client.protocol._request_futures))
    client.protocol.notify("$/cancelRequest", lsp.CancelParams(identifier))
    with pytest.raises(JsonRpcException):
        await asyncio.wait_for(task, 10)
    await asyncio.wait_for(model.seen[-1].closed_early.wait(), 10)
    (summary,) = await client.ask("lido/chat/list", {})
    messages = (await client.ask("lido/chat/get", {"conversationId": summary["conversationId"]}))["messages"]
    assert messages[-1]["complete"] is False
    assert messages[-1]["text"].startswith("Hang")


async def run_plan(client: Client, params: dict[str, Any], answer: str = "") -> list[dict[str, Any]]:
    updates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    client.on_notification["lido/plan/update"] = updates.put_nowait
    await client.ask("lido/plan/start", params)
    seen = []
    while True:
        update = await asyncio.wait_for(updates.get(), 30)
        seen.append(update)
        if update["state"] == "waiting":
            await client.ask("lido/plan/answer", {"planId": update["planId"], "text": answer})
        if update["state"] in {"review", "done", "gaveUp", "failed", "cancelled"}:
            return seen


async def test_a_plan_ends_in_a_review_that_reaches_the_file(client: Client, root: Path):
    client.open(root / "a.py", "python")
    updates = await run_plan(
        client, {"instruction": "Fix double()", "mode": "plan", "attachments": attach(root)}
    )
    states = list(dict.fromkeys(u["state"] for u in updates))
    assert states == ["exploring", "planning", "editing", "review"], updates[-1]
    review = await client.ask("lido/review/get", {"reviewId": updates[-1]["reviewId"]})
    ids = [h["hunkId"] for f in review["files"] for h in f["hunks"]]
    assert (root / "a.py").read_text() == BEFORE
    await client.ask(
        "lido/review/decide", {"reviewId": review["reviewId"], "hunkIds": ids, "decision": "accept"}
    )
    assert (root / "a.py").read_text() == AFTER


async def test_a_plan_can_be_cancelled_and_what_does_not_fit_is_refused(client: Client, root: Path):
    updates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    client.on_notification["lido/plan/update"] = updates.put_nowait
    started = await client.ask(
        "lido/plan/start", {"instruction": "SLOWLY", "mode": "plan", "attachments": attach(root)}
    )
    await client.ask("lido/plan/cancel", started)
    last = [updates.get_nowait() for _ in range(updates.qsize())][-1]
    assert last["state"] == "cancelled"
    with pytest.raises(JsonRpcException, match="asks nothing"):
        await client.ask("lido/plan/answer", {**started, "text": "x"})
    with pytest.raises(JsonRpcException, match="no such plan"):
        await client.ask("lido/plan/cancel", {"planId": "x"})
    with pytest.raises(JsonRpcException, match="what is to be done"):
        await client.ask("lido/plan/start", {"instruction": "  ", "attachments": []})


async def test_a_plain_editor_starts_a_plan_by_command(client: Client, root: Path):
    updates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    client.on_notification["lido/plan/update"] = updates.put_nowait
    plan = await client.workspace_execute_command_async(
        lsp.ExecuteCommandParams("lido.plan", ["Fix double()", (root / "a.py").as_uri()])
    )
    while (update := await asyncio.wait_for(updates.get(), 30))["state"] != "review":
        assert update["state"] in {"exploring", "planning", "editing"}, update
    assert update["planId"] == plan


async def test_an_agent_asks_an_editor_that_can_tell_what_it_reports(
    client: Client, model: ModelServer, root: Path, monkeypatch: pytest.MonkeyPatch
):
    def native(tool: str, **arguments: str) -> list[dict[str, str]]:
        return [{"id": "1", "name": tool, "arguments": json.dumps(arguments)}]

    model.scripts[:0] = [
        Script([], match="wrong number", tool_calls=native("give_up", reason="It says so.")),
        Script([], match="Look", tool_calls=native("diagnostics")),
    ]
    able = capabilities()
    able.experimental = {"lido": {"diagnostics": True}}
    monkeypatch.setattr("lido.lsp.client.capabilities", lambda: able)
    asked = []

    async with Client(root, client.settings) as editor:

        @editor.feature("lido/diagnostics")
        def diagnostics(query: Any) -> list[dict[str, Any]]:
            asked.append(query)
            return [
                {"uri": (root / "a.py").as_uri(), "line": 1, "severity": "warning", "message": "wrong number"}
            ]

        seen = await run_plan(editor, {"instruction": "Look", "mode": "agent", "attachments": attach(root)})
    assert len(asked) == 1
    assert (seen[-1]["state"], seen[-1]["message"]) == ("gaveUp", "It says so.")
    assert any("a.py:2: warning: wrong number" in request.prompt for request in model.seen)


@pytest.mark.parametrize("way", ["in words", "Decide yourself", "Cancel the plan"])
async def test_a_plain_editor_is_asked_what_a_plan_asks(
    client: Client, model: ModelServer, root: Path, way: str
):
    def native(tool: str, **arguments: str) -> list[dict[str, str]]:
        return [{"id": "1", "name": tool, "arguments": json.dumps(arguments)}]

    model.scripts[:0] = [
        Script([], match="the second one|seems best", tool_calls=native("give_up", reason="Understood.")),
        Script([], match="Choose", tool_calls=native("ask", question="Which one?")),
    ]
    updates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    asked: list[lsp.ShowMessageRequestParams] = []

    async with Client(root, client.settings) as editor:

        @editor.feature(lsp.WINDOW_SHOW_MESSAGE_REQUEST)
        async def ask(params: lsp.ShowMessageRequestParams) -> lsp.MessageActionItem | None:
            asked.append(params)
            return None if way == "in words" else lsp.MessageActionItem(way)

        editor.on_notification["lido/plan/update"] = updates.put_nowait
        plan = {"instruction": "Choose", "mode": "agent", "attachments": attach(root)}
        await editor.ask("lido/plan/start", plan)
        while (update := await asyncio.wait_for(updates.get(), 30))["state"] not in ("gaveUp", "cancelled"):
            assert update["state"] != "failed", update
            if update["state"] == "waiting" and way == "in words":
                await editor.workspace_execute_command_async(
                    lsp.ExecuteCommandParams("lido.plan.answer", [update["planId"], "the second one"])
                )
    assert update["state"] == ("cancelled" if way == "Cancel the plan" else "gaveUp")
    assert "Which one?" in asked[0].message
    assert [action.title for action in asked[0].actions or ()] == ["Decide yourself", "Cancel the plan"]
