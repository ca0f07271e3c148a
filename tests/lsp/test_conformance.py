"""Every message of a long session, either way, judged by LSP's meta model, by lsprotocol, and ``lido/…`` by
the schema that clients are generated from."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conformance.protocol import Judge
from fakes.model_server import ModelServer, Script

BEFORE = "def double(x):\n    return x + 1\n"
AFTER = "def double(x):\n    return x * 2\n"
STEPS = json.dumps({"steps": [{"file": "a.py", "change": "multiply"}]})
BLOCK = "a.py\n<<<<<<< SEARCH\n    return x + 1\n=======\n    return x * 2\n>>>>>>> REPLACE\n"


class Session:
    """A client of bare JSON: nothing between it and the wire that would tidy a message."""

    def __init__(self, process: asyncio.subprocess.Process, judge: Judge) -> None:
        self.process = process
        self.judge = judge
        self.wrong: list[str] = []
        self.notified: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.texts: dict[str, str] = {}
        self.count = 0
        self.seen: set[str] = set()
        self.reader = asyncio.create_task(self._read())

    def send(self, message: dict[str, Any]) -> None:
        message = {"jsonrpc": "2.0", **message}
        self.wrong += [f"client: {wrong}" for wrong in self.judge.judge("client", message)]
        body = json.dumps(message).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"method": method, **({} if params is None else {"params": params})})

    async def ask(self, method: str, params: Any = None) -> Any:
        _, future = self.asked(method, params)
        await asyncio.wait({future, self.reader}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        if self.reader.done() and not future.done():
            self.reader.result()
        answer = await asyncio.wait_for(future, 0)
        assert "error" not in answer, answer
        return answer["result"]

    def asked(self, method: str, params: Any = None) -> tuple[int, asyncio.Future[dict[str, Any]]]:
        self.count += 1
        self.answers[self.count] = asyncio.get_running_loop().create_future()
        self.send({"id": self.count, "method": method, **({} if params is None else {"params": params})})
        return self.count, self.answers[self.count]

    async def until(self, method: str, key: str, *values: str) -> dict[str, Any]:
        while True:
            message = await asyncio.wait_for(self.notified.get(), 30)
            if message["method"] == method and message["params"].get(key) in values:
                return message["params"]

    async def _read(self) -> None:
        stream = self.process.stdout
        assert stream
        while header := await stream.readline():
            length = 0
            while header.strip():
                name, _, value = header.decode("ascii").partition(":")
                if name.lower() == "content-length":
                    length = int(value)
                header = await stream.readline()
            message = json.loads(await stream.readexactly(length))
            self.wrong += [f"server: {wrong}" for wrong in self.judge.judge("server", message)]
            if "method" not in message:
                self.answers[message["id"]].set_result(message)
                continue
            self.seen.add(message["method"])
            if "id" in message:
                self.send(
                    {"id": message["id"], "result": self.serve(message["method"], message.get("params"))}
                )
            else:
                self.notified.put_nowait(message)

    def serve(self, method: str, params: Any) -> Any:
        match method:
            case "workspace/configuration":
                return [None for _ in params["items"]]
            case "workspace/applyEdit":
                return {"applied": self.apply(params["edit"])}
            case "window/showDocument":
                return {"success": True}
        return None

    def apply(self, edit: dict[str, Any]) -> bool:
        for change in edit["documentChanges"]:
            uri = change["textDocument"]["uri"]
            lines = self.texts[uri].splitlines(keepends=True)
            for one in reversed(change["edits"]):
                start, end = (
                    sum(map(len, lines[: one["range"][side]["line"]])) + one["range"][side]["character"]
                    for side in ("start", "end")
                )
                self.texts[uri] = self.texts[uri][:start] + one["newText"] + self.texts[uri][end:]
        self.changed(uri)
        return True

    def changed(self, uri: str) -> None:
        self.version = getattr(self, "version", 1) + 1
        self.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": uri, "version": self.version},
                "contentChanges": [{"text": self.texts[uri]}],
            },
        )


def capabilities(own_review: bool) -> dict[str, Any]:
    return {
        "general": {"positionEncodings": ["utf-16"]},
        "workspace": {
            "applyEdit": True,
            "configuration": True,
            "workspaceFolders": True,
            "workspaceEdit": {
                "documentChanges": True,
                "resourceOperations": ["create", "rename", "delete"],
                "failureHandling": "transactional",
                "changeAnnotationSupport": {},
            },
            "codeLens": {"refreshSupport": True},
        },
        "textDocument": {
            "inlineCompletion": {},
            "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}}},
            "codeLens": {},
        },
        "window": {"workDoneProgress": True, "showDocument": {"support": True}, "showMessage": {}},
        "experimental": {"lido": {"review": own_review}},
    }


@pytest.fixture(params=["meta model", "lsprotocol"])
def judge(request: pytest.FixtureRequest) -> Judge:
    if request.param == "lsprotocol":
        return Judge()
    return Judge(request.getfixturevalue("shared_data") / "lsp" / "metaModel.3.18.json.gz")


@pytest.fixture
async def session(judge: Judge) -> AsyncIterator[Session]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lido",
        "serve",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ,
    )
    session = Session(process, judge)
    yield session
    if process.returncode is None:
        process.kill()
    await process.wait()
    session.reader.cancel()


@pytest.mark.parametrize("own_review", [True, False], ids=["a client of ours", "any client"])
async def test_a_long_session_keeps_the_protocol(session: Session, tmp_path: Path, own_review: bool) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text(BEFORE)
    uri = (root / "a.py").as_uri()
    async with ModelServer(
        Script([BLOCK], match="Now make these changes"),
        Script([STEPS], match="Plan the work"),
        Script(["Hang "], match="SLOWLY", fault="endless", delay=0.02),
        Script(["Use this:\n", f"```python\n{AFTER}```\n"], match="How"),
        Script(["1 + 1"]),
    ) as model:
        models = {"m": {"provider": "openai", "base_url": f"{model.url}/v1", "model": "m"}}
        roles = {"chat": "m", "plan": "m", "completion": "m"}
        started = await session.ask(
            "initialize",
            {
                "processId": os.getpid(),
                "clientInfo": {"name": "conformance", "version": "1"},
                "rootUri": root.as_uri(),
                "workspaceFolders": [{"uri": root.as_uri(), "name": "project"}],
                "initializationOptions": {"lido": {"models": models, "roles": roles}},
                "capabilities": capabilities(own_review),
            },
        )
        assert started["capabilities"]["positionEncoding"] == "utf-16"
        session.notify("initialized", {})

        # Documents and completions.
        session.texts[uri] = BEFORE
        item = {"uri": uri, "languageId": "python", "version": 1, "text": BEFORE}
        session.notify("textDocument/didOpen", {"textDocument": item})
        session.texts[uri] = BEFORE + "\ny = "
        session.changed(uri)
        here = {"textDocument": {"uri": uri}, "position": {"line": 3, "character": 4}}
        asked = {**here, "context": {"triggerKind": 1}}
        (suggestion,) = (await session.ask("textDocument/inlineCompletion", asked))["items"]
        identifier = suggestion["command"]["arguments"][0]
        session.notify("lido/completion/shown", {"id": identifier})
        session.notify("lido/completion/partiallyAccepted", {"id": identifier, "acceptedLength": 1})
        command = {"command": suggestion["command"]["command"], "arguments": [identifier]}
        await session.ask("workspace/executeCommand", command)
        session.notify("lido/completion/dismissed", {"id": identifier, "reason": "escape"})
        await session.ask("textDocument/completion", here)
        await session.ask("checkStatus", {})

        # Code actions and lenses.
        problem = {
            "range": {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 9}},
            "message": "adds instead of multiplying",
        }
        span = problem["range"]
        query = {"textDocument": {"uri": uri}, "range": span, "context": {"diagnostics": [problem]}}
        actions = await session.ask("textDocument/codeAction", query)
        assert len(actions) >= 4
        explain = next(action for action in actions if "explain" in action["title"])
        await session.ask(
            "workspace/executeCommand", {k: explain["command"][k] for k in ("command", "arguments")}
        )

        # Chat.
        question = {"text": "How?", "attachments": [{"kind": "file", "uri": uri}], "partialResultToken": "t"}
        answer = await session.ask("lido/chat/send", question)
        conversation = {"conversationId": answer["conversationId"]}
        session.notify("lido/chat/feedback", {"messageId": answer["messageId"], "rating": "up"})
        await session.ask("lido/chat/retry", conversation)
        await session.ask("lido/chat/rename", {**conversation, "title": "Doubling"})
        await session.ask("lido/chat/get", conversation)
        await session.ask("lido/chat/list", {"query": "Doubling"})
        await session.ask("lido/chat/export", conversation)
        slow, future = session.asked("lido/chat/send", {"text": "SLOWLY", "partialResultToken": 7})
        while (await asyncio.wait_for(session.notified.get(), 30))["method"] != "$/progress":
            pass
        session.notify("$/cancelRequest", {"id": slow})
        assert (await asyncio.wait_for(future, 30))["error"]["code"] == -32800
        await session.ask("lido/models", {})
        await session.ask("lido/chat/delete", conversation)
        unknown, gone = session.asked("lido/chat/get", conversation)
        assert (await asyncio.wait_for(gone, 30))["error"]["code"] == -32803

        # A plan, its review accepted and undone; a code block rejected.
        session.texts[uri] = BEFORE
        session.changed(uri)
        plan = {
            "instruction": "Fix double()",
            "attachments": [{"kind": "file", "uri": uri}],
            "workDoneToken": "w",
        }
        await session.ask("lido/plan/start", plan)
        update = await session.until("lido/plan/update", "state", "review", "gaveUp", "failed")
        assert update["state"] == "review", update
        review = {"reviewId": update["reviewId"]}
        files = (await session.ask("lido/review/get", review))["files"]
        hunks = [hunk["hunkId"] for file in files for hunk in file["hunks"]]
        lenses = await session.ask("textDocument/codeLens", {"textDocument": {"uri": uri}})
        assert bool(lenses) != own_review
        await session.ask("lido/review/decide", {**review, "hunkIds": hunks, "decision": "accept"})
        assert session.texts[uri] == AFTER
        assert (await session.ask("lido/review/undo", review))["failed"] == []
        assert session.texts[uri] == BEFORE
        applied = await session.ask("lido/chat/apply", {"text": AFTER, "uri": uri, "language": "python"})
        files = (await session.ask("lido/review/get", applied))["files"]
        hunks = [hunk["hunkId"] for file in files for hunk in file["hunks"]]
        await session.ask("lido/review/decide", {**applied, "hunkIds": hunks, "decision": "reject"})
        await session.ask("lido/metrics", {"by": ["feature"], "since": "1h"})

        # What is not there, and the end.
        _, missing = session.asked("textDocument/hover", here)
        assert (await asyncio.wait_for(missing, 30))["error"]["code"] == -32601
        session.notify("workspace/didChangeConfiguration", {"settings": {"lido": {}}})
        session.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": []}})
        session.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        assert await session.ask("shutdown") is None
        session.notify("exit")
        assert await asyncio.wait_for(session.process.wait(), 30) == 0
        await asyncio.wait_for(session.reader, 10)

    assert session.wrong == []
    assert session.judge.open_requests("client") == []
    assert {"lido/status", "lido/plan/update", "$/progress", "workspace/applyEdit"} <= session.seen
    assert unknown > 0


async def test_notebooks_and_folders_keep_the_protocol(session: Session, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (second / "rates.py").write_text("def tax_rate():\n    return 0.2\n")
    notebook = (first / "n.ipynb").as_uri()

    def cell(number: int) -> dict[str, Any]:
        return {"kind": 2, "document": f"{notebook}#{number}"}

    def text(number: int, source: str) -> dict[str, Any]:
        return {"uri": f"{notebook}#{number}", "languageId": "python", "version": 1, "text": source}

    async with ModelServer(Script(["1 + 1"])) as model:
        models = {"m": {"provider": "openai", "base_url": f"{model.url}/v1", "model": "qwen2.5-coder-7b"}}
        folders = [{"uri": first.as_uri(), "name": "first"}]
        able = capabilities(own_review=False) | {"notebookDocument": {"synchronization": {}}}
        started = await session.ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": None,
                "workspaceFolders": folders,
                "initializationOptions": {"lido": {"models": models, "roles": {"completion": "m"}}},
                "capabilities": able,
            },
        )
        assert started["capabilities"]["notebookDocumentSync"]["notebookSelector"]
        assert started["capabilities"]["workspace"]["workspaceFolders"]["supported"]
        session.notify("initialized", {})

        async def complete(number: int, line: int, character: int) -> list[Any]:
            position = {"line": line, "character": character}
            asked = {"textDocument": {"uri": f"{notebook}#{number}"}, "position": position}
            found = await session.ask(
                "textDocument/inlineCompletion", {**asked, "context": {"triggerKind": 1}}
            )
            return list(found["items"])

        # Open, with a first cell; a second one comes, then changes; the first goes.
        opened = {"uri": notebook, "notebookType": "jupyter-notebook", "version": 1, "cells": [cell(1)]}
        session.notify(
            "notebookDocument/didOpen",
            {"notebookDocument": opened, "cellTextDocuments": [text(1, "total = 40\n")]},
        )
        array = {"start": 1, "deleteCount": 0, "cells": [cell(2)]}
        structure = {"array": array, "didOpen": [text(2, "answer = ")]}
        session.notify(
            "notebookDocument/didChange",
            {
                "notebookDocument": {"uri": notebook, "version": 2},
                "change": {"cells": {"structure": structure}},
            },
        )
        assert await complete(2, 0, 9)
        assert "total = 40" in model.seen[-1].prompt
        end = {"line": 0, "character": 9}
        content = {
            "document": {"uri": f"{notebook}#2", "version": 2},
            "changes": [{"range": {"start": end, "end": end}, "text": "total + "}],
        }
        session.notify(
            "notebookDocument/didChange",
            {
                "notebookDocument": {"uri": notebook, "version": 3},
                "change": {"cells": {"textContent": [content]}},
            },
        )
        assert await complete(2, 0, 17)
        assert "answer = total +" in model.seen[-1].prompt
        array = {"start": 0, "deleteCount": 1}
        structure = {"array": array, "didClose": [{"uri": f"{notebook}#1"}]}
        session.notify(
            "notebookDocument/didChange",
            {
                "notebookDocument": {"uri": notebook, "version": 4},
                "change": {"cells": {"structure": structure}},
            },
        )
        session.notify("notebookDocument/didSave", {"notebookDocument": {"uri": notebook}})
        assert await complete(1, 0, 5) == []

        # A second folder comes, the first goes.
        added = {"added": [{"uri": second.as_uri(), "name": "second"}], "removed": []}
        session.notify("workspace/didChangeWorkspaceFolders", {"event": added})
        session.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": folders}})
        session.notify(
            "notebookDocument/didClose",
            {"notebookDocument": {"uri": notebook}, "cellTextDocuments": [{"uri": f"{notebook}#2"}]},
        )
        assert await complete(2, 0, 0) == []
        assert await session.ask("shutdown") is None
        session.notify("exit")
        assert await asyncio.wait_for(session.process.wait(), 30) == 0
        await asyncio.wait_for(session.reader, 10)
    assert session.wrong == []
    assert session.judge.open_requests("client") == []


def test_the_judge_sees_what_is_wrong(judge: Judge) -> None:
    def wrong(sender: Any, **message: Any) -> str:
        return " ".join(judge.judge(sender, {"jsonrpc": "2.0", **message}))

    assert "in use" not in wrong("client", id=1, method="shutdown")
    assert "in use" in wrong("client", id=1, method="shutdown")
    assert "either result or error" in wrong("server", id=1)
    assert "nothing that was asked" in wrong("server", id=99, result=None)
    assert "no such method" in wrong("client", method="textDocument/imagined", params={})
    assert wrong("client", method="textDocument/didOpen", params={"textDocument": {"uri": "file:///a"}})
    assert "rating" in wrong(
        "client", method="lido/chat/feedback", params={"messageId": "1", "rating": "so-so"}
    )
    assert "direction" in wrong("client", method="lido/status", params={"state": "ready", "message": ""})
    assert "it is a request" in wrong("client", method="lido/chat/list", params={})
