"""Edits and reviews on the disk: what is applied, refused, undone and recovered."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.edits.apply import FileChange, Operation, Outcome, Rejection, Reviews, resolve
from lido.edits.files import FileText, Refused, Workspace
from lido.edits.formats import FileEdit, Lines, Replace, Whole, parse
from lido.edits.journal import Busy, Image, Journal


class Disk:
    """A workspace on disk with reviews over it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "w"
        self.root.mkdir()
        self.folder = folder / "journal"
        self.workspace = Workspace([self.root])
        self.journal = Journal(self.folder)
        self.outcomes: list[Outcome] = []
        self.reviews = Reviews(self.workspace, self.journal, on_outcome=self.outcomes.append)

    def put(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def get(self, name: str) -> bytes | None:
        path = self.root / name
        return path.read_bytes() if path.exists() else None

    def change(self, name: str, old: str, new: str) -> FileChange:
        before = self.workspace.read(name)
        assert before is not None
        return FileChange(name, "modify", before, before.replace(old, new))

    async def accept(self, *changes: FileChange) -> str:
        made = await self.reviews.open(changes)
        outcomes = await self.reviews.decide(made.id, [h.id for f in made.files for h in f.hunks], "accept")
        assert [o.kind for o in outcomes] == ["accepted"] * len(outcomes), outcomes
        return made.id


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def _rejected(edits: list[FileEdit], files: dict[str, str]) -> Rejection:
    resolution = resolve(edits, files.get)
    assert not resolution.changes
    return resolution.rejected[0]


# ---------------------------------------------------------------- resolving


def test_one_bad_edit_keeps_its_whole_file_out() -> None:
    edits = parse(
        "a.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n"
        "<<<<<<< SEARCH\nnowhere\n=======\nz\n>>>>>>> REPLACE\n"
        "b.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n"
    ).edits
    resolution = resolve(edits, {"a.py": "x\n", "b.py": "x\n"}.get)
    assert [c.path for c in resolution.changes] == ["b.py"]
    assert [(r.path, r.reason) for r in resolution.rejected] == [("a.py", "not_found")]
    assert "nowhere" in resolution.feedback()


def test_an_edit_on_top_of_another_is_applied_after_it() -> None:
    first = Replace("a\n", "a\nb\n")
    second = Replace("b\n", "c\n")
    resolution = resolve([FileEdit("f", "modify", "search_replace", (first, second))], {"f": "a\n"}.get)
    assert resolution.changes[0].after == "a\nc\n"


def test_overlapping_edits_are_refused() -> None:
    edits = (Lines(0, 2, "x\n"), Lines(1, 3, "y\n"))
    rejection = _rejected([FileEdit("f", "modify", "json", edits)], {"f": "a\nb\nc\n"})
    assert rejection.reason == "overlap"


def test_a_result_that_parses_worse_is_refused() -> None:
    edit = FileEdit("f", "modify", "search_replace", (Replace("a\n", "(\n"),))
    resolution = resolve([edit], {"f": "a\n"}.get, lambda _, text: text.count("("))
    assert resolution.rejected[0].reason == "syntax"
    assert resolve([edit], {"f": "((\na\n"}.get, lambda _, text: min(text.count("("), 2)).changes


def test_a_code_block_that_is_a_piece_does_not_empty_the_file() -> None:
    before = "".join(f"def f{n}():\n    return {n}\n\n\n" for n in range(30))
    example = "Use it in `a.py`:\n```python\nprint('hello')\n```\n"
    assert _rejected(list(parse(example).edits), {"a.py": before}).reason == "weak"
    piece = "a.py\n```python\ndef f3():\n    return 333\n```\n"
    (change,) = resolve(parse(piece).edits, {"a.py": before}.get).changes
    assert change.after == before.replace("return 3\n", "return 333\n")


def test_blank_lines_that_a_rewrite_loses_stay() -> None:
    before = "import os\n\n\ndef a():\n    return 1\n\n\ndef b():\n    return 2\n"
    answer = "a.py\n```\nimport os\n\ndef a():\n    return 1\n\ndef b():\n    return 3\n```\n"
    (change,) = resolve(parse(answer).edits, {"a.py": before}.get).changes
    assert change.after == before.replace("return 2", "return 3")


@pytest.mark.parametrize(
    "answer",
    [
        "a.py\n```\nretry.py\n=======\nx = 1\ny = 2\nz = 4\n```\n",
        "a.py\n```\nx = 1\ny = 2\nz = 4\n>>>>>>> REPLACE\n```\n",
    ],
)
def test_the_debris_of_a_broken_block_is_no_file(answer: str) -> None:
    assert not resolve(parse(answer).edits, {"a.py": "x = 1\ny = 2\nz = 3\n"}.get).changes


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_endings_and_the_last_one_stay_as_they_are(ending: str, last: bool) -> None:
    text = ending.join(["one", "two", "three"]) + (ending if last else "")
    whole = FileEdit("f", "modify", "whole_file", (Whole("one\n2\nthree\n", explicit=True),))
    quoted = FileEdit("f", "modify", "search_replace", (Replace("two\nthree\n", "2\nthree\n"),))
    patch = FileEdit("f", "modify", "unified_diff", (Replace("three\n", "drei\nvier\n", ordered=True),))
    rewritten = ["one", "2", "three"]
    for edit, expected in ((whole, rewritten), (quoted, rewritten), (patch, ["one", "two", "drei", "vier"])):
        (change,) = resolve([edit], {"f": text}.get).changes
        assert change.after == ending.join(expected) + (ending if last else "")


# ---------------------------------------------------------------- bytes


@pytest.mark.parametrize(
    "data",
    [
        "ä\r\nb".encode("utf-8-sig"), "ä\n".encode("utf-16"), b"\xff\xfea\x00\n\x00", "ä\n".encode("latin-1"),
        b"\x81\x9d\n", b"\xed\xa0\x80 wtf-8\n", b"", "سلام 😀".encode(),
    ],
)  # fmt: skip
def test_what_is_read_is_written_back_byte_for_byte(data: bytes) -> None:
    file = FileText.decode(data)
    assert file.encode(file.text) == data


@given(st.binary(max_size=200))
def test_any_bytes_come_back_or_are_refused(data: bytes) -> None:
    try:
        file = FileText.decode(data)
    except Refused:
        return
    assert file.encode(file.text) == data


def test_a_character_that_the_files_encoding_lacks_is_refused() -> None:
    with pytest.raises(Refused, match=r"U\+1F600"):
        FileText.decode("ä\n".encode("latin-1")).encode("😀")


async def test_encoding_and_mode_survive_an_edit_and_its_undo(disk: Disk) -> None:
    data = b"\xef\xbb\xbfa = 1\r\nb = 2"
    disk.put("s.sh", data)
    (disk.root / "s.sh").chmod(0o755)
    review_id = await disk.accept(disk.change("s.sh", "b = 2", "b = 3"))
    assert disk.get("s.sh") == b"\xef\xbb\xbfa = 1\r\nb = 3"
    assert (disk.root / "s.sh").stat().st_mode & 0o777 == 0o755
    await disk.reviews.undo(review_id)
    assert disk.get("s.sh") == data


# ---------------------------------------------------------------- hostile paths


@pytest.mark.parametrize(
    "name",
    [
        "../out.txt", "a/../../out.txt", "/etc/passwd", "/dev/zero", "~/x", "a\0b", "a\nb", "", "x" * 5000,
        ".git/config", "sub/.git/hooks/pre-commit", "link/out.txt", "pipe", "a.txt/b.txt", "dir", "dir/",
        "..\\out.txt", "//etc/passwd", "bad\ud800name",
    ],
)  # fmt: skip
async def test_paths_that_lead_elsewhere_are_refused(disk: Disk, tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").mkdir()
    (disk.root / "link").symlink_to(tmp_path / "outside")
    (disk.root / "dir").mkdir()
    disk.put("a.txt", b"a\n")
    os.mkfifo(disk.root / "pipe")
    edit = FileEdit(name, "modify", "whole_file", (Whole("x\n", explicit=True),))
    start = time.monotonic()
    resolution = resolve([edit], disk.workspace.read)
    assert time.monotonic() - start < 1
    assert not resolution.changes
    assert resolution.rejected[0].message
    with pytest.raises(Refused):
        await disk.reviews.open([FileChange(name, "create", None, "x")])
    assert not list((tmp_path / "outside").iterdir())


async def test_a_folder_swapped_for_a_link_after_the_review_is_not_followed(
    disk: Disk, tmp_path: Path
) -> None:
    disk.put("d/a.txt", b"a\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_bytes(b"a\n")
    made = await disk.reviews.open([disk.change("d/a.txt", "a", "b")])
    (disk.root / "d/a.txt").unlink()
    (disk.root / "d").rmdir()
    (disk.root / "d").symlink_to(outside)
    outcomes = await disk.reviews.decide(made.id, [made.files[0].hunks[0].id], "accept")
    assert outcomes[0].kind == "failed"
    assert (outside / "a.txt").read_bytes() == b"a\n"


def test_binary_and_huge_files_are_not_edited(disk: Disk) -> None:
    disk.put("b.bin", b"\x00\x01\x02")
    disk.put("big.txt", b"a" * (17 * 2**20))
    for name in ("b.bin", "big.txt"):
        edit = FileEdit(name, "modify", "search_replace", (Replace("a", "b"),))
        assert resolve([edit], disk.workspace.read).rejected[0].reason == "refused"


def test_blocked_files_are_not_edited(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=1\n")
    workspace = Workspace([tmp_path], lambda path: "it may hold secrets" if path.name == ".env" else None)
    edit = FileEdit(".env", "modify", "search_replace", (Replace("KEY=1", "KEY=2"),))
    assert resolve([edit], workspace.read).rejected[0].message == "it may hold secrets"


def test_with_no_folder_open_only_open_files_are_edited(tmp_path: Path) -> None:
    file, other = tmp_path / "a.py", tmp_path / "b.py"
    for path in (file, other):
        path.write_text("x\n")
    workspace = Workspace([], opened=lambda path: "x\n" if path == file else None)
    assert workspace.read(str(file)) == "x\n"
    for name in (str(other), "a.py"):
        with pytest.raises(Refused):
            workspace.read(name)


# ---------------------------------------------------------------- deciding and undoing


async def test_create_delete_and_rename_and_back(disk: Disk) -> None:
    disk.put("old.txt", b"old\n")
    disk.put("gone.txt", b"gone\r\n")
    review_id = await disk.accept(
        FileChange("new/a.txt", "create", None, "a\n"),
        FileChange("gone.txt", "delete", "gone\r\n", None),
        FileChange("old.txt", "rename", "old\n", "changed\n", "moved.txt"),
    )
    assert (disk.get("new/a.txt"), disk.get("gone.txt")) == (b"a\n", None)
    assert (disk.get("old.txt"), disk.get("moved.txt")) == (None, b"changed\n")
    undone = await disk.reviews.undo(review_id)
    assert not undone.failed
    assert (disk.get("old.txt"), disk.get("gone.txt"), disk.get("moved.txt")) == (b"old\n", b"gone\r\n", None)
    assert not (disk.root / "new").exists()


async def test_where_one_file_cannot_be_written_none_is(disk: Disk) -> None:
    disk.put("a.txt", b"a\n")
    made = await disk.reviews.open(
        [disk.change("a.txt", "a", "A"), FileChange("b.txt", "create", None, "b\n")]
    )
    disk.put("b.txt", b"someone else's\n")
    outcomes = await disk.reviews.decide(made.id, [h.id for f in made.files for h in f.hunks], "accept")
    assert {o.kind for o in outcomes} == {"failed"}
    assert (disk.get("a.txt"), disk.get("b.txt")) == (b"a\n", b"someone else's\n")


async def test_a_file_to_be_deleted_that_changed_since_is_kept(disk: Disk) -> None:
    disk.put("b.txt", b"b\n")
    made = await disk.reviews.open([FileChange("b.txt", "delete", "b\n", None)])
    disk.put("b.txt", b"more\n")
    outcomes = await disk.reviews.decide(made.id, [made.files[0].hunks[0].id], "accept")
    assert outcomes[0].kind == "conflict"
    assert disk.get("b.txt") == b"more\n"


async def test_undo_after_a_restart_keeps_later_edits_elsewhere(disk: Disk) -> None:
    disk.put("a.txt", b"1\n2\n3\n4\n5\n6\n")
    review_id = await disk.accept(disk.change("a.txt", "2\n", "two\n"))
    disk.put("a.txt", b"1\ntwo\n3\n4\n5\nsix\n")
    again = Reviews(disk.workspace, Journal(disk.folder), on_outcome=disk.outcomes.append)
    undone = await again.undo(review_id)
    assert not undone.failed
    assert disk.get("a.txt") == b"1\n2\n3\n4\n5\nsix\n"
    assert disk.outcomes[-1].kind == "undone"
    assert (await again.undo(review_id)).failed  # there is nothing left


async def test_undo_says_what_it_cannot_restore(disk: Disk) -> None:
    disk.put("a.txt", b"1\n2\n3\n4\n5\n6\n")
    review_id = await disk.accept(
        disk.change("a.txt", "2\n", "two\n"), FileChange("n.txt", "create", None, "n\n")
    )
    disk.put("a.txt", b"1\nTWO!\n3\n4\n5\n6\n")
    disk.put("n.txt", b"n\nmore\n")
    undone = await disk.reviews.undo(review_id)
    assert not undone.restored
    assert len(undone.failed) == 2
    assert "line" in undone.failed[0]
    assert disk.get("a.txt") == b"1\nTWO!\n3\n4\n5\n6\n"


async def test_hunks_accepted_one_by_one_are_undone_together(disk: Disk) -> None:
    original = "".join(f"{n}\n" for n in range(40)).encode()
    disk.put("a.txt", original)
    before = original.decode()
    after = before.replace("5\n", "five\n", 1).replace("20\n", "twenty\n").replace("33\n", "")
    made = await disk.reviews.open([FileChange("a.txt", "modify", before, after)])
    for hunk in reversed(made.files[0].hunks):
        await disk.reviews.decide(made.id, [hunk.id], "accept")
        disk.put("a.txt", b"typed\n" + (disk.get("a.txt") or b""))
    await disk.reviews.undo(made.id)
    assert disk.get("a.txt") == b"typed\n" * len(made.files[0].hunks) + original


async def test_a_conflict_shows_both_texts_and_is_not_applied(disk: Disk) -> None:
    disk.put("a.txt", b"1\n2\n3\n")
    made = await disk.reviews.open([disk.change("a.txt", "2", "two")])
    disk.put("a.txt", b"1\nzwei\n3\n")
    hunk = made.files[0].hunks[0]
    outcomes = await disk.reviews.decide(made.id, [hunk.id], "accept")
    assert outcomes[0].kind == "conflict"
    now = disk.reviews.get(made.id).hunk(hunk.id)
    assert now is not None
    assert (now.new, now.conflict_text) == ("two\n", "zwei\n")
    assert disk.get("a.txt") == b"1\nzwei\n3\n"


async def test_every_hunk_ends_in_one_outcome(disk: Disk) -> None:
    before = "".join(f"{n}\n" for n in range(1, 10))
    disk.put("a.txt", before.encode())
    after = before.replace("2", "b").replace("8", "h")
    made = await disk.reviews.open([FileChange("a.txt", "modify", before, after)])
    first, second = made.files[0].hunks
    for decision in ("accept", "reject", "accept"):
        await disk.reviews.decide(made.id, [first.id], decision)  # type: ignore[arg-type]
    await disk.reviews.decide(made.id, [second.id], "reject")
    await disk.reviews.decide(made.id, [second.id], "accept")
    kinds = [(o.hunk_id, o.kind) for o in disk.outcomes]
    assert kinds == [
        (first.id, "shown"),
        (second.id, "shown"),
        (first.id, "accepted"),
        (second.id, "rejected"),
    ]


# ---------------------------------------------------------------- an editor that misbehaves


async def test_what_an_editor_applied_only_in_part_is_taken_back(disk: Disk) -> None:
    disk.put("a.txt", b"a\n")
    disk.put("b.txt", b"b\n")
    calls: list[list[Operation]] = []

    async def half(operations: object, label: str) -> bool:
        batch = list(operations)  # type: ignore[call-overload]
        calls.append(batch)
        first = batch[0]
        text = first.text
        for edit in reversed(first.edits):
            text = text[: edit.start] + edit.text + text[edit.end :]
        Path(first.path).write_text(text)
        return len(calls) > 1

    reviews = Reviews(disk.workspace, disk.journal, half)
    made = await reviews.open([disk.change("a.txt", "a", "A"), disk.change("b.txt", "b", "B")])
    outcomes = await reviews.decide(made.id, [h.id for f in made.files for h in f.hunks], "accept")
    assert {o.kind for o in outcomes} == {"failed"}
    assert "taken back" in outcomes[0].message
    assert (disk.get("a.txt"), disk.get("b.txt")) == (b"a\n", b"b\n")


async def test_the_before_image_is_durable_before_the_editor_is_asked(disk: Disk) -> None:
    disk.put("a.txt", b"a\n")
    seen: list[bytes | None] = []

    async def look(operations: object, label: str) -> bool:
        (entry,) = Journal(disk.folder).entries()
        seen.append(entry.images[0].before)
        assert entry.state == "begun"
        return True

    reviews = Reviews(disk.workspace, disk.journal, look)
    made = await reviews.open([disk.change("a.txt", "a", "A")])
    await reviews.decide(made.id, [made.files[0].hunks[0].id], "accept")
    assert seen == [b"a\n"]


async def test_what_the_editor_cannot_do_is_done_here(disk: Disk) -> None:
    async def edits_only(operations: object, label: str) -> bool:
        raise AssertionError("only a creation was decided")

    reviews = Reviews(disk.workspace, disk.journal, edits_only, editor_can=lambda kind: kind == "edit")
    made = await reviews.open([FileChange("n.txt", "create", None, "n\n")])
    outcomes = await reviews.decide(made.id, [made.files[0].hunks[0].id], "accept")
    assert outcomes[0].kind == "accepted"
    assert disk.get("n.txt") == b"n\n"


# ---------------------------------------------------------------- the journal


def test_two_servers_wait_for_each_other(disk: Disk) -> None:
    path = disk.root / "a.txt"
    other = Journal(disk.folder)
    with disk.journal.lock([path]):
        with pytest.raises(Busy), other.lock([path], timeout=0.05):
            pass
        with other.lock([disk.root / "b.txt"], timeout=0.05):
            pass
    with other.lock([path], timeout=0.05):
        pass


def test_recovery_leaves_alone_what_a_living_server_writes(disk: Disk) -> None:
    path = disk.root / "a.txt"
    disk.put("a.txt", b"b\n")
    entry = disk.journal.begin("r", [Image(path, b"a\n", b"b\n")], "disk")
    with disk.journal.lock([path]):
        assert Journal(disk.folder).recover() == []
    (recovered,) = Journal(disk.folder).recover()
    assert recovered.entry.id == entry.id
    assert disk.get("a.txt") == b"a\n"


def test_recovery_does_not_overwrite_what_someone_wrote_since(disk: Disk) -> None:
    disk.put("a.txt", b"mine\n")
    disk.journal.begin("r", [Image(disk.root / "a.txt", b"a\n", b"b\n")], "disk")
    (recovered,) = Journal(disk.folder).recover()
    assert "was changed since" in recovered.problems[0]
    assert disk.get("a.txt") == b"mine\n"


def test_old_entries_are_forgotten_and_unfinished_ones_kept(disk: Disk) -> None:
    done = disk.journal.begin("r", [Image(disk.root / "a", None, b"b\n")], "disk")
    disk.journal.finish(done, "done")
    disk.journal.begin("r", [Image(disk.root / "b", None, b"b\n")], "disk")
    assert disk.journal.prune(keep_seconds=-1) == 1
    assert [e.state for e in disk.journal.entries()] == ["begun"]


async def test_many_decisions_at_once_are_made_one_after_the_other(disk: Disk) -> None:
    text = "".join(f"{n}\n\n\n" for n in range(20))
    disk.put("a.txt", text.encode())
    made = await disk.reviews.open([FileChange("a.txt", "modify", text, text.replace("\n\n\n", "!\n\n\n"))])
    ids = [h.id for h in made.files[0].hunks]
    await asyncio.gather(*(disk.reviews.decide(made.id, [i], "accept") for i in ids))
    assert disk.get("a.txt") == text.replace("\n\n\n", "!\n\n\n").encode()


async def test_without_an_editor_that_takes_edits_an_unsaved_document_is_left_alone(disk: Disk) -> None:
    name = "untitled:Untitled-1"
    workspace = Workspace([disk.root], opened={Path(name): "one\n"}.get)
    reviews = Reviews(workspace, disk.journal)
    made = await reviews.open([FileChange(name, "modify", "one\n", "two\n")])
    (outcome,) = await reviews.decide(made.id, [made.files[0].hunks[0].id], "accept")
    assert outcome.kind == "failed"
    assert "save it first" in outcome.message
    assert not list(disk.root.iterdir())
    with pytest.raises(Refused, match="stream"):
        workspace.read("untitled:Untitled-2")  # not open
