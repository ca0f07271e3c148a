from hypothesis import given
from hypothesis import strategies as st

from lido.plan.regions import REGION_LINES, Region, block, fitted, region

PYTHON = """\
import os


class Basket:
    def add(self, x):
        self.x = x

    @property
    def total(self):
        # sum
        return 1

    def last(
        self,
        y,
    ) -> int:
        return y


def other():
    pass
""".splitlines(keepends=True)

GO = """\
package main

// Total adds up.
func (b *Basket) Total() int {
	return 1
}

func Other() {
}
""".splitlines(keepends=True)


def text(lines: list[str], found: Region) -> str:
    return "".join(lines[found.first : found.last])


def test_a_block_has_its_decorator_and_its_body():
    assert text(PYTHON, block(PYTHON, 8)) == (
        "    @property\n    def total(self):\n        # sum\n        return 1\n"
    )


def test_a_head_over_several_lines_belongs_to_the_block():
    assert text(PYTHON, block(PYTHON, 12)).endswith("        return y\n")


def test_braces_close_the_block():
    assert text(GO, block(GO, 3)) == "".join(GO[2:6])


def long_file() -> list[str]:
    lines = ["import x\n"] * 50
    for i in range(20):
        lines += ["\n", f"def function_{i}(a):\n", "    b = a\n", "    return b\n"]
    return lines


def test_the_named_function_is_the_region():
    lines = long_file()
    assert text(lines, region(lines, "Make function_7 return None")) == (
        "def function_7(a):\n    b = a\n    return b\n"
    )


def test_the_method_is_meant_and_not_the_class_that_is_named_too():
    lines = [*["x = 1\n"] * 70, *PYTHON[3:]]
    assert "def total" in text(lines, region(lines, "Fix total in Basket"))
    assert "def other" not in text(lines, region(lines, "Fix total in Basket"))


def test_without_a_name_the_lines_whose_words_suit():
    lines = ["a = 1\n"] * 100 + ["discount_rate = 3\n"] + ["b = 1\n"] * 100
    found = region(lines, "the discount is wrong")
    assert found.first <= 100 < found.last


@given(
    st.lists(
        st.sampled_from(["def foo():\n", "  x\n", "\n", "class Bar:\n", "}\n", "  def baz():\n", "y\n"])
    ),
    st.sampled_from(["foo", "Bar and baz", "nothing here", ""]),
)
def test_a_region_lies_in_the_file_and_within_the_limit(lines: list[str], task: str):
    lines *= 12
    found = region(lines, task)
    assert 0 <= found.first <= found.last <= len(lines)
    assert found.last - found.first <= REGION_LINES


def test_an_answer_at_column_0_is_moved_to_its_place():
    old = ["    def f(self):\n", "        return 1\n"]
    assert fitted("def f(self):\n    return 2", old) == "    def f(self):\n        return 2\n"
    assert fitted("    def f(self):\n        return 2\n", old) == "    def f(self):\n        return 2\n"


def test_comments_at_the_top_that_the_answer_left_out_stay():
    old = ['"""A basket.\n', "Two lines.\n", '"""\n', "\n", "# note\n", "import x\n", "y = 1\n"]
    assert fitted("import x\ny = 2\n", old) == "".join(old[:6]) + "y = 2\n"
    assert fitted("y = 2\n", old) == "y = 2\n", "what begins below code was deleted on purpose"
    assert fitted("z = 1\n", ["import x\n", "z = 1\n"]) == "z = 1\n"
