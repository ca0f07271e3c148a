"""Editors' Copilot clients, started with `lido serve` in place of Copilot's server: what they send, in their order and
their shapes, as their published sources have it, and what they need of each answer.

The clients themselves cannot be installed from a package index; these are replays, written from reading them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes.model_server import ModelServer, Script
from fakes.raw_client import RawClient

TEXT = "def add(a, b):\n    return \n"
HERE = {"line": 1, "character": 11}


class Copilot(RawClient):
    """A session that says `initialize` the way one of these clients does."""

    def __init__(self, root: Path, hello: dict[str, Any], *, version: int = 1) -> None:
        super().__init__(root, {})
        self.hello = {"processId": os.getpid(), **hello}
        self.uri = (root / "sums.py").as_uri()
        self.version = version

    async def begin(self, out: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        self._out, self._to = out, to
        self._reader = asyncio.create_task(self._read())
        self.answer = await self.request("initialize", self.hello)
        assert self.answer["serverInfo"]["name"]
        self.capabilities = self.answer["capabilities"]
        self.notify("initialized", {})

    def open(self) -> None:
        item = {"uri": self.uri, "languageId": "python", "version": self.version, "text": TEXT}
        self.notify("textDocument/didOpen", {"textDocument": item})

    @property
    def document(self) -> dict[str, Any]:
        return {"uri": self.uri, "version": self.version}

    async def counts(self, feature: str = "completion") -> dict[str, int]:
        """What the log has by now; rows of nothing have no feature."""
        answer = await self.request("lido/metrics", {"by": ["feature"], "since": "1d"})
        return next((row for row in answer["rows"] if row["feature"] == feature), {})


Begin = Callable[..., AbstractAsyncContextManager[Copilot]]


@pytest.fixture
async def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Begin]:
    root = tmp_path / "project"
    root.mkdir()
    (root / "sums.py").write_text(TEXT)
    config = tmp_path / "config.toml"
    monkeypatch.setenv("LIDO_CONFIG", str(config))

    @asynccontextmanager
    async def made(hello: dict[str, Any], *scripts: Script) -> AsyncIterator[Copilot]:
        async with ModelServer(*scripts) as model:
            config.write_text(
                f'[models.m]\nprovider = "openai"\nbase_url = "{model.url}/v1"\nmodel = "qwen2.5-coder-7b"\n'
            )
            async with Copilot(root, {**hello, **places(root, hello)}) as client:
                yield client

    return made


def places(root: Path, hello: dict[str, Any]) -> dict[str, Any]:
    if "rootUri" in hello:
        return {"rootUri": root.as_uri()}
    return {"workspaceFolders": [{"uri": root.as_uri(), "name": "project"}]}


def info(editor: str, plugin: str) -> dict[str, Any]:
    return {
        "editorInfo": {"name": editor, "version": "9.1"},
        "editorPluginInfo": {"name": plugin, "version": "1.0"},
    }


VIM = {
    "initializationOptions": info("Vim", "copilot.vim"),
    "capabilities": {
        "workspace": {"workspaceFolders": True},
        "window": {"showDocument": {"support": True}},
    },
}
EMACS = {
    "initializationOptions": info("Emacs", "copilot.el"),
    "capabilities": {
        "workspace": {"workspaceFolders": True},
        "window": {"showDocument": {"support": True}},
    },
}
NEOVIM = {
    "rootUri": "",
    "clientInfo": {"name": "Neovim", "version": "0.11.4"},
    "initializationOptions": info("neovim", "Github Copilot LSP for Neovim"),
    "capabilities": {"general": {"positionEncodings": ["utf-8", "utf-16", "utf-32"]}},
}
SUBLIME = {
    "rootUri": "",
    "clientInfo": {"name": "Sublime Text LSP", "version": "2.4.0"},
    "capabilities": {"general": {"positionEncodings": ["utf-16"]}},
}


async def test_copilot_vim(begin: Begin) -> None:
    async with begin(VIM, Script(["a + b"])) as client:
        client.notify("workspace/didChangeConfiguration", {"settings": {"http": {"proxy": None}}})
        assert (await client.request("checkStatus", {}))["status"] == "OK"
        client.open()
        client.notify("textDocument/didFocus", {"textDocument": {"uri": client.uri}})
        asked = {
            "textDocument": {**client.document, "languageId": "python"},
            "position": HERE,
            "formattingOptions": {"insertSpaces": True, "tabSize": 4},
            "context": {"triggerKind": 2},
        }
        (item,) = (await client.request("textDocument/inlineCompletion", asked))["items"]
        assert item["insertText"] == "a + b"
        assert item["range"]["start"]["line"] == HERE["line"]
        client.notify("textDocument/didShowCompletion", {"item": item})
        client.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 1})
        counted = await client.counts()
        assert counted["shown"] == 1
        await client.request("workspace/executeCommand", item["command"])
        counted = await client.counts()
        assert counted["accepted"] + counted["partially_accepted"] == 1
        panel = {
            "textDocument": client.document,
            "position": HERE,
            "partialResultToken": 1,
        }
        items = (await client.request("textDocument/copilotPanelCompletion", panel))["items"]
        assert items
        assert all(each["command"]["arguments"] and each["range"] for each in items)
        answer = await client.request("signIn", {})
        assert answer == {"status": "AlreadySignedIn", "user": "lido"}


async def test_copilot_el(begin: Begin) -> None:
    async with begin(EMACS, Script(["a + b"])) as client:
        status = await client.request("checkStatus", {"dummy": "checkStatus"})
        assert (status["status"], bool(status["user"])) == ("OK", True)
        client.version = 0  # as this client counts
        client.open()
        added = {"added": [{"uri": client.root.as_uri(), "name": "project"}], "removed": []}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": added})
        asked = {
            "textDocument": client.document,
            "position": HERE,
            "context": {"triggerKind": 2},
            "formattingOptions": {"tabSize": 4, "insertSpaces": True},
        }
        (item,) = (await client.request("textDocument/inlineCompletion", asked))["items"]
        client.notify("textDocument/didShowCompletion", {"item": item})
        command = {"command": item["command"]["command"], "arguments": item["command"]["arguments"]}
        await client.request("workspace/executeCommand", command)
        assert (await client.counts())["accepted"] == 1
        assert (await client.notified("didChangeStatus"))["kind"] in ("Normal", "Inactive")


async def test_copilot_lsp_of_neovim(begin: Begin) -> None:
    """It shows next edits only: by what was renamed, the uses that still have the old name."""
    async with begin(NEOVIM) as client:
        encoding = client.capabilities["positionEncoding"]
        assert encoding in ("utf-8", "utf-16")
        client.open()
        client.notify("textDocument/didFocus", {"textDocument": {"uri": client.uri}})
        where = {"textDocument": client.document, "position": {"line": 0, "character": 0}}
        assert (await client.request("textDocument/copilotInlineEdit", where))["edits"] == []
        for version, start, end, text in (
            (2, (2, 0), (2, 0), "\n\nprint(add(1, 2))\n"),
            (3, (0, 4), (0, 7), "total"),
        ):
            client.version = version
            span = {
                side: {"line": line, "character": character}
                for side, (line, character) in (("start", start), ("end", end))
            }
            client.notify(
                "textDocument/didChange",
                {"textDocument": client.document, "contentChanges": [{"range": span, "text": text}]},
            )
        where["textDocument"] = client.document
        (edit,) = (await client.request("textDocument/copilotInlineEdit", where))["edits"]
        assert (edit["text"], edit["range"]["start"]["line"]) == ("total", 4)
        assert edit["textDocument"] == client.document
        client.notify("textDocument/didShowInlineEdit", {"item": {"command": edit["command"]}})
        await client.request("workspace/executeCommand", edit["command"])
        counted = await client.counts("next_edit")
        assert (counted["shown"], counted["accepted"]) == (1, 1)


def doc(client: Copilot) -> dict[str, Any]:
    return {
        "doc": {
            "source": TEXT,
            "version": client.version,
            "tabSize": 4,
            "indentSize": 1,
            "insertSpaces": True,
            "path": str(client.root / "sums.py"),
            "uri": client.uri,
            "relativePath": "sums.py",
            "languageId": "python",
            "position": HERE,
        }
    }


async def test_lsp_copilot_of_sublime(begin: Begin) -> None:
    scripts = Script(["a + b"], times=1), Script(["b + a"], times=1), Script(["sum((a, b))"])
    async with begin(SUBLIME, *scripts) as client:
        assert (await client.request("getVersion", {}))["version"]
        assert (await client.request("checkStatus", {}))["status"] == "OK"
        assert await client.request("setEditorInfo", info("vscode", "LSP-copilot")) == "OK"
        client.open()
        (first,) = (await client.request("getCompletions", doc(client)))["completions"]
        assert first["displayText"] == "a + b"
        # The text takes the place of the range, which begins where the line does.
        assert first["text"] == "    return a + b"
        assert first["range"] == {"start": {"line": 1, "character": 0}, "end": HERE}
        assert first["position"] == HERE
        several = (await client.request("getCompletionsCycling", doc(client)))["completions"]
        assert {each["displayText"] for each in several} == {"a + b", "b + a", "sum((a, b))"}
        await client.request("notifyShown", {"uuid": first["uuid"]})
        await client.request("notifyAccepted", {"uuid": first["uuid"]})
        counted = await client.counts()
        assert (counted["shown"], counted["accepted"]) == (1, 1)
        target = await client.request("getPanelCompletions", {**doc(client), "panelId": "copilot://1"})
        done = await client.notified("PanelSolutionsDone")
        assert done["panelId"] == "copilot://1"
        solutions = [params for name, params in client.notifications if name == "PanelSolution"]
        assert len(solutions) == target["solutionCountTarget"] > 0
        assert solutions[0]["completionText"].startswith("    return ")
        scores = [each["score"] for each in solutions]
        assert scores == sorted(scores, reverse=True)


async def test_an_older_client_that_says_no(begin: Begin) -> None:
    async with begin(EMACS, Script(["a + b"])) as client:
        assert (await client.request("signInInitiate", {}))["status"] == "AlreadySignedIn"
        client.open()
        (first,) = (await client.request("getCompletions", doc(client)))["completions"]
        await client.request("notifyShown", {"uuid": first["uuid"]})
        await client.request("notifyRejected", {"uuids": [first["uuid"]]})
        counted = await client.counts()
        assert (counted["shown"], counted["accepted"], counted["rejected"]) == (1, 0, 1)
        elsewhere = doc(client)
        elsewhere["doc"]["uri"] = "file:///buffer/scratch"
        assert (await client.request("getCompletions", elsewhere))["completions"] == []


@pytest.mark.parametrize("params", [{}, {"doc": 1}, {"doc": {"uri": "file:///a"}}, [], None])
async def test_what_does_not_fit_is_refused(begin: Begin, params: Any) -> None:
    async with begin(VIM) as client:
        with pytest.raises(RuntimeError, match="doc"):
            await client.request("getCompletions", params)
