"""Completions over the protocol: the real server, a client that keeps documents, a scripted backend."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from lsprotocol import types as lsp

from fakes.model_server import ModelServer, Script
from lido.lsp.client import Client


@asynccontextmanager
async def session(tmp_path, *scripts, text="", **completion):
    root = tmp_path / "project"
    root.mkdir(exist_ok=True)
    path = root / "a.py"
    path.write_text(text.replace("‸", ""), encoding="utf-8")
    async with ModelServer(*scripts) as backend:
        settings = {
            "models": {
                "m": {"provider": "openai", "base_url": f"{backend.url}/v1", "model": "qwen2.5-coder-7b"}
            },
            "completion": {"debounce_ms": 0, **completion},
        }
        async with Client(root, settings) as client:
            document = client.open(path, "python")
            yield client, document.uri, text.index("‸"), backend


async def rows(client):
    answer = await client.ask("lido/metrics", {"by": ["feature"], "since": "1d"})
    return {row["feature"]: row for row in answer["rows"]}


async def test_accepting_and_dismissing_end_in_one_outcome_each(tmp_path):
    text = "s = '😀é'; def_ = s + ‸\n"
    async with session(tmp_path, Script(["'x'"]), text=text) as (client, uri, cursor, _):
        item = (await client.complete_inline(uri, cursor, invoked=True))[0]
        assert item.insert_text == "'x'"
        assert item.filter_text
        assert item.command
        assert item.range == lsp.Range(lsp.Position(0, 22), lsp.Position(0, 22))
        after = await client.accept(uri, item)
        assert after.text == text.replace("‸", "'x'")
        client.replace(uri, after.length, after.length, "t = ")
        item = (await client.complete_inline(uri, after.length + 4))[0]
        identifier = item.command.arguments[0]
        client.protocol.notify("lido/completion/shown", {"id": identifier})
        client.protocol.notify("lido/completion/dismissed", {"id": identifier, "reason": "escape"})
        row = (await rows(client))["completion"]
        assert (row["shown"], row["accepted"], row["rejected"]) == (2, 1, 1)


async def test_the_answer_names_the_editors_range_for_a_selected_item(tmp_path):
    async with session(tmp_path, Script(["(s)"]), text="s = 1\npri‸\n") as (client, uri, cursor, _):
        document = client.documents.get(uri)
        span = lsp.Range(lsp.Position(1, 0), lsp.Position(1, 3))
        answer = await client.text_document_inline_completion_async(
            lsp.InlineCompletionParams(
                context=lsp.InlineCompletionContext(
                    lsp.InlineCompletionTriggerKind.Automatic, lsp.SelectedCompletionInfo(span, "print")
                ),
                text_document=lsp.TextDocumentIdentifier(uri),
                position=lsp.Position(*document.position_at(cursor, "utf-16")),
            )
        )
        item = answer.items[0]
        assert (item.insert_text, item.range) == ("print(s)", span)


async def test_completion_items_where_asked_for(tmp_path):
    async with session(tmp_path, Script(["(s)"]), text="s = 1\npri‸\n", as_completion_items=True) as (
        client,
        uri,
        _cursor,
        _,
    ):
        answer = await client.text_document_completion_async(
            lsp.CompletionParams(lsp.TextDocumentIdentifier(uri), lsp.Position(1, 3))
        )
        item = answer.items[0]
        assert item.label == "pri(s)"
        assert item.text_edit.new_text == "pri(s)"
        assert item.text_edit.range == lsp.Range(lsp.Position(1, 0), lsp.Position(1, 3))
        # This client does not say that it reads Markdown: no fences.
        assert item.documentation == lsp.MarkupContent(lsp.MarkupKind.PlainText, "pri(s)")


async def test_cancelling_a_request_closes_the_backends_stream(tmp_path):
    script = Script(["a"] * 100, delay=0.1)
    async with session(tmp_path, script, text="x = ‸\n") as (client, uri, cursor, backend):
        asked = asyncio.create_task(client.complete_inline(uri, cursor))
        seen = (await backend.requests(1))[0]
        identifier = next(
            key for key, future in client.protocol._request_futures.items() if not future.done()
        )
        client.cancel_request(lsp.CancelParams(identifier))
        await asyncio.wait_for(seen.closed_early.wait(), 2)
        asked.cancel()


async def test_copilots_messages_are_understood(tmp_path):
    async with session(tmp_path, Script(["'x'"]), text="t = ‸\n") as (client, uri, cursor, _):
        assert (await client.ask("checkStatus", {}))["status"] == "OK"
        assert (await client.ask("signIn", {}))["status"] == "AlreadySignedIn"
        item = (await client.complete_inline(uri, cursor))[0]
        wire = {"command": {"command": item.command.command, "arguments": item.command.arguments}}
        client.protocol.notify("textDocument/didShowCompletion", {"item": wire})
        client.protocol.notify(
            "textDocument/didPartiallyAcceptCompletion", {"item": wire, "acceptedLength": 2}
        )
        client.protocol.notify("lido/completion/dismissed", {"id": item.command.arguments[0]})
        row = (await rows(client))["completion"]
        assert (row["shown"], row["partially_accepted"]) == (1, 1)


async def test_definitions_from_other_files_reach_the_prompt(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (root / "shop.py").write_text("class Basket:\n    def total_price(self, rate):\n        return 1\n")
    text = "from shop import Basket\n\n\ndef f(basket: Basket):\n    return ‸\n"
    async with session(tmp_path, Script(["1"]), text=text) as (client, uri, cursor, backend):
        for attempt in range(100):
            client.replace(uri, cursor, cursor, f"{attempt}")
            cursor += len(str(attempt))
            client.documents.get(uri)
            await client.complete_inline(uri, cursor, invoked=True)
            if "total_price" in backend.seen[-1].prompt:
                break
            # The index is made in the background; what was chosen stays for some lines.
            client.replace(uri, cursor, cursor, "\n" * 15 + "    return Basket.")
            cursor += 15 + len("    return Basket.")
            await asyncio.sleep(0.1)
        else:
            pytest.fail("the definition never came")
        assert (
            "<|file_sep|>shop.py\nclass Basket:\n    def total_price(self, rate):" in backend.seen[-1].prompt
        )


async def test_asked_again_where_a_suggestion_stands_there_are_several(tmp_path):
    scripts = (Script(["one"], times=1), Script(["two"], times=1), Script(["three"], times=1))
    async with session(tmp_path, *scripts, text="t = ‸\n") as (client, uri, cursor, _):
        first = await client.complete_inline(uri, cursor, invoked=True)
        assert [item.insert_text for item in first] == ["one"]
        again = await client.complete_inline(uri, cursor, invoked=True)
        assert again[0].insert_text == "one"
        assert {item.insert_text for item in again} == {"one", "two", "three"}
        await client.accept(uri, again[2])
        row = (await rows(client))["completion"]
        assert (row["shown"], row["accepted"]) == (1, 1)


async def test_copilots_panel_has_several(tmp_path):
    scripts = (Script(["one"], times=1), Script(["two"], times=1), Script(["three"], times=1))
    async with session(tmp_path, *scripts, text="t = ‸\n") as (client, uri, _, _backend):
        answer = await client.ask(
            "textDocument/copilotPanelCompletion",
            {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 4}},
        )
        assert {item["insertText"] for item in answer["items"]} == {"one", "two", "three"}


async def ask_edits(client, uri, line=0):
    where = {"textDocument": {"uri": uri, "version": 1}, "position": {"line": line, "character": 0}}
    return (await client.ask("textDocument/copilotInlineEdit", where))["edits"]


async def test_the_uses_of_a_renamed_function_are_the_next_edits(tmp_path):
    text = "def ‸area(w):\n    return w\n\n\nprint(area(1))\nprint(area(2))\n"
    async with session(tmp_path, text=text) as (client, uri, cursor, backend):
        assert await ask_edits(client, uri) == []
        client.replace(uri, cursor, cursor + 4, "surface")
        edits = await ask_edits(client, uri)
        assert [(e["range"]["start"]["line"], e["text"]) for e in edits] == [(4, "surface"), (5, "surface")]
        assert edits[0]["textDocument"] == {"uri": uri, "version": 1}
        assert await ask_edits(client, uri) == edits  # asked again, the same, under the same ids
        client.protocol.notify("textDocument/didShowInlineEdit", {"item": {"command": edits[0]["command"]}})
        document = client.documents.get(uri)
        start = document.offset_at(4, 6, "utf-16")
        client.replace(uri, start, start + 4, edits[0]["text"])
        command = edits[0]["command"]
        await client.workspace_execute_command_async(
            lsp.ExecuteCommandParams(command["command"], command["arguments"])
        )
        rest = await ask_edits(client, uri, 4)
        assert [e["range"]["start"]["line"] for e in rest] == [5]
        client.protocol.notify("lido/completion/dismissed", {"id": rest[0]["uuid"]})
        assert await ask_edits(client, uri, 4) == []  # declined once, not offered again
        row = (await rows(client))["next_edit"]
        assert (row["shown"], row["accepted"], row["rejected"]) == (2, 1, 1)
        assert not backend.seen


async def test_the_value_of_a_new_parameter_comes_from_the_model(tmp_path):
    text = "def area(w‸):\n    return w\n\n\nprint(area(1))\n"
    async with session(tmp_path, Script([", 2)"]), text=text) as (client, uri, cursor, backend):
        assert await ask_edits(client, uri) == []
        client.replace(uri, cursor, cursor, ", height")
        edits = await ask_edits(client, uri)
        assert [(e["range"]["start"], e["text"]) for e in edits] == [({"line": 4, "character": 12}, ", 2")]
        assert "def area(w, height):" in backend.seen[0].prompt
        assert await ask_edits(client, uri) == edits
        assert len(backend.seen) == 1


async def test_partial_acceptance_is_counted_in_the_clients_code_units(tmp_path):
    async with session(tmp_path, Script(["'😀😀' + tail"]), text="t = ‸\n") as (client, uri, cursor, _):
        item = (await client.complete_inline(uri, cursor))[0]
        identifier = item.command.arguments[0]
        client.protocol.notify("lido/completion/partiallyAccepted", {"id": identifier, "acceptedLength": 6})
        client.protocol.notify("lido/completion/dismissed", {"id": identifier})
        row = (await rows(client))["completion"]
        assert (row["partially_accepted"], row["accepted_characters"]) == (1, 4)


async def test_a_later_session_answers_from_what_an_earlier_one_found(tmp_path):
    async with session(tmp_path, Script(["'x'"]), text="t = ‸\n") as (client, uri, cursor, _):
        assert (await client.complete_inline(uri, cursor))[0].insert_text == "'x'"
    async with session(tmp_path, Script(["'y'"]), text="t = ‸\n") as (client, uri, cursor, backend):
        # The cache is read with the first request; the second finds it there.
        await client.complete_inline(uri, 0)
        assert (await client.complete_inline(uri, cursor))[0].insert_text == "'x'"
        assert len(backend.seen) <= 1


async def test_the_status_reaches_copilots_clients_in_their_words(tmp_path):
    from fakes.raw_client import RawClient

    editor = {"editorInfo": {"name": "Neovim", "version": "0.11"}, "editorPluginInfo": {"name": "x"}}
    async with RawClient(tmp_path, {"completion": {"enabled": False}}, **editor) as client:
        assert await client.notified("didChangeStatus") == {
            "message": "Completions are switched off",
            "kind": "Inactive",
            "busy": False,
        }


async def test_a_definition_that_is_not_saved_yet_reaches_the_prompt(tmp_path):
    text = "from shop import Basket\n\n\ndef f():\n    return fresh_total‸\n"
    async with session(tmp_path, Script(["(1)"]), text=text) as (client, uri, cursor, backend):
        shop = tmp_path / "project" / "shop.py"
        shop.write_text("")
        other = client.open(shop, "python")
        client.replace(other.uri, 0, 0, "def fresh_total(rate: float) -> float:\n    return rate\n")
        assert await client.complete_inline(uri, cursor, invoked=True)
        assert "def fresh_total(rate: float) -> float:" in backend.seen[-1].prompt


async def test_files_changed_by_others_are_indexed_when_the_editor_tells(tmp_path):
    text = "from shop import Basket\n\n\ndef f(basket: Basket):\n    return ‸\n"
    async with session(tmp_path, Script(["1"]), text=text) as (client, uri, cursor, backend):
        await client.complete_inline(uri, cursor, invoked=True)
        await asyncio.sleep(0)
        shop = tmp_path / "project" / "shop.py"
        shop.write_text("class Basket:\n    def total_price(self, rate):\n        return 1\n")
        for attempt in range(40):
            client.workspace_did_change_watched_files(
                lsp.DidChangeWatchedFilesParams([lsp.FileEvent(shop.as_uri(), lsp.FileChangeType.Created)])
            )
            # What was chosen for a place stays for some lines: ask elsewhere each time.
            client.replace(uri, cursor, cursor, "\n" * 15 + f"    x{attempt} = Basket.")
            cursor += 15 + len(f"    x{attempt} = Basket.")
            await client.complete_inline(uri, cursor, invoked=True)
            if "total_price" in backend.seen[-1].prompt:
                return
            await asyncio.sleep(0.5)
        pytest.fail("the new file was never indexed")


async def test_what_is_said_of_a_suggestion_is_not_overtaken_by_the_change_that_follows(tmp_path):
    """Both come in one read: the person pressed Esc and a tool then wrote the very same text."""
    from fakes.raw_client import RawClient

    async with ModelServer(Script(["compute(total)"])) as backend:
        model = {"provider": "openai", "base_url": f"{backend.url}/v1", "model": "qwen2.5-coder-7b"}
        settings = {"models": {"m": model}, "completion": {"debounce_ms": 0}}
        async with RawClient(tmp_path, settings) as client:
            uri = (tmp_path / "a.py").as_uri()
            text = "def f(total):\n    value = "
            client.notify(
                "textDocument/didOpen",
                {"textDocument": {"uri": uri, "languageId": "python", "version": 0, "text": text}},
            )
            at = {"line": 1, "character": 12}
            answer = await client.request(
                "textDocument/inlineCompletion",
                {"textDocument": {"uri": uri}, "position": at, "context": {"triggerKind": 1}},
            )
            (item,) = answer["items"]
            identifier = item["command"]["arguments"][0]
            client.notify("lido/completion/shown", {"id": identifier})
            client.notify("lido/completion/dismissed", {"id": identifier, "reason": "escape"})
            client.notify(
                "textDocument/didChange",
                {
                    "textDocument": {"uri": uri, "version": 1},
                    "contentChanges": [{"range": {"start": at, "end": at}, "text": item["insertText"]}],
                },
            )
            (row,) = (await client.request("lido/metrics", {"by": [], "since": "1d"}))["rows"]
    assert (row["shown"], row["accepted"], row["rejected"]) == (1, 0, 1)


async def test_the_status_names_the_models_before_any_is_asked(tmp_path):
    client = Client(tmp_path, {"models": {"m": {"provider": "openai", "model": "qwen2.5-coder-7b"}}})
    told = asyncio.get_running_loop().create_future()
    client.on_notification["lido/status"] = lambda status: told.done() or told.set_result(status)
    async with client:
        status = await asyncio.wait_for(told, 30)
    assert [(model["name"], model["model"], model["state"]) for model in status["models"]] == [
        ("m", "qwen2.5-coder-7b", "ready")
    ]
