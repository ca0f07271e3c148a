"""Open reviews on disk: what comes back after a restart, how it fits the files by then, and what is let go."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.edits import shelf
from lido.edits.apply import FileChange, Operation, Reviews
from lido.edits.files import Workspace
from lido.edits.hunks import apply_edits
from lido.edits.journal import Journal
from lido.edits.review import Review
from lido.edits.shelf import Shelf


class Desk:
    """Servers one after the other on the same workspace and home."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "w"
        self.root.mkdir()
        self.home = folder
        self.servers: list[Reviews] = []
        for name in ("a", "b", "gone", "old"):
            (self.root / f"{name}.txt").write_text(f"{name} one\ntwo\nthree\n")

    def server(self, root: Path | None = None) -> Reviews:
        made = Reviews(
            Workspace([root or self.root]),
            Journal(self.home / "journal"),
            shelf=Shelf(self.home / "reviews"),
        )
        self.servers.append(made)
        return made

    async def opened(self) -> tuple[Reviews, Review]:
        reviews = self.server()
        review = await reviews.open(
            [
                FileChange("a.txt", "modify", "a one\ntwo\nthree\n", "a 1\ntwo\n3\n"),
                FileChange("gone.txt", "delete", "gone one\ntwo\nthree\n", None),
                FileChange("new/n.txt", "create", None, "new\n"),
                FileChange("old.txt", "rename", "old one\ntwo\nthree\n", "old 1\ntwo\nthree\n", "moved.txt"),
            ],
            "Numbers",
            "plan",
        )
        return reviews, review

    async def after_restart(self) -> tuple[Reviews, Review]:
        """As if the last server had died: its locks are gone."""
        self.servers[-1].close()
        reviews = self.server()
        (review,) = await reviews.restore()
        return reviews, review


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def states(review: Review) -> dict[str, list[str]]:
    return {Path(f.path).name: [h.state for h in f.hunks] for f in review.files}


async def test_all_kinds_of_changes_come_back_and_can_be_accepted(desk: Desk) -> None:
    _, before = await desk.opened()
    reviews, review = await desk.after_restart()
    assert (review.id, review.title, review.origin) == (before.id, "Numbers", "plan")
    assert states(review) == states(before)
    old, new = ({h.id for f in r.files for h in f.hunks} for r in (before, review))
    assert not old & new  # each is offered, and so counted, a second time
    outcomes = await reviews.decide(review.id, new, "accept")
    assert {o.kind for o in outcomes} == {"accepted"}
    found = {p.relative_to(desk.root).as_posix(): p.read_text() for p in desk.root.rglob("*") if p.is_file()}
    assert found == {
        "a.txt": "a 1\ntwo\n3\n",
        "b.txt": "b one\ntwo\nthree\n",
        "new/n.txt": "new\n",
        "moved.txt": "old 1\ntwo\nthree\n",
    }
    assert not list((desk.home / "reviews").iterdir())


async def test_what_happened_to_the_files_meanwhile_is_seen(desk: Desk) -> None:
    await desk.opened()
    (desk.root / "a.txt").write_text("zero\na one\ntwo\nthird\n")
    (desk.root / "gone.txt").write_text("precious\n")
    (desk.root / "new").mkdir()
    (desk.root / "new/n.txt").write_text("somebody else's\n")
    (desk.root / "old.txt").unlink()
    reviews, review = await desk.after_restart()
    assert states(review) == {
        "a.txt": ["pending", "conflict"],
        "gone.txt": ["conflict"],
        "n.txt": ["conflict"],
        "old.txt": ["conflict", "conflict"],
    }
    texts = {Path(f.path).name: f.hunks[-1].conflict_text for f in review.files}
    assert texts == {
        "a.txt": "third\n",
        "gone.txt": "precious\n",
        "n.txt": "somebody else's\n",
        "old.txt": "",
    }
    ids = [h.id for f in review.files for h in f.hunks]
    outcomes = {o.kind for o in await reviews.decide(review.id, ids, "accept")}
    assert outcomes == {"accepted", "conflict"}
    assert (desk.root / "a.txt").read_text() == "zero\na 1\ntwo\nthird\n"
    assert (desk.root / "gone.txt").read_text() == "precious\n"
    assert (desk.root / "new/n.txt").read_text() == "somebody else's\n"
    # The person has seen both texts and wants the proposed ones.
    kinds = {Path(o.path).name: o.kind for o in await reviews.decide(review.id, ids[1:], "accept", take=True)}
    assert kinds == {"a.txt": "accepted", "gone.txt": "accepted", "n.txt": "conflict", "old.txt": "conflict"}
    assert (desk.root / "a.txt").read_text() == "zero\na 1\ntwo\n3\n"
    assert not (desk.root / "gone.txt").exists()
    await reviews.undo(review.id)
    assert (desk.root / "a.txt").read_text() == "zero\na one\ntwo\nthird\n"
    assert (desk.root / "gone.txt").read_text() == "precious\n"


