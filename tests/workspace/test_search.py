import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lido.workspace import search


def test_files_are_found_with_and_without_git_and_blocked_ones_left_out(tmp_path: Path):
    for name in ("a.py", "sub/b.py", "node_modules/c.js", "secret.key"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x\n")
    blocked = lambda path: "no" if path.suffix == ".key" else None  # noqa: E731
    assert search.files(tmp_path, blocked) == ["a.py", "sub/b.py"]


def test_grep_gives_places_and_stops_at_its_limit(tmp_path: Path):
    (tmp_path / "a.txt").write_text("one\ntwo\none\n")
    (tmp_path / "b.bin").write_bytes(b"one\0one")
    found = search.grep(tmp_path, ["a.txt", "b.bin", "missing"], re.compile("one"))
    assert [(m.path, m.line) for m in found] == [("a.txt", 0), ("a.txt", 2)]
    assert len(search.grep(tmp_path, ["a.txt"], re.compile("."), limit=2)) == 2


def test_the_passage_with_the_rare_word_comes_first(tmp_path: Path):
    (tmp_path / "common.py").write_text("value = 1\n" * 50)
    (tmp_path / "rare.py").write_text(
        "value = 1\n" * 60 + "\n\ndef apply_discount(value):\n    return value\n"
    )
    best = search.passages(tmp_path, ["common.py", "rare.py"], "How are discounts applied to a value?")[0]
    assert best.path == "rare.py"
    assert "apply_discount" in best.text


def test_words_know_identifiers():
    assert set(search.words("parseHTTPDate")) == {"parse", "http", "date", "parsehttpdate"}
    assert search.words("tests") == search.words("testing") == ["test"]


@given(st.text(alphabet="ab \n\t(){}:", max_size=400), st.integers(1, 12))
def test_pieces_cover_every_line_once(text: str, window: int):
    lines = text.splitlines()
    pieces = list(search._pieces(lines, window))
    assert [n for first, last in pieces for n in range(first, last)] == list(range(len(lines)))
    assert all(last - first <= window for first, last in pieces)
