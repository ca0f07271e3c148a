"""The path of a completion against a scripted backend: reuse, superseding, cancelling, outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fakes.model_server import ModelServer, Script
from lido.completion.engine import Completer, Suggestion
from lido.events.attribution import Context, Tracker
from lido.events.store import EventLog
from lido.models.base import ModelError
from lido.models.registry import Models
from lido.settings import CompletionSettings, Home, ModelSettings, Settings
from lido.workspace.documents import Document, Documents

URI = "file:///work/a.py"


class World:
    """A completer with one open document, as a person's hands see it."""

    def __init__(self, server: ModelServer, home: Path, **settings: object) -> None:
        model = ModelSettings(provider="openai", base_url=f"{server.url}/v1", model="qwen2.5-coder-7b")
        self.server = server
        self.settings = CompletionSettings(debounce_ms=0, **settings)
        self.models = Models(Settings(models={"m": model}), Home(home))
        self.log = EventLog(home / "events.sqlite3", lambda _: None)
        self.tracker = Tracker(self.log, Context())
        self.documents = Documents()
        self.blocked: str | None = None
        self.completer = Completer(self.models, self.tracker, lambda: self.settings, lambda _: self.blocked)
        self.documents.listen(self.completer.document_changed)
        self.documents.on_close(lambda document: self.completer.document_closed(document.uri))
        self.version = 0

    def open(self, text: str, language: str = "python") -> Document:
        self.cursor = text.index("‸")
        return self.documents.open(URI, language, 0, text.replace("‸", ""), Path("/work/a.py"))

    def type(self, text: str, delete: int = 0) -> None:
        self.version += 1
        self.documents.replace(URI, self.version, [(self.cursor - delete, self.cursor, text)])
        self.cursor += len(text) - delete

    @property
    def document(self) -> Document:
        document = self.documents.get(URI)
        assert document
        return document

    async def complete(self, trigger: str = "automatic") -> list[Suggestion]:
        return await self.completer.complete(self.document, self.cursor, trigger)  # type: ignore[arg-type]

    async def text(self) -> str:
        found = await self.complete()
        return found[0].text if found else ""


@asynccontextmanager
async def world(tmp_path: Path, *scripts: Script, **settings: object) -> AsyncIterator[World]:
    async with ModelServer(*scripts) as server:
        made = World(server, tmp_path, **settings)
        try:
            yield made
        finally:
            await made.completer.close()
            await made.models.close()
            made.tracker.close()
            await asyncio.to_thread(made.log.close)


async def test_completes_the_line(tmp_path):
    async with world(tmp_path, Script(["a", " + b", "\n", "junk"])) as w:
        w.open("def add(a, b):\n    return ‸\n")
        found = await w.complete()
        assert [(s.text, s.start, s.end) for s in found] == [("a + b", w.cursor, w.cursor)]
        prompt = w.server.seen[0].prompt
        assert prompt == "<|fim_prefix|>def add(a, b):\n    return<|fim_suffix|>\n<|fim_middle|>"


async def test_typing_through_and_backspace_ask_nothing(tmp_path):
    async with world(tmp_path, Script(["alpha + beta"])) as w:
        w.open("def add(alpha, beta):\n    return ‸\n")
        first = (await w.complete())[0]
        for letter in "alpha +":
            w.type(letter)
            found = (await w.complete())[0]
            assert found.id == first.id
            assert (
                w.document.slice(0, w.cursor) + found.text == "def add(alpha, beta):\n    return alpha + beta"
            )
        w.type("", delete=4)
        assert await w.text() == "ha + beta"
        w.type("", delete=4)  # one character further back than where it was asked for
        assert await w.text() == " alpha + beta"
        assert len(w.server.seen) == 1


async def test_a_burst_of_keys_makes_one_request(tmp_path):
    async with world(tmp_path, Script(["lo"], first=0.02)) as w:
        w.settings = CompletionSettings(debounce_ms=75)
        w.completer._latency = 0.5
        w.open("def f(hello):\n    return ‸\n")
        asked = []
        for letter in "hel":
            w.type(letter)
            asked.append(asyncio.create_task(w.complete()))
            await asyncio.sleep(0.005)
        answers = await asyncio.gather(*asked)
        assert [bool(answer) for answer in answers] == [False, False, True]
        assert len(w.server.seen) == 1


async def test_a_keystroke_that_disagrees_closes_the_stream(tmp_path):
    async with world(tmp_path, Script(["alpha", " + ", "beta", " + ", "gamma"], delay=0.2)) as w:
        w.open("def f(alpha, beta):\n    return ‸\n")
        asked = asyncio.create_task(w.complete())
        seen = (await w.server.requests(1))[0]
        while not w.completer._running[URI].text:
            await asyncio.sleep(0.01)
        w.type("z")
        await asyncio.wait_for(seen.closed_early.wait(), 2)
        assert await asked == []


async def test_what_was_typed_before_the_first_word_came_may_disagree_with_it(tmp_path):
    scripts = (Script(["alpha + b"], match="return<", first=0.2), Script(["eta"], match="return b<"))
    async with world(tmp_path, *scripts) as w:
        w.open("def f(alpha, beta):\n    return ‸\n")
        asked = asyncio.create_task(w.complete())
        await w.server.requests(1)
        w.type("b")
        asked.cancel()
        assert await w.text() == "eta"


async def test_a_cancelled_request_closes_the_stream(tmp_path):
    async with world(tmp_path, Script(["a"] * 50, delay=0.1)) as w:
        w.open("def f(alpha, beta):\n    return ‸\n")
        asked = asyncio.create_task(w.complete())
        seen = (await w.server.requests(1))[0]
        asked.cancel()
        await asyncio.wait_for(seen.closed_early.wait(), 2)
        assert not w.completer._running


