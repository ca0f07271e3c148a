"""The index follows the files: changed, renamed, removed, ignored, and after a crash."""

from __future__ import annotations

import asyncio
import sqlite3

from lido.workspace.index import Index, connect, location, shared, update


def make(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (root / "shop.py").write_text("class Basket:\n    def total(self, rate):\n        return rate\n")
    (root / "main.go").write_text("package main\n\nfunc Start(port int) error { return nil }\n")
    return root, Index(tmp_path / "cache", root)


def test_finds_definitions_and_similar_code(tmp_path):
    root, index = make(tmp_path)
    assert index.definitions(["Basket"]) == []
    assert update(index.path, root) == (2, 0)
    (basket,) = index.definitions(["Basket"])
    assert (basket.path, basket.kind, basket.signature) == ("shop.py", "class", "class Basket:")
    assert [member.name for member in index.members(basket)] == ["total"]
    assert [piece.path for piece in index.similar(["port", "Start"])] == ["main.go"]
    assert update(index.path, root) == (0, 0)


def test_follows_changes_renames_and_removals(tmp_path):
    root, index = make(tmp_path)
    update(index.path, root)
    (root / "shop.py").rename(root / "store.py")
    (root / "main.go").write_text("package main\n\nfunc Stop() {}\n")
    assert update(index.path, root) == (2, 1)
    assert [symbol.path for symbol in index.definitions(["Basket"])] == ["store.py"]
    assert index.definitions(["Start"]) == []
    assert index.similar(["port"]) == []
    assert [symbol.path for symbol in index.definitions(["Stop"])] == ["main.go"]


def test_never_reads_what_is_ignored(tmp_path):
    root, index = make(tmp_path)
    (root / ".gitignore").write_text("shop.py\n")
    (root / "id_rsa.py").write_text("class Hidden: pass\n")
    update(index.path, root, ["*.go"])
    assert index.definitions(["Basket", "Hidden", "Start"]) == []
    assert index.similar(["Basket", "port", "Hidden"]) == []


def test_a_broken_or_older_index_is_made_anew(tmp_path):
    root, index = make(tmp_path)
    index.path.parent.mkdir()
    index.path.write_bytes(b"not a database" * 100)
    assert index.definitions(["Basket"]) == []
    assert update(index.path, root) == (2, 0)
    database = sqlite3.connect(index.path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    assert update(index.path, root) == (2, 0)
    assert len(index.definitions(["Basket"])) == 1


def test_words_of_a_query_language_are_only_words(tmp_path):
    root, index = make(tmp_path)
    update(index.path, root)
    assert index.similar(["AND", "OR", "NEAR", "NOT"]) == []


def test_a_rolled_back_batch_leaves_the_index_whole(tmp_path):
    root, index = make(tmp_path)
    update(index.path, root)
    database = connect(index.path)
    database.execute("BEGIN IMMEDIATE")
    database.execute("DELETE FROM symbol")
    database.close()  # as when the process is killed
    assert len(index.definitions(["Basket"])) == 1


async def test_is_brought_up_to_date_by_a_process_of_its_own(tmp_path):
    _, index = make(tmp_path)
    task = index.refresh()
    assert task
    await asyncio.wait_for(task, 30)
    assert len(index.definitions(["Basket"])) == 1
    assert index.refresh(older_than=60) is task
    await index.close()


def test_each_root_has_its_own(tmp_path):
    assert location(tmp_path, tmp_path / "a") != location(tmp_path, tmp_path / "b")


async def test_sessions_of_one_process_share_the_index_of_a_root(tmp_path, monkeypatch):
    root, _ = make(tmp_path)
    started = []
    start = asyncio.create_subprocess_exec

    async def counted(*command, **options):
        started.append(command)
        return await start(*command, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", counted)
    sessions = [shared(tmp_path / "cache", root) for _ in range(50)]
    other = shared(tmp_path / "cache", root, ["*.go"])
    assert len({id(index) for index in sessions}) == 1
    assert other is not sessions[0], "what is ignored differs"
    running = {index.refresh(older_than=60) for index in sessions}
    assert len(running) == 1
    await running.pop()
    assert len(started) == 1
    for index in sessions[1:]:
        await index.close()
    assert sessions[0].definitions(["Basket"]), "who is left can still read"
    await sessions[0].close()
    await other.close()
    again = shared(tmp_path / "cache", root)
    assert again is not sessions[0]
    await again.close()


async def test_a_session_that_ends_does_not_stop_what_another_waits_for(tmp_path):
    root, _ = make(tmp_path)
    one, two = shared(tmp_path / "cache", root), shared(tmp_path / "cache", root)
    running = one.refresh()
    await one.close()
    await running
    assert two.definitions(["Basket"])
    await two.close()
