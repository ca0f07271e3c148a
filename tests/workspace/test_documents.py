"""Documents: after any sequence of changes, what a naive reference says."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.workspace.documents import Document, Documents, Edit, split_lines, units

CHARACTERS = st.sampled_from(list("ab \t\n\r\nxé€𝄞👩‍🚀مرح\u2028\x0b\x85") + ["\r\n", "\ud800"])
texts = st.lists(CHARACTERS, max_size=40).map("".join)
encodings = st.sampled_from(["utf-8", "utf-16", "utf-32"])


def naive_lines(text: str) -> list[str]:
    parts = re.split(r"(\r\n|\r|\n)", text)
    return [a + b for a, b in zip(parts[::2], [*parts[1::2], ""], strict=True)]


@given(texts)
def test_lines_are_split_at_the_three_line_endings_only(text: str) -> None:
    assert split_lines(text) == naive_lines(text)


@given(texts, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), texts), max_size=8))
def test_any_sequence_of_edits_gives_the_text_that_string_slicing_gives(
    text: str, edits: list[tuple[int, int, str]]
) -> None:
    document = Document.of(text)
    for version, (a, b, new) in enumerate(edits, 1):
        start, end = sorted((min(a, len(text)), min(b, len(text))))
        text = text[:start] + new + text[end:]
        document = document.replaced(Edit(start, end, new), version)
        assert document.text == text
        assert [document.line_text(n) for n in range(document.line_count)] == naive_lines(text)
        assert document.length == len(text)


@given(st.integers(0, 3000), st.integers(0, 400), texts, st.randoms(use_true_random=False))
def test_chunks_keep_their_counts_in_long_documents(lines: int, cut: int, new: str, random: object) -> None:
    text = "".join(f"line {n}\n" for n in range(lines))
    document = Document.of(text)
    for _ in range(4):
        start = random.randint(0, len(text))  # type: ignore[attr-defined]
        end = min(len(text), start + cut * 7)
        document = document.replaced(Edit(start, end, new), 1)
        text = text[:start] + new + text[end:]
    assert document.text == text
    assert document.line_count == len(naive_lines(text))
    for line in {0, document.line_count // 2, document.line_count - 1}:
        assert document.line_start(line) == sum(map(len, naive_lines(text)[:line]))


@given(texts, encodings)
def test_every_offset_survives_the_way_to_a_position_and_back(text: str, encoding: str) -> None:
    document = Document.of(text)
    for offset in range(len(text) + 1):
        line, character = document.position_at(offset, encoding)
        back = document.offset_at(line, character, encoding)
        inside_crlf = text[offset - 1 : offset + 1] == "\r\n" and offset > 0
        assert back == (offset - 1 if inside_crlf else offset)
        before = naive_lines(text)[line][: back - document.line_start(line)]
        assert character == units(before, encoding)
        assert document.line_at(back) == line


@pytest.mark.parametrize(
    ("position", "offset"),
    [((0, 0), 0), ((0, 99), 2), ((1, 1), 4), ((1, 2), 4), ((1, 3), 5), ((1, 9), 6), ((9, 9), 8), ((2, 0), 8)],
)
def test_positions_are_clamped_as_the_protocol_says(position: tuple[int, int], offset: int) -> None:
    # "ab\n" "x𝄞y\r\n" "": UTF-16 column 2 of line 1 is inside the pair
    assert Document.of("ab\nx𝄞y\r\n").offset_at(*position, "utf-16") == {6: 6, 8: 8}.get(offset, offset)


@given(texts, st.lists(st.tuples(*[st.integers(0, 9)] * 4, texts), max_size=5), encodings)
def test_changes_by_position_are_those_by_offset(
    text: str, changes: list[tuple[int, int, int, int, str]], encoding: str
) -> None:
    documents = Documents()
    documents.open("u", "x", 0, text)
    heard: list[Edit] = []
    documents.listen(lambda before, after, edits: heard.extend(edits))
    ordered = [((*min(c[:2], c[2:4]), *max(c[:2], c[2:4])), c[4]) for c in changes]
    after = documents.change("u", 1, ordered, encoding)
    for edit in heard:
        text = text[: edit.start] + edit.text + text[edit.end :]
    assert after.text == text
    assert documents.get("u") is after


def test_an_old_snapshot_stays_as_it_was() -> None:
    documents = Documents()
    old = documents.open("u", "x", 0, "one\ntwo\n")
    documents.change("u", 1, [((0, 0, 1, 0), "")], "utf-16")
    assert (old.text, old.version) == ("one\ntwo\n", 0)


def test_slices_cross_chunks() -> None:
    text = "".join(f"{n}\n" for n in range(5000))
    document = Document.of(text)
    for start, end in ((0, 10), (1000, 15000), (20, 20), (len(text) - 3, len(text) + 9), (-5, 4)):
        assert document.slice(start, end) == text[max(start, 0) : end]


def test_the_operations_that_another_server_is_tested_with(shared_data: Path) -> None:
    """Recorded from vscode-languageserver-textdocument's own tests; its positions are UTF-16.

    Left out: its offsetAt calls, many of which were recorded in the middle of an update.
    """
    with gzip.open(shared_data / "lsp" / "textdocument_ops.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    checked = 0
    for row in rows:
        documents: dict[int, Document] = {}
        for op in row["ops"]:
            if op["op"] == "create":
                documents[op["doc"]] = Document.of(op["text"])
            document = documents[op["doc"]]
            if op["op"] == "positionAt" and 0 <= op["offset"] <= len(document.text):
                expected = (op["position"]["line"], op["position"]["character"])
                assert document.position_at(utf16(document.text, op["offset"]), "utf-16") == expected
                checked += 1
            elif op["op"] == "update":
                store = Documents()
                store.open("u", "", 0, document.text)
                changes = [(span(change.get("range")), change["text"]) for change in op["changes"]]
                documents[op["doc"]] = store.change("u", 1, changes, "utf-16")
                assert documents[op["doc"]].text == op["text"]
                checked += 1
    assert checked > 2000


def utf16(text: str, offset: int) -> int:
    """Code points in the first `offset` UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")[: offset * 2].decode("utf-16-le", "ignore"))


def span(value: dict[str, dict[str, int]] | None) -> tuple[int, int, int, int] | None:
    if value is None:
        return None
    start, end = value["start"], value["end"]
    return (start["line"], start["character"], end["line"], end["character"])
