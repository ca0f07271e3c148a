from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lido.chat import notebook


def test_a_document_without_headings_is_a_question():
    assert notebook.read("Why?\n").turns == (("user", "Why?"),)
    assert not notebook.read("  \n").ends_with_question


def test_turns_are_split_at_headings_outside_fences():
    text = "# Title\n\n## You\n\nQ1\n\n## Lido\nA1\n```\n## You\n```\n\n## You\nQ2\n"
    assert notebook.read(text).turns == (
        ("user", "# Title\n\nQ1"),
        ("assistant", "A1\n```\n## You\n```"),
        ("user", "Q2"),
    )


def test_an_empty_question_after_an_answer_is_nothing_to_answer():
    assert not notebook.read("Q\n\n## Lido\n\nA\n\n## You\n\n").ends_with_question


def test_links_and_names_attach():
    text = (
        "See [a](src/a%20b.py#L10-L20), [b](/top.py#L3), [dir](src/), [web](https://x.io/y), @parse.date "
        "@workspace me@mail.com\n```\n[no](no.py) @no\n```"
    )
    found = notebook.attachments(text, Path("/w/notes"), Path("/w"))
    assert [(a.kind, str(a.path) if a.path else a.name, a.lines) for a in found] == [
        ("selection", "/w/notes/src/a b.py", (9, 20)),
        ("selection", "/w/top.py", (2, 3)),
        ("folder", "/w/notes/src", None),
        ("symbol", "parse.date", None),
        ("workspace", None, None),
    ]


@given(st.text(alphabet="# YouLid\n`@[](x.py#1-)", max_size=120))
def test_any_document_is_read(text: str):
    turns = notebook.read(text).turns
    assert all(body.strip() for _, body in turns)
    assert all(a[0] != b[0] for a, b in pairwise(turns))
    notebook.attachments(text, Path("/w"), Path("/w"))
