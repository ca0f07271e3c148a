"""Reviewing in a terminal: keys, splitting, editing, and what of it reaches the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lido.cli.reviewing import Piece, apply, decide, pieces, read_steps, split, text_of, write_steps
from lido.edits.apply import FileChange, Reviews
from lido.edits.files import Workspace
from lido.edits.journal import Journal
from lido.plan.run import Step

HUNKS = [Piece(f"{name}.py", key, f"old {key}\n", f"new {key}\n") for name, key in ("a1", "a2", "b3", "b4")]


def keys(text: str):
    left = list(text)
    return lambda _: left.pop(0)


@pytest.mark.parametrize(
    ("typed", "accepted"),
    [
        ("ynyn", {"1", "3"}),
        ("ad", {"1", "2"}),
        ("dyn", {"3"}),
        ("yq", {"1"}),
        ("q", set()),
        ("?xyyyy", {"1", "2", "3", "4"}),
    ],
)
def test_keys_as_in_git_add_p(typed: str, accepted: set[str]) -> None:
    told: list[str] = []
    decided = decide(HUNKS, keys(typed), told.append, lambda _: None)
    assert [p.hunk_id for p, _ in decided] == ["1", "2", "3", "4"]
    assert {p.hunk_id for p, yes in decided if yes} == accepted
    assert len(told) == typed.count("?") + typed.count("x")


def test_a_hunk_splits_at_the_lines_both_sides_have() -> None:
    piece = Piece("a.py", "1", "a\nsame\nb\nend\n", "A\nsame\nB\nend\n")
    parts = split(piece)
    assert [(p.before, p.old, p.new, p.after) for p in parts] == [
        ("", "a\n", "A\n", ""),
        ("same\n", "b\n", "B\n", "end\n"),
    ]
    decided = decide([piece], keys("syn"), lambda _: None, lambda _: None)
    assert text_of(decided, "1") == "A\nsame\nb\nend\n"
    assert text_of([(p, True) for p in parts], "1") == piece.new
    assert text_of([(p, False) for p in parts], "1") == piece.old


def test_neighbouring_lines_split_one_by_one_and_what_is_one_does_not() -> None:
    assert len(split(Piece("a.py", "1", "a\nb\n", "A\nB\n"))) == 2
    told: list[str] = []
    decide([Piece("a.py", "1", "", "x\ny\n")], keys("sn"), told.append, lambda _: None)
    assert told == ["This hunk cannot be split."]


BEFORE = "".join(f"line {n}\n" for n in range(30))
AFTER = BEFORE.replace("line 3\nline 4\n", "LINE 3\nLINE 4\n").replace("line 20\n", "LINE 20\n")


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("yy", AFTER),
        ("nn", BEFORE),
        ("yn", AFTER.replace("LINE 20", "line 20")),
        ("syny", AFTER.replace("LINE 4", "line 4")),
        ("sy" + "ye", AFTER.replace("LINE 20\n", "mine\nand more\n")),
        ("en", BEFORE.replace("line 3\nline 4\n", "mine\nand more\n")),
    ],
)
async def test_what_is_decided_is_what_is_written(tmp_path: Path, typed: str, written: str) -> None:
    root = tmp_path / "project"
    root.mkdir()
    file = root / "a.txt"
    file.write_text(BEFORE)
    reviews = Reviews(Workspace([root], lambda _: None), Journal(tmp_path / "journal"))
    review = await reviews.open([FileChange("a.txt", "modify", BEFORE, AFTER)], "lines")
    decided = decide(pieces(review), keys(typed), lambda _: None, lambda _: "mine\nand more\n")
    await apply(reviews, review, decided)
    assert file.read_text() == written
    assert not reviews.get(review.id).open


async def test_a_new_file_may_be_edited_first(tmp_path: Path) -> None:
    reviews = Reviews(Workspace([tmp_path], lambda _: None), Journal(tmp_path / ".journal"))
    review = await reviews.open([FileChange("b.txt", "create", None, "theirs\n")], "new")
    await apply(reviews, review, decide(pieces(review), keys("e"), lambda _: None, lambda _: "mine\n"))
    assert (tmp_path / "b.txt").read_text() == "mine\n"


def test_steps_survive_an_editor_and_take_its_changes() -> None:
    steps = [Step("do this: now", "because\nof that", ("a.py", "b/c.py")), Step("and that", "", ("d.py",))]
    text = write_steps(steps)
    assert read_steps(text) == steps
    assert read_steps(text.replace("d.py: and that", "e.py: something else\nwithout a file"))[1:] == [
        Step("something else", "", ("e.py",)),
        Step("without a file"),
    ]
    assert read_steps("# nothing\n") == []
