"""Each rung of the ladder, and what is refused on it."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.edits.formats import Replace
from lido.edits.hunks import apply_edits
from lido.edits.matching import Index, Match, NoMatch, fill_in, find, is_elision

FILE = '''import os


class Basket:
    def __init__(self):
        self.items = []

    def add(self, item):
        """Add “one” item — no more."""
        self.items.append(item)

    def total(self):
        total = 0
        for item in self.items:
            total += item.price
        return total


def main():
    basket = Basket()
    print(basket.total())
'''


def _applied(text: str, search: str, new: str, **hints: object) -> tuple[str, str]:
    found = find(text, Replace(search, new, **hints))  # type: ignore[arg-type]
    assert isinstance(found, Match), found
    return apply_edits(text, found.edits), found.rung


@pytest.mark.parametrize(
    ("search", "new", "rung", "expected"),
    [
        ("        total = 0\n", "        total = 0.0\n", "exact", "        total = 0.0\n"),
        ("        total = 0  \n", "        total = 0.0\n", "trailing", "        total = 0.0\n"),
        ("\n\n        total = 0\n\n", "        total = 0.0\n", "trailing", "        total = 0.0\n        for"),
        ("total = 0\n", "total = 0.0\n", "indentation", "        total = 0.0\n"),
        ("for item in self.items:\n    total += item.price\n", "for item in self.items:\n    if item:\n        total += item.price\n",
         "indentation", "        for item in self.items:\n            if item:\n                total += item.price\n"),
        ("def  main( ):\n", "def main() -> None:\n", "not found", ""),
        ("        total  =  0\n", "        total = 0.0\n", "spacing", "        total = 0.0\n"),
        ('        """Add "one" item - no more."""\n', '        """Add it."""\n', "lookalikes", '        """Add it."""\n'),
        ("class Basket:\n    ...\n    def total(self):\n", "class Cart:\n    ...\n    def total(self):\n", "elided", "class Cart:\n    def __init__"),
        ("    def total(self):\n        total = 0\n        for thing in self.items:\n            total += item.price\n        return total\n",
         "    def total(self):\n        total = 0\n        for thing in self.items:\n            total += item.price\n        return round(total)\n",
         "fuzzy", "        for item in self.items:\n            total += item.price\n        return round(total)\n"),
    ],
)  # fmt: skip
def test_rungs(search: str, new: str, rung: str, expected: str) -> None:
    found = find(FILE, Replace(search, new))
    if rung == "not found":
        assert isinstance(found, NoMatch)
        return
    assert isinstance(found, Match), found
    assert found.rung == rung
    assert expected in apply_edits(FILE, found.edits)


def test_above_exact_the_files_own_spelling_stays_where_nothing_is_changed() -> None:
    search = (
        '    def add(self, item):\n        """Add "one" item - no more."""\n        self.items.append(item)\n'
    )
    text, rung = _applied(FILE, search, search.replace("append(item)", "append(item)\n        return self"))
    assert rung == "lookalikes"
    assert "“one” item — no more" in text
    assert "        self.items.append(item)\n        return self\n" in text


def test_spaces_become_tabs_where_the_file_has_tabs() -> None:
    text = "class A:\n\tdef f(self):\n\t\treturn 1\n"
    new = "class A:\n    def f(self):\n        if x:\n            return 2\n        return 1\n"
    applied, _ = _applied(text, "class A:\n    def f(self):\n        return 1\n", new)
    assert applied == "class A:\n\tdef f(self):\n\t\tif x:\n\t\t\treturn 2\n\t\treturn 1\n"


def test_several_equal_places_are_ambiguous_unless_a_hint_chooses() -> None:
    text = "a\nx\nb\nx\nc\n" * 3
    found = find(text, Replace("x\n", "y\n"))
    assert isinstance(found, NoMatch)
    assert found.reason == "ambiguous"
    assert len(found.candidates) == 4
    near, _ = _applied(text, "x\n", "y\n", line=3)
    assert near.split("\n")[3] == "y"
    assert near.count("y") == 1
    assert isinstance(find(text, Replace("x\n", "y\n", line=2)), NoMatch)  # as near to one as to the other
    everywhere, rung = _applied(text, "x\n", "y\n", inline=True, everywhere=True)
    assert rung == "all"
    assert "x" not in everywhere


def test_a_heading_chooses_in_a_patch() -> None:
    text = "def a():\n    return 1\n\ndef b():\n    return 1\n"
    applied, _ = _applied(text, "    return 1\n", "    return 2\n", after=("def b():",), ordered=True)
    assert applied == "def a():\n    return 1\n\ndef b():\n    return 2\n"


@pytest.mark.parametrize(
    ("search", "new"),
    [
        ("        total = none\n", "        total = 1\n"),  # nothing like it
        ("    def total(self):\n        total = 0\n        for item in self.items:\n            total -= item.cost\n        return total\n", "x\n"),
        ("", "x\n"),
        ("\n", "x\n"),
        ("class Basket:\n    ...\n    def total(self):\n", "class Cart:\n    def total(self):\n"),
    ],
)  # fmt: skip
def test_weak_matches_are_refused(search: str, new: str) -> None:
    assert isinstance(find(FILE, Replace(search, new)), NoMatch)


def test_two_similar_places_are_too_many() -> None:
    block = "def f(a):\n    first(a)\n    second(a)\n    third(a)\n    return a\n\n"
    text = block + block.replace("third(a)", "third(b)")
    search = block.replace("third(a)", "third(c)").rstrip() + "\n"
    found = find(text, Replace(search, search.replace("first", "zeroth")))
    assert isinstance(found, NoMatch)


def test_the_report_has_the_true_text() -> None:
    found = find(FILE, Replace("        for thing in self.things:\n", "x\n"))
    assert isinstance(found, NoMatch)
    assert "for item in self.items:" in found.candidates[0].text


@pytest.mark.parametrize(
    "line",
    ["...", "# ...", "// ... existing code ...", "  # … rest of the class unchanged …", "/* ... */", "<!-- ... -->",
     "# rest of the file remains unchanged", "// ... same ...", "{/* ... existing code ... */}", "-- ... other columns ..."],
)  # fmt: skip
def test_elisions(line: str) -> None:
    assert is_elision(line)


@pytest.mark.parametrize(
    "line",
    ["x = [...]", "call(...)", "# the rest is silence", "print('...')", "const [...rest] = a;", "return a", "# TODO ... later maybe"],
)  # fmt: skip
def test_what_only_looks_like_an_elision(line: str) -> None:
    assert not is_elision(line)


def test_elided_whole_file_keeps_what_it_left_out() -> None:
    new = "# ... existing code ...\n\n    def total(self):\n        return sum(item.price for item in self.items)\n\n\ndef main():\n    # ...\n"
    found = fill_in(FILE, new)
    if isinstance(found, str):
        assert "self.items.append(item)" in found
        assert "print(basket.total())" in found
        assert found.count("def total") == 1
    plain = fill_in(FILE, "import os\nimport sys\n\n# ... rest of the file unchanged ...\n")
    assert plain == FILE.replace("import os\n", "import os\nimport sys\n")


def test_an_elision_whose_neighbours_are_unknown_is_refused() -> None:
    assert isinstance(fill_in(FILE, "# ...\nnothing of this\n# ...\n"), NoMatch)
    changed = "# ...\n    def total(self, tax):\n        return 1 + tax\n# ...\n"
    found = fill_in(FILE, changed)
    assert isinstance(found, NoMatch) or found.count("def total") == 1


WORDS = st.sampled_from(
    ["alpha", "beta(gamma)", "if delta:", "    epsilon += 1", "", "}", "\tzeta", "é “quoted”"]
)


@given(st.lists(WORDS, min_size=1, max_size=25), st.data())
def test_a_match_touches_nothing_else(lines: list[str], data: st.DataObject) -> None:
    """Whatever was found lies where the quote says, and everything outside is untouched."""
    text = "\n".join(lines) + "\n"
    first = data.draw(st.integers(0, len(lines) - 1))
    last = data.draw(st.integers(first + 1, len(lines)))
    quote = lines[first:last]
    shift = data.draw(st.sampled_from(["", "  ", "    "]))
    search = "".join(f"{shift}{line}\n" if line else "\n" for line in quote)
    found = find(text, Replace(search, "NEW\n"))
    if isinstance(found, NoMatch):
        return
    (edit,) = found.edits
    replaced = text[edit.start : edit.end]
    assert [line.strip() for line in replaced.splitlines() if line.strip()] == [
        q.strip() for q in quote if q.strip()
    ]
    assert apply_edits(text, found.edits) == text[: edit.start] + edit.text + text[edit.end :]
    assert edit.text.strip() == "NEW"


def _big(lines: int) -> list[str]:
    chance = random.Random(11)
    return [
        f"    value_{chance.randrange(3000)} = call_{chance.randrange(50)}({n % 97})\n" for n in range(lines)
    ]


@pytest.mark.parametrize(
    "search",
    [
        "(a+)+$" * 50_000 + "\n",
        "x" * 10_000_000 + "\n",
        "y\n" * 19_000,
        "z\n" * 3_000_000,
        "    value_1 = call_1(1)\n" * 15_000,
        "...\n" * 15_000,
        "\n" * 1_000_000 + "x\n",
    ],
    ids=range(7),
)
def test_hostile_quotes_are_refused_in_bounded_time(search: str) -> None:
    text = "".join(_big(20_000))
    start = time.monotonic()
    assert isinstance(find(text, Replace(search, "x\n")), NoMatch)
    assert time.monotonic() - start < 8


def test_a_file_that_repeats_itself_is_searched_in_bounded_time() -> None:
    text = "x\n" * 20_000
    start = time.monotonic()
    for search in ("x\n" * 10_000, "x\n", "  x\n" * 5_000 + "y\n", "x\n" * 10_000 + "...\n" + "x\n" * 100):
        assert isinstance(find(text, Replace(search, "y\n")), NoMatch)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("retries = 10\n", "retries = 1"),
        ("subtotal = 0\n", "total = 0"),
        ("delay = 1.5\n", "delay = 1"),
        ("x = 1.5\n", "5"),
        ("größe = 1\n", "e = 1"),
    ],
)
def test_a_passage_that_splits_a_word_is_not_what_was_quoted(text: str, search: str) -> None:
    found = find(text, Replace(search, "y", inline=True))
    assert isinstance(found, NoMatch)
    assert found.reason == "weak"


@pytest.mark.parametrize(
    ("text", "search", "expected"),
    [
        ("f(delay=1)\n", "delay=1", "f(y)\n"),
        ("a.b.c\n", "b", "a.y.c\n"),
        ("end 1.\n", "1", "end y.\n"),
        ("x = -1\n", "1", "x = -y\n"),
        ("call()()\n", "call()", "y()\n"),
    ],
)
def test_a_passage_of_whole_words_is_replaced_within_its_line(text: str, search: str, expected: str) -> None:
    found = find(text, Replace(search, "y", inline=True))
    assert isinstance(found, Match)
    assert apply_edits(text, found.edits) == expected


def test_the_quickest_way_to_exact_lines_finds_what_the_slow_one_does() -> None:
    text = "a\nb\n\na\nb\n\n\nb"
    index = Index(text)
    lines = text.split("\n")
    for size in (1, 2, 3):
        for first in range(len(lines) - size + 1):
            search = lines[first : first + size]
            there = [p for p in range(len(lines) - size + 1) if lines[p : p + size] == search]
            assert index.find(search) == ("exact", there)
    assert Index("a\n").find(["a", ""]) == ("", [])
    assert Index("a\r\nb\r\n").find(["a", "b"]) == ("exact", [0])


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ("def f():\n    return 1", "class A:\n    def f():\n        return 1\n"),
        ("def f():\n        return 1", "class A:\n    def f():\n        return 1\n"),
        ("@once\ndef f():", "class A:\n    @once\n    def f():\n"),
        ("@once\n    def f():", "class A:\n    @once\n    def f():\n"),
    ],
)
def test_lines_for_one_that_was_quoted_without_its_indentation_get_it(new: str, expected: str) -> None:
    text = "class A:\n    def f():\n"
    found = find(text, Replace("def f():", new, inline=True))
    assert isinstance(found, Match)
    assert apply_edits(text, found.edits) == expected
