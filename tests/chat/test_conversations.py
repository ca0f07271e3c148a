import asyncio
import stat
from pathlib import Path

import pytest

from lido.chat.conversations import Conversations, UnknownConversation


@pytest.fixture
async def store(tmp_path: Path):
    store = Conversations(tmp_path / "deep" / "conversations.sqlite3")
    yield store
    await store.close()


async def test_a_conversation_comes_back_in_order(store: Conversations):
    c = await store.create("Basket")
    await store.append(c, "user", "Why?", context=({"title": "a.py", "text": "x"},))
    await store.append(c, "assistant", "Because.", model="qwen", complete=False)
    found = await store.get(c)
    assert found.title == "Basket"
    assert [(m.role, m.text, m.complete) for m in found.messages] == [
        ("user", "Why?", True),
        ("assistant", "Because.", False),
    ]
    assert found.messages[0].context == ({"title": "a.py", "text": "x"},)


async def test_only_the_person_can_read_the_database(store: Conversations, tmp_path: Path):
    await store.create("secret")
    for file in (tmp_path / "deep").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


async def test_search_finds_titles_and_texts_and_takes_wildcards_literally(store: Conversations):
    a = await store.create("About discounts")
    b = await store.create("Other")
    await store.append(b, "user", "50% off, snake_case")
    assert [s.id for s in await store.list("DISCOUNT")] == [a]
    assert [s.id for s in await store.list("50%")] == [b]
    assert [s.id for s in await store.list("snake_")] == [b]
    assert await store.list("e%r") == []
    assert {s.id for s in await store.list()} == {a, b}
    assert len(await store.list(limit=1)) == 1


async def test_delete_removes_the_text_from_the_disk(store: Conversations, tmp_path: Path):
    c = await store.create("t")
    await store.append(c, "user", "xyzzy-unforgettable")
    await store.delete(c)
    with pytest.raises(UnknownConversation):
        await store.get(c)
    await store.close()
    for file in (tmp_path / "deep").iterdir():
        assert b"xyzzy-unforgettable" not in file.read_bytes()


async def test_rename_rate_cut_and_export(store: Conversations):
    c = await store.create("old")
    await store.rename(c, "New title")
    await store.append(c, "user", "one", context=({"title": "a.py"},))
    answer = await store.append(c, "assistant", "two", model="qwen", complete=False)
    await store.rate(answer.id, "up")
    assert (await store.get(c)).messages[1].rating == "up"
    text = await store.export(c)
    assert text.startswith("# New title\n")
    assert "_With a.py_" in text
    assert "two\n\n_(broken off)_" in text
    await store.cut(c, answer.id)
    assert [m.text for m in (await store.get(c)).messages] == ["one"]


async def test_unknown_ids_are_said_to_be_unknown(store: Conversations):
    for call in (
        store.get("x"), store.delete("x"), store.rename("x", "y"), store.rate("x", "up"),
        store.append("x", "user", "t"), store.cut("x", "y"),
    ):  # fmt: skip
        with pytest.raises(UnknownConversation):
            await call


async def test_two_servers_write_at_once(tmp_path: Path):
    stores = [Conversations(tmp_path / "c.sqlite3") for _ in range(2)]
    c = await stores[0].create("shared")
    await asyncio.gather(*(stores[i % 2].append(c, "user", str(i)) for i in range(40)))
    assert sorted(int(m.text) for m in (await stores[1].get(c)).messages) == list(range(40))
    for store in stores:
        await store.close()
