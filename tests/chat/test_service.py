import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.scripted_models import LARGE, SMALL, ScriptedModels
from lido.chat.conversations import Conversations, StoredMessage, UnknownConversation
from lido.chat.service import Answer, Chat, build_request, citations, expand
from lido.events.attribution import Context, Tracker
from lido.events.store import EventLog
from lido.models.base import ModelError
from lido.settings import PrivacySettings
from lido.workspace.attachments import Attachment, Attachments, tokens
from lido.workspace.privacy import Privacy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text("def total():\n    return 1\n")
    (root / ".env").write_text("KEY=topsecretvalue\n")
    return root


@pytest.fixture
async def make(tmp_path: Path, root: Path):
    stores = []

    def build(*answers, capabilities=LARGE):
        models = ScriptedModels(*answers, capabilities=capabilities)
        store = Conversations(tmp_path / "c.sqlite3")
        stores.append(store)
        return Chat(models, store, Attachments([root], Privacy([root], PrivacySettings()).blocked)), models

    yield build
    for store in stores:
        await store.close()


async def collect(stream) -> tuple[str, Answer]:
    pieces = [piece async for piece in stream]
    assert isinstance(pieces[-1], Answer)
    return "".join(pieces[:-1]), pieces[-1]


async def test_an_answer_streams_and_is_stored(make, root: Path):
    chat, models = make("Change it:\n```python\nreturn 2\n```\n")
    streamed, answer = await collect(chat.send(None, "Why?", [Attachment("file", root / "a.py")]))
    assert streamed == answer.text == "Change it:\n```python\nreturn 2\n```\n"
    assert [(b.path, b.text) for b in answer.code_blocks] == [("a.py", "return 2\n")]
    stored = await chat.store.get(answer.conversation_id)
    assert [(m.role, m.complete) for m in stored.messages] == [("user", True), ("assistant", True)]
    assert stored.messages[1].id == answer.message_id
    assert "def total()" in models.requests[0].messages[-1].content
    assert stored.title == "Why?"


async def test_a_follow_up_has_the_earlier_turns(make, root: Path):
    chat, models = make("One.", "Two.")
    _, first = await collect(chat.send(None, "Q1", [Attachment("file", root / "a.py")]))
    await collect(chat.send(first.conversation_id, "Q2"))
    contents = [(m.role, m.content) for m in models.requests[1].messages[1:]]
    assert [r for r, _ in contents] == ["user", "assistant", "user"]
    assert "def total()" in contents[0][1]
    assert contents[1:] == [("assistant", "One."), ("user", "Q2")]


async def test_cancelling_closes_the_model_and_keeps_what_came(make):
    chat, models = make("A first part…hang…")
    task = asyncio.create_task(collect(chat.send(None, "Q")))
    await models.hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert models.closed == 1
    (summary,) = await chat.store.list()
    last = (await chat.store.get(summary.id)).messages[-1]
    assert (last.role, last.text, last.complete) == ("assistant", "A first part", False)


async def test_a_failing_model_leaves_the_question_to_retry(make):
    chat, _ = make(ModelError("unreachable", "The model cannot be reached."), "Now.")
    with pytest.raises(ModelError):
        await collect(chat.send(None, "Q"))
    (summary,) = await chat.store.list()
    _, answer = await collect(chat.retry(summary.id))
    assert answer.text == "Now."
    assert [m.text for m in (await chat.store.get(summary.id)).messages] == ["Q", "Now."]


async def test_retry_replaces_the_answer(make):
    chat, models = make("Bad.", "Good.")
    _, first = await collect(chat.send(None, "Q"))
    await collect(chat.retry(first.conversation_id))
    assert [m.text for m in (await chat.store.get(first.conversation_id)).messages] == ["Q", "Good."]
    assert models.requests[0] == models.requests[1]


async def test_an_edited_question_takes_the_place_of_the_old_one(make):
    chat, _ = make("A1", "A2", "B")
    _, first = await collect(chat.send(None, "Q1"))
    await collect(chat.send(first.conversation_id, "Q2"))
    old = (await chat.store.get(first.conversation_id)).messages[0].id
    await collect(chat.send(first.conversation_id, "Q1 edited", replaces=old))
    assert [m.text for m in (await chat.store.get(first.conversation_id)).messages] == ["Q1 edited", "B"]


