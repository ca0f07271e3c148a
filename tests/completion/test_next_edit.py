"""What an edit asks for elsewhere. Each fixture: the file before, a line replaced in it, the file after all
that is offered was accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.completion import next_edit
from lido.completion.next_edit import Rename, Signature, split, without
from lido.workspace import syntax
from lido.workspace.documents import Document, Documents
from lido.workspace.recent import Recent, RecentEdit


def edited(language: str, before: str, line: int, new: str) -> tuple[Document, RecentEdit]:
    documents = Documents()
    recent = Recent()
    documents.listen(recent.changed)
    document = documents.open(f"file:///work/a.{language}", language, 0, before, Path("/work/a"))
    start = document.line_start(line)
    end = start + len(document.line_text(line).rstrip("\n"))
    document = documents.replace(document.uri, 1, [(start, end, new)])
    return document, recent.edits()[0]


def followed(language: str, before: str, line: int, new: str) -> str:
    document, edit = edited(language, before, line, new)
    rename = next_edit.renamed(edit)
    if rename is None or not next_edit.defines(edit.after, rename.new):
        return document.text
    parsed = syntax.Trees().of(document)
    text = document.text
    for found in sorted(next_edit.uses(rename, edit, document, parsed), key=lambda e: -e.start):
        text = text[: found.start] + found.text + text[found.end :]
    return text


def test_a_function_renamed_where_it_is_defined_is_renamed_where_it_is_called() -> None:
    before = "def area(w, h):\n    return w * h\n\n\nprint(area(1, 2), area(3, 4))  # area\nx = 'area'\n"
    assert followed("python", before, 0, "def surface(w, h):") == (
        "def surface(w, h):\n    return w * h\n\n\nprint(surface(1, 2), surface(3, 4))  # area\nx = 'area'\n"
    )


def test_a_parameter_is_renamed_in_its_function_alone() -> None:
    before = "def f(a, wide):\n    return a * wide\n\n\ndef g(wide):\n    return wide\n"
    assert followed("python", before, 0, "def f(a, width):") == (
        "def f(a, width):\n    return a * width\n\n\ndef g(wide):\n    return wide\n"
    )


def test_a_local_variable_is_renamed_in_its_function_and_attributes_are_left() -> None:
    before = "def f(a):\n    total = 0\n    for n in a:\n        total += n.total\n    return total\n"
    assert followed("python", before, 1, "    amount = 0") == (
        "def f(a):\n    amount = 0\n    for n in a:\n        amount += n.total\n    return amount\n"
    )


def test_a_method_is_renamed_where_it_is_called_on_an_object() -> None:
    before = "class A:\n    def go(self):\n        pass\n\n\nA().go()\n"
    assert followed("python", before, 1, "    def run(self):").endswith("A().run()\n")


def test_other_languages_follow_too() -> None:
    before = "const first = 1;\nfunction f(x: number) {\n  return x + first; // first\n}\n"
    assert followed("typescript", before, 0, "const begin = 1;") == (
        "const begin = 1;\nfunction f(x: number) {\n  return x + begin; // first\n}\n"
    )
    assert "return n" in followed(
        "go", "func f(count int) int {\n\treturn count\n}\n", 0, "func f(n int) int {"
    )


@pytest.mark.parametrize(
    ("before", "line", "new"),
    [
        ("x = old\ny = old\n", 0, "x = new"),  # a use was changed, not the name
        ("old = 1\ny = old\n", 0, "old = 2"),  # no name changed
        ("def old(a): ...\ny = old(1)\n", 0, "def new(b): ..."),  # two did
        ("self = 1\ny = self\n", 0, "this = 1"),  # words of the language
        ("def f(old, new): ...\nf(old)\n", 0, "def f(new, new): ..."),  # the name is taken
    ],
)
def test_nothing_follows(before: str, line: int, new: str) -> None:
    document, _ = edited("python", before, line, new)
    assert followed("python", before, line, new) == document.text


@pytest.mark.parametrize(
    ("before", "after", "arguments", "expected"),
    [
        ("a, b, c", "a, c", "1, 2, 3", "1, 3"),
        ("a, b", "b", "1, 2", "2"),
        ("a, b", "a", "f(1, 2), [3, 4]", "f(1, 2)"),
        ("a, b=1", "a", "1, b=2", "1"),
        ("a, b=1", "a", "1", None),  # was not passed
        ("a, b", "a, b, c", "1, 2", None),  # nothing went
        ("a, b", "b, a", "1, 2", None),
        ("a, b", "a", "*rest", None),  # not known which it is
    ],
)
def test_the_argument_of_a_parameter_that_went(
    before: str, after: str, arguments: str, expected: str | None
) -> None:
    change = Signature("f", tuple(before.split(", ")), tuple(after.split(", ")))
    assert without(change, arguments) == expected


def test_the_change_of_a_signature_is_seen() -> None:
    _, edit = edited(
        "python", "def f(self, a: int, b: int) -> None:\n    pass\n", 0, "def f(self, a: int) -> None:"
    )
    assert next_edit.signature(edit) == Signature("f", ("a: int", "b: int"), ("a: int",))
    assert not next_edit.wants_value(Signature("f", ("a",), ("a", "b=1")))
    assert next_edit.wants_value(Signature("f", ("a",), ("a", "b")))


def test_the_nearest_comes_first() -> None:
    document, edit = edited("python", "def a(): ...\na()\na()\na()\n", 0, "def b(): ...")
    rename = next_edit.renamed(edit)
    assert rename == Rename("a", "b") or rename is None  # one letter is too little to go by
    found = next_edit.uses(Rename("a", "b"), edit, document, None)
    order = next_edit.nearest(found, document.uri, document.line_start(2))
    assert [document.line_at(e.start) for e in order] == [2, 3, 1]


@given(st.text("ab(),[]{}'\"\\ \n=", max_size=60))
def test_splitting_loses_nothing(arguments: str) -> None:
    assert ",".join(split(arguments)) == arguments


@given(st.text("ab(),[]{}'\" \n", max_size=60), st.integers(0, 60))
def test_a_closing_bracket_is_one(text: str, at: int) -> None:
    if at < len(text) and text[at] in "([{":
        end = next_edit.closing(text, at)
        assert end is None or (end > at and text[end] in ")]}")
