"""What a model, a repository or another process may put in the way: refused with a reason, in bounded time,
and nothing written that was not agreed."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.edits.apply import FileChange, Reviews, resolve
from lido.edits.files import Refused, Workspace, real_folder
from lido.edits.formats import FileEdit, Replace, Whole, parse
from lido.edits.hunks import hunks
from lido.edits.journal import Entry, Image, Journal, remove_folders
from lido.workspace.documents import Edit

SECONDS = 8
"""Far above what any of this takes, on a busy machine, and far below what hanging is."""


class Place:
    """A workspace with something precious beside it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.outside = folder / "w", folder / "outside"
        self.root.mkdir()
        self.outside.mkdir()
        (self.outside / "secret.txt").write_bytes(b"secret\n")
        (self.root / "a.txt").write_bytes(b"one\ntwo\nthree\n")
        self.journal = Journal(folder / "journal")
        self.workspace = Workspace([self.root])
        self.reviews = Reviews(self.workspace, self.journal)

    def refused(self, answer: str, default: str | None = "a.txt") -> str:
        """Why nothing of the model's answer is applied."""
        before = self.everything()
        start = time.monotonic()
        parsed = parse(answer, default)
        resolution = resolve(parsed.edits, self.workspace.read)
        assert time.monotonic() - start < SECONDS
        assert resolution.changes == ()
        assert self.everything() == before
        return "; ".join([*parsed.problems, *(r.message for r in resolution.rejected)])

    def everything(self) -> dict[str, bytes]:
        found = {}
        for folder in (self.root, self.outside):
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    found[os.fspath(path)] = path.read_bytes()
        return found

    async def decide(self, change: FileChange) -> str:
        """Accepts the change; "" or why it failed."""
        made = await self.reviews.open([change])
        outcomes = await self.reviews.decide(made.id, [h.id for f in made.files for h in f.hunks], "accept")
        return "; ".join(o.message for o in outcomes if o.kind != "accepted")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def block(search: str, new: str, path: str = "") -> str:
    return f"{path}\n<<<<<<< SEARCH\n{search}\n=======\n{new}\n>>>>>>> REPLACE\n"


# ---------------------------------------------------------------- texts


@pytest.mark.parametrize(
    "bomb",
    [
        "(a+)+$",
        "(a|aa)*b",
        "(.*)*x",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "\\1(?P<n>",
        "[" * 5000,
        "(" * 5000,
        "*" * 5000,
    ],
)
def test_patterns_in_a_quote_are_only_text(place: Place, bomb: str) -> None:
    (place.root / "a.txt").write_text("a" * 5000 + "\n" + "x\n" * 2000)
    assert "not in the file" in place.refused(block(bomb, "x"))
    (place.root / "a.txt").write_text(f"first\n{bomb}\nlast\n")
    (change,) = resolve(parse(block(bomb, "safe"), "a.txt").edits, place.workspace.read).changes
    assert change.after == "first\nsafe\nlast\n"


@pytest.mark.parametrize(
    "line", ["static " * 300_000, "export\t" * 300_000, "a(" * 500_000, "(" * 1_000_000 + "{"]
)
def test_hunks_of_hostile_lines_are_described_in_bounded_time(line: str) -> None:
    start = time.monotonic()
    (hunk,) = hunks(f"{line}\n    x\n", f"{line}\n    y\n")
    assert time.monotonic() - start < SECONDS
    assert len(hunk.description) < 300


@pytest.mark.parametrize(
    "answer",
    [
        block("two", "t\0wo"),
        "a.txt\n```\none\ntwo\nthree\n\0\n```\n",
        "*** Begin Patch\n*** Add File: new.txt\n+a\0b\n*** End Patch\n",
        '{"path": "a.txt", "content": "a\\u0000b\\n"}',
    ],
)
def test_nul_bytes_are_not_written(place: Place, answer: str) -> None:
    assert "NUL" in place.refused(answer)


def test_a_file_with_nul_bytes_is_not_edited(place: Place) -> None:
    (place.root / "a.txt").write_bytes(b"one\0\ntwo\n")
    assert "not a text file" in place.refused(block("two", "2"))


@pytest.mark.parametrize(
    "new", ["x" * 10_000_000, "x\n" * 5_000_000, "two\n" * 2_500_000, "é" * 10_000_000], ids=range(4)
)
def test_hunks_of_ten_megabytes_are_refused(place: Place, new: str) -> None:
    assert "longer than" in place.refused(block("two", new))
    assert "longer than" in place.refused(f"big.txt\n```\n{new}\n```\n", None)
    # Nor where it does not come as text, but by a tool call.
    for edit in (
        FileEdit("a.txt", "modify", "json", (Replace("two\n", new),)),
        FileEdit("big.txt", "create", "json", (Whole(new, explicit=True),)),
    ):
        start = time.monotonic()
        (rejected,) = resolve([edit], place.workspace.read).rejected
        assert time.monotonic() - start < SECONDS
        assert "more than" in rejected.message


