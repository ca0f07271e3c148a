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
