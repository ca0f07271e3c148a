"""Each fixture: the source with ‸ at the cursor, the model's answer, the text after acceptance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.completion import shaping
from lido.completion.filters import FILTERS, Place
from lido.workspace import syntax
from lido.workspace.documents import Document

FIXTURES = sorted(Path(__file__).with_name("fixtures").glob("*.txt"))
PART = re.compile(r"^=== (\w+)(?: (\S+))?\n", re.M)


def read(path: Path) -> tuple[str, dict[str, str]]:
    """Language, and the parts by name: each begins with a line `=== name`, and ends before the next."""
    text = path.read_text(encoding="utf-8")
    pieces = PART.split(text)
    language = next(piece for name, piece in zip(pieces[1::3], pieces[2::3], strict=True) if name == "source")
    parts = {name: body.removesuffix("\n") for name, body in zip(pieces[1::3], pieces[3::3], strict=True)}
    return language, parts


def shaped(source: str, answer: str, language: str, invoked: bool = False) -> str:
    before, after = source.split("‸")
    document = Document.of(before + after, "file:///f", language)
    parsed = syntax.Trees().of(document)
    place = Place(before, after, language)
    inside = syntax.inside(parsed, len(before)) if parsed else None
    place = Place(before, after, language, shaping.mode(place, inside, invoked))
    return shaping.shape(answer, place, parsed, len(before))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_fixture(path):
    language, parts = read(path)
    text = shaped(parts["source"], parts["answer"], language)
    assert parts["source"].replace("‸", text) == parts["expected"]


def test_every_filter_has_a_fixture():
    covered = {path.stem.split("-")[0] for path in FIXTURES}
    assert {each.__name__ for each in FILTERS} <= covered | {"unix_endings", "special_tokens"}


def test_line_breaks_and_control_tokens_never_pass():
    place = Place("x = ", "\n", "python", "line")
    assert shaping.shape("1<|endoftext|>junk", place) == "1"
    assert shaping.shape("(\r\n    1\r\n)", Place("x = ", "\n", "python")) == "(\n    1\n)"


code = st.lists(
    st.sampled_from(
        ["x = 1", "    ", "\n", "if x:", "(", ")", "[", "]", "{", "}", "foo", '"', ",", "é😀", "#"]
    ),
    max_size=14,
).map("".join)


@given(code, code, code, st.sampled_from(["line", "statement", "block"]))
def test_shaping_only_shortens_and_never_adds_an_error(before, after, answer, mode):
    document = Document.of(before + after, "file:///f", "python")
    parsed = syntax.Trees().of(document)
    text = shaping.shape(answer, Place(before, after, "python", mode), parsed, len(before))
    if text:
        assert syntax.errors("python", before + text + after) <= syntax.errors("python", before + after)
        assert text.strip()
    if mode == "line":
        assert "\n" not in text


@given(code, code, code, st.sampled_from(["line", "statement", "block"]))
def test_stopping_early_changes_nothing_that_is_shown(before, after, answer, mode):
    place = Place(before, after, "python", mode)
    whole = shaping.shape(answer, place)
    for end in range(len(answer) + 1):
        if shaping.finished(answer[:end], place):
            assert shaping.shape(answer[:end], place) == whole
            break
