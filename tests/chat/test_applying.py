"""Where a chat answer's code block goes in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lido.chat.applying import UnplacedError, place, review_block
from lido.chat.blocks import CodeBlock
from lido.edits.apply import Reviews
from lido.edits.files import Refused, Workspace
from lido.edits.journal import Journal
from lido.workspace import syntax

FILE = '''"""Shapes."""

import math


class Circle:
    def area(self):
        return 1

    @property
    def name(self):
        return "circle"


def double(x):
    return x + x
'''


def placed(block: str, before: str | None = FILE) -> str:
    return place(before, block, lambda code: syntax.definitions("python", code.encode()))


def test_a_function_takes_the_place_of_its_namesake() -> None:
    assert placed("def double(x):\n    return 2 * x\n") == FILE.replace("x + x", "2 * x")


def test_a_method_alone_is_indented_as_the_file_has_it() -> None:
    text = placed("def area(self):\n    if True:\n        return math.pi\n")
    assert text == FILE.replace("        return 1\n", "        if True:\n            return math.pi\n")


def test_lines_that_stand_in_the_file_already_do_not_matter() -> None:
    block = "import math\n\n# changed\ndef double(x):\n    return 2 * x\n"
    assert placed(block) == FILE.replace("x + x", "2 * x")


def test_a_new_function_is_added_at_the_end() -> None:
    assert placed("def triple(x):\n    return 3 * x\n") == FILE + "\n\ndef triple(x):\n    return 3 * x\n"


def test_the_whole_file_is_the_whole_file() -> None:
    whole = FILE.replace("return 1", "return 2")
    assert placed(whole) == whole


def test_line_endings_stay() -> None:
    crlf = FILE.replace("\n", "\r\n")
    assert placed("def double(x):\n    return 2 * x\n", crlf) == crlf.replace("x + x", "2 * x")


def test_a_file_that_is_not_there_is_made() -> None:
    assert placed("x = 1\n", None) == "x = 1\n"


@pytest.mark.parametrize(
    "block", ["print(1)\n", "import os\n\ndef double(x):\n    return os\n", "double(3)\n"]
)
def test_what_has_no_clear_place_is_refused(block: str) -> None:
    with pytest.raises(UnplacedError):
        placed(block)


def test_a_name_that_is_defined_twice_is_refused() -> None:
    with pytest.raises(UnplacedError, match="2 times"):
        placed("def double(x):\n    return 0\n", FILE + "\n\ndef double(x):\n    return x\n")


async def test_it_ends_in_a_review_and_writes_nothing_by_itself(tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text(FILE)
    workspace = Workspace([tmp_path])
    reviews = Reviews(workspace, Journal(tmp_path / "journal"))
    block = CodeBlock("python", "def double(x):\n    return 2 * x\n")
    review = await review_block(block, "shapes.py", workspace, reviews)
    assert (tmp_path / "shapes.py").read_text() == FILE
    (hunk,) = review.files[0].hunks
    await reviews.decide(review.id, [hunk.id], "accept")
    assert (tmp_path / "shapes.py").read_text() == FILE.replace("x + x", "2 * x")
    with pytest.raises(Refused):
        await review_block(block, "../outside.py", workspace, reviews)
    with pytest.raises(UnplacedError):
        await review_block(
            CodeBlock("python", "def double(x)\n    return\n"), "shapes.py", workspace, reviews
        )
