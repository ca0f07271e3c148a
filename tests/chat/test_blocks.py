import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.chat.blocks import code_blocks


@pytest.mark.parametrize(
    ("info", "language", "path"),
    [
        ("python", "python", None),
        ("python src/a.py", "python", "src/a.py"),
        ("python:src/a.py", "python", "src/a.py"),
        ("src/a.py", "py", "src/a.py"),
        ('ts title="web/x.test.ts"', "ts", "web/x.test.ts"),
        ("", "", None),
    ],
)
def test_info_strings(info: str, language: str, path: str | None):
    (block,) = code_blocks(f"Text\n```{info}\nx = 1\n```\nmore")
    assert (block.language, block.path, block.text) == (language, path, "x = 1\n")


def test_a_comment_on_the_first_line_names_the_file():
    (block,) = code_blocks("```python\n# src/app.py\nx = 1\n```")
    assert block.path == "src/app.py"


def test_a_block_without_a_name_is_for_the_only_attached_file_of_its_language():
    answer = "```py\nx\n```\n```go\ny\n```"
    attached = [("a.py", "python"), ("b.ts", "typescript")]
    assert [b.path for b in code_blocks(answer, attached)] == ["a.py", None]
    assert code_blocks(answer, [*attached, ("c.py", "python")])[0].path is None


def test_longer_fences_hold_shorter_ones_and_an_open_one_counts():
    blocks = code_blocks("````md\n```py\nx\n```\n````\n~~~\nlast")
    assert [b.text for b in blocks] == ["```py\nx\n```\n", "last\n"]


@given(st.text(alphabet="`~ab\n .py/#", max_size=80))
def test_any_text_is_read_without_error(text: str):
    for block in code_blocks(text):
        assert block.text == "" or block.text.endswith("\n")