async def test_a_file_that_comes_back_is_pending_again(desk: Desk) -> None:
    await desk.opened()
    text = (desk.root / "a.txt").read_text()
    (desk.root / "a.txt").unlink()
    reviews, review = await desk.after_restart()
    assert states(review)["a.txt"] == ["conflict", "conflict"]
    (desk.root / "a.txt").write_text(text)
    hunks = [h.id for h in review.files[0].hunks]
    assert [o.kind for o in await reviews.decide(review.id, hunks, "accept")] == ["accepted", "accepted"]


async def test_what_was_decided_before_the_crash_is_not_asked_again(desk: Desk) -> None:
    reviews, review = await desk.opened()
    kept = desk.home / "reviews" / f"{review.id}.json"
    undecided = kept.read_bytes()
    ids = [h.id for f in review.files for h in f.hunks]
    await reviews.decide(review.id, ids[:1], "accept")
    await reviews.decide(review.id, ids[2:4], "accept")
    kept.write_bytes(undecided)  # it died before the review was kept once more
    _, again = await desk.after_restart()
    assert states(again) == {
        "a.txt": ["accepted", "pending"],
        "gone.txt": ["accepted"],
        "n.txt": ["accepted"],
        "old.txt": ["pending", "pending"],
    }
    reviews, again = desk.servers[-1], again
    undone = await reviews.undo(again.id)
    assert undone.failed == ()
    assert (desk.root / "a.txt").read_text() == "a one\ntwo\nthree\n"
    assert (desk.root / "gone.txt").exists()
    _, third = await desk.after_restart()
    assert states(third)["a.txt"] == ["undone", "pending"]


@pytest.mark.parametrize("kept", [True, False], ids=["kept since", "not kept since"])
async def test_what_the_person_left_out_in_the_editors_preview_is_still_undecided(
    desk: Desk, kept: bool
) -> None:
    """The journal has what was asked of the editor, which left out a part."""
    path = desk.root / "a.txt"

    async def leaves_out_the_last(operations: Sequence[Operation], _label: str) -> bool:
        (operation,) = operations
        path.write_text(apply_edits(operation.text, operation.edits[:-1]))
        return True

    reviews = Reviews(
        Workspace([desk.root]),
        Journal(desk.home / "journal"),
        leaves_out_the_last,
        shelf=Shelf(desk.home / "reviews"),
    )
    text = path.read_text()
    review = await reviews.open(
        [FileChange("a.txt", "modify", text, text.replace("a one", "a 1").replace("three", "3"))]
    )
    before = (desk.home / "reviews" / f"{review.id}.json").read_bytes()
    await reviews.decide(review.id, [h.id for h in review.files[0].hunks], "accept", preview=True)
    if not kept:
        (desk.home / "reviews" / f"{review.id}.json").write_bytes(before)
    reviews.close()
    (again,) = await desk.server().restore()
    assert states(again)["a.txt"] == ["accepted", "pending"]


async def test_reviews_of_other_workspaces_and_of_living_servers_stay_where_they_are(
    desk: Desk, tmp_path: Path
) -> None:
    await desk.opened()
    assert await desk.server().restore() == []
    desk.servers[0].close()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert await desk.server(elsewhere).restore() == []
    assert len(await desk.server().restore()) == 1


async def test_old_and_unreadable_ones_and_too_many_are_let_go(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, old = await desk.opened()
    _, new = await desk.opened()
    for server in desk.servers:
        server.close()
    folder = desk.home / "reviews"
    (folder / "broken.json").write_text('{"review": 1')
    past = time.time() - shelf.KEEP_SECONDS - 60
    os.utime(folder / f"{old.id}.json", (past, past))
    found = await desk.server().restore()
    assert [review.id for review in found] == [new.id]
    assert not (folder / f"{old.id}.json").exists()
    desk.servers[-1].close()
    monkeypatch.setattr(shelf, "MAX_BYTES", 100)
    assert await desk.server().restore() == []
    assert not (folder / f"{new.id}.json").exists()


async def test_a_review_too_large_to_keep_is_still_reviewed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MAX_BYTES", 100)
    reviews, review = await desk.opened()
    assert not list((desk.home / "reviews").glob("*.json"))
    ids = [h.id for h in review.files[0].hunks]
    assert [o.kind for o in await reviews.decide(review.id, ids, "accept")] == ["accepted", "accepted"]


@pytest.mark.skipif(os.name == "nt", reason="permission bits")
async def test_only_the_person_can_read_what_is_kept(desk: Desk) -> None:
    reviews, review = await desk.opened()
    await reviews.decide(review.id, [review.files[0].hunks[0].id], "accept")
    for folder in (desk.home / "reviews", desk.home / "journal"):
        assert folder.stat().st_mode & 0o777 == 0o700
    for path in [*(desk.home / "reviews").iterdir(), *(desk.home / "journal").glob("*/*")]:
        if path.parent.name != "locks":
            assert path.stat().st_mode & 0o777 == 0o600, path


async def test_half_characters_are_kept(desk: Desk) -> None:
    data = b"one\xed\xa0\x80\ntwo\n"
    (desk.root / "a.txt").write_bytes(data)
    reviews = desk.server()
    text = data.decode("utf-8", "surrogatepass")
    await reviews.open([FileChange("a.txt", "modify", text, text.replace("two", "2"))])
    reviews, review = await desk.after_restart()
    await reviews.decide(review.id, [review.files[0].hunks[0].id], "accept")
    assert (desk.root / "a.txt").read_bytes() == b"one\xed\xa0\x80\n2\n"


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "    d\n"]), max_size=12).map("".join)