async def test_secret_files_are_not_read_and_the_person_is_told(make, root: Path):
    chat, models = make("ok")
    _, answer = await collect(chat.send(None, "Q", [Attachment("file", root / ".env")]))
    assert any(".env" in note and "secret" in note for note in answer.notes)
    assert "topsecretvalue" not in repr(models.requests)


async def test_citations_that_do_not_exist_are_pointed_out(make, root: Path):
    chat, _ = make("See a.py:2 and a.py:99 and gone.py:3.")
    _, answer = await collect(chat.send(None, "Q", [Attachment("file", root / "a.py")]))
    assert [n for n in answer.notes if "a.py:99" in n] == [
        "The answer cites a.py:99, but the file has 2 lines."
    ]
    assert [n for n in answer.notes if "gone.py:3" in n] == [
        "The answer cites gone.py:3, but there is no such file."
    ]
    assert not any("a.py:2," in n for n in answer.notes)


async def test_feedback_is_stored(make):
    chat, _ = make("ok")
    _, answer = await collect(chat.send(None, "Q"))
    await chat.feedback(answer.message_id, "down")
    assert (await chat.store.get(answer.conversation_id)).messages[1].rating == "down"
    with pytest.raises(UnknownConversation):
        await chat.feedback("nothing", "up")


def history(*texts: str) -> list[StoredMessage]:
    return [
        StoredMessage(str(i), "c", "assistant" if i % 2 else "user", text, "t")
        for i, text in enumerate(texts)
    ]


@pytest.mark.parametrize("capabilities", [SMALL, LARGE, replace(LARGE, context_window=2048)])
def test_a_request_always_fits(capabilities):
    backend = ScriptedModels(capabilities=capabilities).backend
    long = history(*(f"{i} " + "word " * 900 for i in range(41)))
    built = build_request(long, backend)
    total = sum(tokens(m.content) for m in built.request.messages)
    assert total + built.request.max_tokens <= capabilities.context_window
    assert built.dropped > 0
    assert built.request.messages[1].role == "user"
    assert built.request.messages[-1].content.startswith("40 ")


def test_slash_commands_and_whole_workspace_questions_expand():
    text, attachments = expand("/commit briefly", [])
    assert text.startswith("Write a commit message")
    assert text.endswith("briefly")
    assert [a.kind for a in attachments] == ["diff"]
    text, attachments = expand("@workspace where are totals made?", [])
    assert text == "where are totals made?"
    assert [a.kind for a in attachments] == ["workspace"]
    assert expand("/usr/bin is a path", []) == ("/usr/bin is a path", [])


def test_citations_outside_code():
    text = "`src/a.py:10` and b.go:3, http://x.io:80\n```\nc.py:1\n```\n"
    assert citations(text) == [("src/a.py", 10), ("b.go", 3)]


async def test_every_answer_shown_has_one_outcome(tmp_path: Path, root: Path):

    log = EventLog(tmp_path / "events.sqlite3")
    tracker = Tracker(log, Context())
    store = Conversations(tmp_path / "c.sqlite3")
    models = ScriptedModels("a", "b", "c", ModelError("timeout", "Too slow."), "part…hang…")
    chat = Chat(models, store, Attachments([root], Privacy([root], PrivacySettings()).blocked), tracker)
    ids = [(await collect(chat.send(None, "Q")))[1].message_id for _ in range(3)]
    await chat.feedback(ids[0], "up")
    await chat.feedback(ids[1], "down")
    with pytest.raises(ModelError):
        await collect(chat.send(None, "Q"))
    task = asyncio.create_task(collect(chat.send(None, "Q")))
    await models.hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    tracker.close()
    order = ["requested", "shown", "accepted", "rejected", "ignored"]
    await log.flush()
    log.close()
    kinds: dict[str, list[str]] = {}
    with closing(sqlite3.connect(tmp_path / "events.sqlite3")) as db:
        for suggestion, kind in db.execute("SELECT suggestion_id, kind FROM events ORDER BY id"):
            kinds.setdefault(suggestion, []).append(kind)
    await store.close()
    assert [sorted(kinds[i], key=order.index) for i in ids] == [
        ["requested", "shown", "accepted"],
        ["requested", "shown", "rejected"],
        ["requested", "shown", "ignored"],
    ]
    assert sorted(k for i, found in kinds.items() if i not in ids for k in found) == [
        "error", "ignored", "requested", "requested", "shown",
    ]  # fmt: skip