def test_quotes_of_ten_megabytes_are_refused(place: Place) -> None:
    assert place.refused(block("two\n" * 2_500_000, "x"))
    assert place.refused(block("x" * 10_000_000, "x"))


@pytest.mark.parametrize(
    "answer",
    [
        block("two", "\ud800"),
        "a.txt\n```\none\ntwo\nthree\n\udfff\n```\n",
        '{"path": "n", "content": "\\ud83d"}',
    ],
)
def test_half_characters_are_not_written(place: Place, answer: str) -> None:
    assert "half a character" in place.refused(answer)


async def test_half_characters_that_a_file_has_stay_as_they_are(place: Place) -> None:
    data = b"one\xed\xa0\x80\ntwo\n"  # as some tools on Windows write
    (place.root / "a.txt").write_bytes(data)
    (change,) = resolve(parse(block("two", "2"), "a.txt").edits, place.workspace.read).changes
    assert await place.decide(change) == ""
    assert (place.root / "a.txt").read_bytes() == b"one\xed\xa0\x80\n2\n"


ODD = st.text(
    st.characters(codec=None, categories=None) | st.sampled_from("\ud800\udfff\r\n\0…"), max_size=60
)


@given(ODD, ODD, ODD)
def test_no_text_breaks_the_engine(before: str, search: str, new: str) -> None:
    edit = FileEdit("a", "modify", "search_replace", (Replace(search, new),))
    for change in resolve([edit], {"a": before}.get).changes:
        assert change.after is not None
        pieces = hunks(before, change.after)
        rebuilt, at = "", 0
        for piece in pieces:
            rebuilt += before[at : piece.start] + piece.new
            at = piece.end
        assert rebuilt + before[at:] == change.after


# ---------------------------------------------------------------- paths

PATHS = {
    "../outside/secret.txt": "outside the workspace",
    "a/../../outside/secret.txt": "outside the workspace",
    "/etc/passwd": "outside the workspace",
    "file-link": "outside the workspace",
    "folder-link/secret.txt": "outside the workspace",
    "folder-link/new.txt": "outside the workspace",
    "dangling": "outside the workspace",
    "loop/x": "it|path",
    "/dev/zero": "outside the workspace",
    "zero-link": "outside the workspace",
    "pipe": "not a regular file",
    "socket": "not a regular file",
    "C:\\Windows\\win.ini": "outside the workspace",
    "C:/Windows/win.ini": "outside the workspace",
    "\\\\server\\share\\x": "outside the workspace",
    "//server/share/x": "outside the workspace",
    "\\\\?\\C:\\x": "outside the workspace",
    "CON": "device on Windows",
    "sub/nul.txt": "device on Windows",
    "LPT1": "device on Windows",
    "com¹.log": "device on Windows",
    "a.txt:hidden": "stream",
    "new.txt::$DATA": "stream",
    "new.txt.": "dot or a space",
    "new.txt ": ".",
    ".git/hooks/post-checkout": "git's own",
    ".GIT/config": "git's own",
    "a.txt/b": "not a folder",
    "nul\0byte": "control characters",
    "half\ud800": "control characters",
}


@pytest.mark.skipif(os.name == "nt", reason="links, pipes and sockets")
@pytest.mark.parametrize(("name", "why"), PATHS.items(), ids=map(repr, PATHS))
async def test_paths_are_refused_with_a_reason(place: Place, name: str, why: str) -> None:
    import socket

    (place.root / "file-link").symlink_to(place.outside / "secret.txt")
    (place.root / "folder-link").symlink_to(place.outside)
    (place.root / "dangling").symlink_to(place.outside / "none.txt")
    (place.root / "loop").symlink_to(place.root / "loop")
    (place.root / "zero-link").symlink_to("/dev/zero")
    os.mkfifo(place.root / "pipe")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as server:
        try:
            os.chdir(place.root)  # a socket's name is short
            server.bind("socket")
        finally:
            os.chdir(here)
    before = place.everything()
    start = time.monotonic()
    for edit in (
        FileEdit(name, "modify", "whole_file", (Whole("x\n", explicit=True),)),
        FileEdit(name, "delete", "apply_patch", ()),
        FileEdit("a.txt", "rename", "apply_patch", (), name),
    ):
        resolution = resolve([edit], place.workspace.read)
        assert resolution.changes == ()
        assert re.search(why, resolution.rejected[0].message)
    with pytest.raises(Refused, match=why):
        await place.reviews.open([FileChange(name, "create", None, "x\n")])
    assert time.monotonic() - start < SECONDS
    assert place.everything() == before


def test_a_file_that_windows_could_not_have_is_edited_where_it_is(place: Place) -> None:
    if os.name == "nt":
        pytest.skip("it cannot be there")
    (place.root / "aux.c").write_text("one\n")
    (change,) = resolve(parse(block("one", "two"), "aux.c").edits, place.workspace.read).changes
    assert change.after == "two\n"


# ---------------------------------------------------------------- swapped between the check and the write