@given(LINES, LINES, st.sets(st.integers(0, 11)), st.booleans(), st.none() | st.integers(0, 12))
async def test_nothing_is_applied_twice_whenever_the_server_died(
    tmp_path_factory: pytest.TempPathFactory,
    before: str,
    after: str,
    first: set[int],
    stale: bool,
    typed: int | None,
) -> None:
    """Some hunks accepted, then a crash before or after that was kept, then perhaps a line typed somewhere,
    then the rest: exactly the new text, and that line where it was typed, or a conflict."""
    if before == after:
        return
    desk = Desk(tmp_path_factory.mktemp("desk"))
    path = desk.root / "a.txt"
    path.write_text(before)
    reviews = desk.server()
    review = await reviews.open([FileChange("a.txt", "modify", before, after)])
    kept = desk.home / "reviews" / f"{review.id}.json"
    undecided = kept.read_bytes()
    ids = [h.id for h in review.files[0].hunks]
    some = [id_ for n, id_ in enumerate(ids) if n in first]
    await reviews.decide(review.id, some, "accept")
    if stale:
        kept.write_bytes(undecided)
    reviews.close()
    if typed is not None:
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join([*lines[:typed], "typed\n", *lines[typed:]]))
    reviews = desk.server()
    conflicts = False
    for again in await reviews.restore():
        open_ids = [h.id for h in again.files[0].hunks if h.state in ("pending", "conflict")]
        if typed is None:
            assert len(open_ids) == len(ids) - len(some)
        outcomes = await reviews.decide(again.id, open_ids, "accept")
        conflicts = any(o.kind != "accepted" for o in outcomes)
    if conflicts:
        assert typed is not None
        return
    assert path.read_text().replace("typed\n", "") == after
    if typed is None:
        assert (await reviews.undo(review.id)).failed == ()
        assert path.read_text() == before


@given(LINES, LINES, st.sets(st.integers(0, 11)), st.booleans())
async def test_whether_a_dying_servers_edit_was_made_is_seen_in_the_text(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, first: set[int], made: bool
) -> None:
    """The editor was asked, the answer never came: it did as it was asked, or not."""
    if before == after:
        return
    desk = Desk(tmp_path_factory.mktemp("desk"))
    path = desk.root / "a.txt"
    path.write_text(before)
    held = {"text": before}

    async def dies(operations: Sequence[Operation], _label: str) -> bool:
        held["text"] = apply_edits(operations[0].text, operations[0].edits)
        raise asyncio.CancelledError

    reviews = Reviews(
        Workspace([desk.root]), Journal(desk.home / "journal"), dies, shelf=Shelf(desk.home / "reviews")
    )
    review = await reviews.open([FileChange("a.txt", "modify", before, after)])
    ids = [h.id for h in review.files[0].hunks]
    some = [id_ for n, id_ in enumerate(ids) if n in first]
    if some:
        with pytest.raises(asyncio.CancelledError):
            await reviews.decide(review.id, some, "accept")
    reviews.close()
    if made:
        path.write_text(held["text"])
    reviews = desk.server()
    for again in await reviews.restore():
        open_ids = [h.id for h in again.files[0].hunks if h.state in ("pending", "conflict")]
        assert len(open_ids) == len(ids) - (len(some) if made else 0)
        outcomes = await reviews.decide(again.id, open_ids, "accept")
        assert {o.kind for o in outcomes} == {"accepted"}
    assert path.read_text() == after


async def test_one_server_keeps_no_more_than_so_many_open(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MOST", 2)
    reviews = desk.server()
    opened = []
    for number in range(4):
        change = FileChange("a.txt", "modify", "a one\ntwo\nthree\n", f"a {number}\ntwo\nthree\n")
        opened.append(await reviews.open([change], str(number), "plan"))
    kept = sorted(path.stem for path in (desk.home / "reviews").iterdir() if path.suffix == ".json")
    assert kept == sorted(review.id for review in opened[2:])
    hunk = opened[0].files[0].hunks[0].id
    (outcome,) = await reviews.decide(opened[0].id, [hunk], "reject")
    assert outcome.kind == "rejected", "in the session it is there still"