async def test_a_generation_that_the_typing_continues_is_kept(tmp_path):
    async with world(tmp_path, Script(["alpha", " + beta"], delay=0.15)) as w:
        w.open("def f(alpha, beta):\n    return ‸\n")
        asked = asyncio.create_task(w.complete())
        await w.server.requests(1)
        while not w.completer._running[URI].text:
            await asyncio.sleep(0.01)
        w.type("al")
        asked.cancel()
        assert await w.text() == "pha + beta"
        assert len(w.server.seen) == 1


async def test_stops_the_backend_as_soon_as_the_block_is_done(tmp_path):
    pieces = ["if a:\n", "        return b\n", "    return a\n", "\n\ndef more():\n", *["    pass\n"] * 200]
    async with world(tmp_path, Script(pieces, delay=0.01)) as w:
        w.open("def f(a, b):\n    ‸\n")
        assert await w.text() == "if a:\n        return b\n    return a"
        await asyncio.wait_for(w.server.seen[0].closed_early.wait(), 2)
        assert w.server.seen[0].sent < 50


async def test_asks_nothing_for_blocked_files_or_languages_switched_off(tmp_path):
    async with world(tmp_path, languages={"ruby": False}) as w:
        w.blocked = "it may hold secrets"
        w.open("x = ‸")
        assert await w.complete() == []
        w.blocked = None
        w.completer._allowed.clear()
        w.open("x = ‸", "ruby")
        assert await w.complete("invoked") == []
        assert not w.server.seen


async def test_errors_reach_the_caller_and_the_log(tmp_path):
    async with world(tmp_path, Script(status=401, body="{}")) as w:
        w.open("x = ‸")
        with pytest.raises(ModelError):
            await w.complete()


async def test_windows_line_ends_are_kept(tmp_path):
    async with world(tmp_path, Script(["b = 1\n    return b\n"])) as w:
        w.open("def f():\r\n    ‸\r\n")
        assert await w.text() == "b = 1\r\n    return b"


async def test_the_selected_item_of_the_editors_list_begins_the_text(tmp_path):
    async with world(tmp_path, Script(["(a)"])) as w:
        w.open("def f(a):\n    return pri‸\n")
        found = await w.completer.complete(
            w.document, w.cursor, "automatic", (w.cursor - 3, w.cursor, "print")
        )
        assert [(s.text, s.start, s.end) for s in found] == [("print(a)", w.cursor - 3, w.cursor)]


async def test_a_storm_of_keys_leaves_nothing_behind(tmp_path):
    async with world(tmp_path, Script(["alpha"], delay=0.001)) as w:
        w.open("def f(alpha):\n    return ‸\n")
        before = len(asyncio.all_tasks())
        pending: asyncio.Task[list[Suggestion]] | None = None
        for number in range(600):
            w.type("alphz"[number % 5] if number % 7 else "\n")
            if pending and number % 3:
                pending.cancel()
            pending = asyncio.create_task(w.complete())
            await asyncio.sleep(0.001 if number % 11 == 0 else 0)
        assert pending
        await asyncio.wait([pending], timeout=5)
        async with asyncio.timeout(5):
            while (
                len(asyncio.all_tasks()) > before + w.server.open_connections * 3
                or w.completer._running
                or w.server.open_connections > 20
            ):
                await asyncio.sleep(0.05)
        assert len(w.completer._cache.rows()) <= 256


async def test_ten_thousand_keys_grow_nothing_and_lose_no_outcome(tmp_path):
    """Half of it is typed before memory is measured, so that caches are full by then."""
    import gc
    import sqlite3
    import tracemalloc

    async with world(tmp_path, Script(["alpha", " + beta"])) as w:
        w.open("def f(alpha):\n    return ‸\n")
        pending: asyncio.Task[list[Suggestion]] | None = None
        sizes = []
        for half in range(2):
            for number in range(5000):
                # Words come and go, so that the document stays as long as it is.
                w.type("", delete=1) if number % 2 else w.type("azbx"[number // 2 % 4])
                if pending and number % 5:
                    pending.cancel()
                if number % 10 == 0:
                    pending = asyncio.create_task(w.complete())
                    await asyncio.wait([pending], timeout=5 if number % 50 == 0 else 0.001)
                    if pending.done() and not pending.cancelled() and pending.result():
                        w.tracker.shown(pending.result()[0].id)
                elif number % 3 == 0:
                    await asyncio.sleep(0)
            assert pending
            await asyncio.wait([pending], timeout=5)
            gc.collect()
            if not half:
                tracemalloc.start()
            sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert sizes[1] - sizes[0] < 3_000_000, sizes
        async with asyncio.timeout(5):
            while w.completer._running or w.server.open_connections > 20:
                await asyncio.sleep(0.05)
        tasks = [task.get_name() for task in asyncio.all_tasks()]
        assert tasks.count("completion") == 0
        w.tracker.close()
        await w.log.flush()
        with sqlite3.connect(tmp_path / "events.sqlite3") as database:
            kinds = dict(
                database.execute(
                    "SELECT suggestion_id, group_concat(kind) FROM events WHERE kind != 'requested' GROUP BY 1"
                ).fetchall()
            )
        shown = [kind.split(",") for kind in kinds.values() if "shown" in kind]
        assert len(shown) > 20
        outcomes = {"accepted", "partially_accepted", "rejected", "ignored"}
        assert all(sum(kind in outcomes for kind in each) == 1 for each in shown)