Swap = Callable[[Place], None]


def folder_for_link(place: Place) -> None:
    (place.root / "d").rename(place.root / "moved")
    (place.root / "d").symlink_to(place.outside)


def file_for_link(place: Place) -> None:
    (place.root / "d/secret.txt").unlink()
    (place.root / "d/secret.txt").symlink_to(place.outside / "secret.txt")


def file_for_pipe(place: Place) -> None:
    (place.root / "d/secret.txt").unlink()
    os.mkfifo(place.root / "d/secret.txt")


@pytest.mark.skipif(os.name == "nt", reason="links and pipes")
@pytest.mark.parametrize("swap", [folder_for_link, file_for_link, file_for_pipe])
@pytest.mark.parametrize("kind", ["modify", "delete", "create"])
async def test_what_is_swapped_after_the_last_check_leads_nowhere(
    place: Place, monkeypatch: pytest.MonkeyPatch, swap: Swap, kind: str
) -> None:
    (place.root / "d").mkdir()
    (place.root / "d/secret.txt").write_bytes(b"secret\n")
    changes = {
        "modify": FileChange("d/secret.txt", "modify", "secret\n", "public\n"),
        "delete": FileChange("d/secret.txt", "delete", "secret\n", None),
        "create": FileChange("d/new/file.txt", "create", None, "new\n"),
    }
    begin = Journal.begin

    def swapped(self: Journal, *args: object, **more: object) -> Entry:
        entry = begin(self, *args, **more)  # type: ignore[arg-type]
        swap(place)
        return entry

    monkeypatch.setattr(Journal, "begin", swapped)
    start = time.monotonic()
    said = await place.decide(changes[kind])
    assert time.monotonic() - start < SECONDS
    assert [p.name for p in place.outside.iterdir()] == ["secret.txt"]
    assert (place.outside / "secret.txt").read_bytes() == b"secret\n"
    if swap is folder_for_link:
        assert said.startswith("Nothing was changed: ")
        assert (place.root / "moved/secret.txt").read_bytes() == b"secret\n"
        assert [e.state for e in place.journal.entries()] == ["failed"]


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_recovery_follows_no_link(place: Place) -> None:
    (place.root / "d").symlink_to(place.outside)
    entry = place.journal.begin(
        "r",
        [Image(place.root / "d/secret.txt", b"before\n", b"secret\n"), Image(place.root / "d/n", None, b"")],
        "disk",
    )
    (found,) = place.journal.recover()
    assert found.entry.id == entry.id
    assert found.problems
    assert {p.name: p.read_bytes() for p in place.outside.iterdir()} == {"secret.txt": b"secret\n"}


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_empty_folders_outside_are_not_removed(place: Place) -> None:
    (place.outside / "empty").mkdir()
    (place.root / "d").symlink_to(place.outside)
    (place.root / "mine").mkdir()
    remove_folders([place.root / "d/empty", place.root / "mine"])
    assert (place.outside / "empty").is_dir()
    assert not (place.root / "mine").exists()


@pytest.mark.skipif(os.name == "nt", reason="descriptors of folders")
def test_folders_are_made_on_the_way_but_not_through_links(place: Place) -> None:
    with real_folder(place.root.resolve() / "x/y", create=True):
        pass
    assert (place.root / "x/y").is_dir()
    (place.root / "x/out").symlink_to(place.outside)
    with pytest.raises(OSError), real_folder(place.root.resolve() / "x/out/z", create=True):
        pass
    assert [p.name for p in place.outside.iterdir()] == ["secret.txt"]


# ---------------------------------------------------------------- documents with half characters


async def test_a_document_with_half_characters_is_reviewed_like_any_other(place: Place) -> None:
    text = "one\n\ud800half\ntwo\n"
    open_texts = {place.root.resolve() / "a.txt": text}
    applied: list[str] = []
    workspace = Workspace([place.root], opened=open_texts.get)

    async def apply_edit(operations: object, _label: str) -> bool:
        (operation,) = operations  # type: ignore[misc]
        made = operation.text
        for start, end, new in sorted(operation.edits, reverse=True):
            made = made[:start] + new + made[end:]
        applied.append(made)
        open_texts[place.root.resolve() / "a.txt"] = made
        return True

    reviews = Reviews(workspace, place.journal, apply_edit)  # type: ignore[arg-type]
    made = await reviews.open([FileChange("a.txt", "modify", text, text.replace("two", "2"))])
    reviews.document_changed(made.files[0].path, "\udfff" + text, [Edit(0, 0, "\udfff")])
    open_texts[place.root.resolve() / "a.txt"] = "\udfff" + text
    outcomes = await reviews.decide(made.id, [made.files[0].hunks[0].id], "accept")
    assert [o.kind for o in outcomes] == ["accepted"]
    assert applied == ["\udfff" + text.replace("two", "2")]
    undone = await reviews.undo(made.id)
    assert (undone.failed, applied[-1]) == ((), "\udfff" + text)
