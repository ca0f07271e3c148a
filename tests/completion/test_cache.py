"""Suggestions that are used again: whatever is compared, the answer is that of comparing whole texts."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lido.completion.cache import ANCHOR, Cache, Here, Spot
from lido.workspace.documents import Documents

URI = "file:///work/a.py"


def here(text: str, offset: int) -> Here:
    return Here.at(Documents().open(URI, "python", 0, text), offset)


@given(st.text("ab\n", max_size=300), st.text("ab\n", max_size=12), st.text("ab\n", max_size=300))
def test_what_was_typed_at_the_place_is_found(before: str, typed: str, after: str) -> None:
    spot = Spot.of(here(before + after, len(before)))
    assert spot.typed_since(here(before + typed + after, len(before + typed))) == typed


@given(st.text("ab\n", max_size=300), st.text("ab", min_size=1, max_size=12), st.text("ab\n", max_size=300))
def test_what_was_deleted_before_the_place_is_found(before: str, deleted: str, after: str) -> None:
    spot = Spot.of(here(before + deleted + after, len(before + deleted)))
    found = spot.deleted_since(here(before + after, len(before)))
    assert found == (deleted if len(deleted) <= ANCHOR else None)


@given(st.text("ab\n", max_size=40), st.text("ab\n", max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_another_text_around_the_place_is_never_taken_for_the_same(
    one: str, two: str, at: int, cursor: int
) -> None:
    at, cursor = min(at, len(one)), min(cursor, len(two))
    spot, now = Spot.of(here(one, at)), here(two, cursor)
    same = cursor >= at and two[:at] == one[:at] and two[cursor:] == one[at:]
    assert (spot.typed_since(now) is not None) == same


def test_a_later_session_finds_what_an_earlier_one_left(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "a.jsonl"
    first = Cache(path)
    first.remember(Spot.of(here("x = ", 4)), "id", "1 + 2")
    first.save(first.rows())
    assert path.stat().st_mode & 0o077 == 0
    second = Cache(path)
    second.restore(second.load())
    found = second.typed(here("x = 1", 5))
    assert found is not None
    assert (found[0].text, found[0].id, found[1]) == ("1 + 2", "", "1")


def test_what_this_session_found_comes_before_what_was_left(tmp_path: Path) -> None:
    spot = Spot.of(here("x = ", 4))
    old = Cache(tmp_path / "a.jsonl")
    old.remember(spot, "id", "old")
    old.save(old.rows())
    cache = Cache(tmp_path / "a.jsonl", limit=1)
    cache.remember(spot, "id", "new")
    cache.restore(cache.load())
    found = cache.typed(here("x = ", 4))
    assert found is not None
    assert found[0].text == "new"


def test_a_damaged_file_is_an_empty_cache(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for content in (b"\xff\xfe", b"[1, 2]\n", b'{"a": 1}\n', b"null\n", b'["a", "b", 1, 2, 3]\n'):
        path.write_bytes(content)
        assert Cache(path).load() == []
    assert Cache(tmp_path / "missing").load() == []


def test_a_disk_that_takes_nothing_costs_the_cache_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "a.jsonl")
    cache.remember(Spot.of(here("x = ", 4)), "id", "1")
    cache.save(cache.rows())
