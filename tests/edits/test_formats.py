"""Model text in every form it comes in."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.edits.formats import FileEdit, Lines, Parser, Replace, Whole, parse

OLD, NEW = "x = 1\n", "x = 2\n"


def _one(text: str, default: str | None = None) -> FileEdit:
    parsed = parse(text, default)
    assert len(parsed.edits) == 1, parsed
    return parsed.edits[0]


@pytest.mark.parametrize(
    "text",
    [
        "a.py\n```python\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n```\n",
        "```python\na.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n```\n",
        "```python a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n```\n",
        "**`a.py`**:\n~~~~\n<<<<<<< ORIGINAL\nx = 1\n=======\nx = 2\n>>>>>>> UPDATED\n~~~~\n",
        "### a.py\n\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE",
        "<<<<<<< SEARCH a.py\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n",
        "a.py\n------- SEARCH\nx = 1\n=======\nx = 2\n+++++++ REPLACE\n",
        "a.py\n<<<<<<< SEARCH\n:start_line:1\n-------\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n",
        "a.py\n<<<<<<< SEARCH\n1 | x = 1\n=======\n1 | x = 2\n>>>>>>> REPLACE\n",
        "a.py\r\n<<<<<<< SEARCH\r\nx = 1\r\n=======\r\nx = 2\r\n>>>>>>> REPLACE\r\n",
        "In `a.py`:\n```\n<<<<<<< SEARCH\nx = 1\n======= \nx = 2\n>>>>>>> REPLACE\n```\nDone.",
        "a.py\n```\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n```\n",
        "```diff\n--- a/a.py\n+++ b/a.py\n@@ -9,9 +7,7 @@\n-x = 1\n+x = 2\n```\n",
        "diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n\nDone.\n",
        "a.py\n```diff\n@@ ... @@\n-x = 1\n+x = 2\n```\n",
        "*** Begin Patch\n*** Update File: a.py\n@@\n-x = 1\n+x = 2\n*** End Patch\n",
        "```\n*** Begin Patch\n*** Update File: a.py\n@@\n-x = 1\n+x = 2\n*** End Patch\n```",
        '{"edits": [{"path": "a.py", "search": "x = 1\\n", "replace": "x = 2\\n"}]}',
        '```json\n[{"file": "a.py", "old_string": "x = 1\\n", "new_string": "x = 2\\n",},]\n```',
        '<tool_call>\n{"name": "edit", "arguments": {"file_path": "a.py", "old_str": "x = 1\\n", "new_str": "x = 2\\n"}}\n</tool_call>',
        json.dumps({"tool_calls": [{"function": {"name": "edit", "arguments": json.dumps({"path": "a.py", "search": OLD, "replace": NEW})}}]}),
        "<path>a.py</path>\n<old_string>\nx = 1\n</old_string>\n<new_string>\nx = 2\n</new_string>\n",
        json.dumps({"name": "apply_patch", "arguments": {"input": "*** Begin Patch\n*** Update File: a.py\n@@\n-x = 1\n+x = 2\n*** End Patch\n"}}),
    ],
)  # fmt: skip
def test_the_same_edit_in_many_forms(text: str) -> None:
    edit = _one(text)
    assert edit.path == "a.py"
    (change,) = edit.changes
    assert isinstance(change, Replace)
    assert (change.search, change.replace) == (OLD, NEW)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.py\n```python\nx = 2\n```\n", "a.py"),
        ("Here is the new `src/a.py`:\n\n```python\nx = 2\n```\n", "src/a.py"),
        ("```python\n# src/a.py\nx = 2\n```\n", "src/a.py"),
        ('<file path="a.py">\nx = 2\n</file>\n', "a.py"),
        ("<write_to_file>\n<path>a.py</path>\n<content>\nx = 2\n</content>\n</write_to_file>", "a.py"),
        ('{"path": "a.py", "content": "x = 2\\n"}', "a.py"),
        ("*** Begin Patch\n*** Add File: a.py\n+x = 2\n*** End Patch", "a.py"),
        ('{"name": "write_file", "arguments": {"path": "a.py", "content": ["x = 2"]}}', "a.py"),
        ("1. First:\n\n   a.py\n   ```python\n   x = 2\n   ```\n", "a.py"),
    ],
)
def test_a_whole_file_in_many_forms(text: str, path: str) -> None:
    edit = _one(text)
    assert edit.path == path
    (change,) = edit.changes
    assert isinstance(change, Whole)
    assert change.text.removeprefix(change.label + "\n") == NEW


def test_a_markdown_file_may_hold_fences() -> None:
    text = "README.md\n````markdown\n# T\n```sh\nmake\n```\nend\n````\n"
    assert _one(text).changes == (Whole("# T\n```sh\nmake\n```\nend\n"),)
    text = "README.md\n```markdown\n# T\n```sh\nmake\n```\nend\n```\n"
    assert _one(text).changes == (Whole("# T\n```sh\nmake\n```\nend\n"),)


@pytest.mark.parametrize(
    "text",
    [
        "Run it:\n```sh\nmake try\n```\n",
        "For example:\n```python\nprint(1)\n```\n",
        '```json\n{"name": "read_file", "arguments": {"path": "a.py"}}\n```',
        "The file `a.py` is fine as it is.",
        "",
    ],
)
def test_what_is_no_edit_is_none(text: str) -> None:
    assert parse(text).edits == ()


@pytest.mark.parametrize(
    "text",
    [
        "a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n",
        "a.py\n<<<<<<< SEARCH\nx = 1\n>>>>>>> REPLACE\n",
        "<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n",
        "a.py\n```python\nx = 2\n",
        "*** Begin Patch\n*** Update File: a.py\n@@\n-x = 1\n+x = 2\n",
        "*** Begin Patch\n*** Update File: a.py\n*** End Patch\n",
        '{"edits": [{"path": "a.py", "search": "x = 1", "repl',
        '<file path="a.py">\nx = 2\n',
    ],
)
def test_what_breaks_off_or_lacks_a_part_is_a_problem_and_no_edit(text: str) -> None:
    parsed = parse(text)
    assert parsed.edits == ()
    assert parsed.problems


def test_several_files_creation_deletion_and_renaming() -> None:
    parsed = parse(
        "*** Begin Patch\n*** Add File: n.py\n+n\n*** Delete File: d.py\n"
        "*** Update File: o.py\n*** Move to: m.py\n@@ class A\n-x\n+y\n*** End Patch\n"
    )
    assert [(e.path, e.kind, e.new_path) for e in parsed.edits] == [
        ("n.py", "create", None), ("d.py", "delete", None), ("o.py", "rename", "m.py"),
    ]  # fmt: skip
    change = parsed.edits[2].changes[0]
    assert isinstance(change, Replace)
    assert change.after == ("class A",)
    git = parse(
        "diff --git a/d b/d\ndeleted file mode 100644\n--- a/d\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "diff --git a/o b/m\nsimilarity index 100%\nrename from o\nrename to m\n"
        "diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+n\n"
    )
    assert [(e.path, e.kind, e.new_path) for e in git.edits] == [
        ("d", "delete", None), ("o", "rename", "m"), ("n", "create", None),
    ]  # fmt: skip


def test_a_line_that_looks_like_a_divider_leaves_two_readings() -> None:
    text = "a.md\n<<<<<<< SEARCH\nTitle\n=======\ntext\n=======\nTitle\n=======\nnew\n>>>>>>> REPLACE\n"
    (change,) = _one(text).changes
    assert isinstance(change, Replace)
    readings = {(change.search, change.replace), *change.alternatives}
    assert ("Title\n=======\ntext\n", "Title\n=======\nnew\n") in readings


def test_line_ranges() -> None:
    value = {"path": "a.py", "start_line": 2, "end_line": 3, "new_text": "x"}
    assert _one(json.dumps(value)).changes == (Lines(1, 3, "x\n"),)
    assert _one("```python a.py:2-3\nx\n```\n").changes == (Lines(1, 3, "x\n"),)
    assert _one('{"path": "a.py", "insert_line": 0, "text": "x"}').changes == (Lines(0, 0, "x\n"),)


ANSWERS = [
    "Sure.\n\na.py\n```python\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n```\n\nb.py\n```\nwhole\n```\n",
    "*** Begin Patch\n*** Update File: a\n@@\n-x\n+y\n*** End Patch\n",
    "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+y\n\nThat is all.\n--- not a diff\nend",
    '{"edits": [{"path": "a", "search": "x", "replace": "y"}]}',
    "```\n\n```\n<path>a</path>\n<content>\nx\n</content>\r\n",
]


@given(st.sampled_from(ANSWERS), st.lists(st.integers(1, 9), max_size=60))
def test_a_stream_reads_as_the_finished_text(text: str, sizes: list[int]) -> None:
    parser = Parser()
    at = 0
    early = 0
    for size in sizes:
        early += len(parser.feed(text[at : at + size]))
        at += size
    parser.feed(text[at:])
    parsed = parser.finish()
    assert parsed == parse(text)


def test_an_edit_is_there_as_soon_as_it_is_complete() -> None:
    parser = Parser()
    assert parser.feed("a.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPL") == ()
    assert [e.path for e in parser.feed("ACE\n")] == ["a.py"]


LINES = st.sampled_from(
    ["a.py", "```", "```python", "~~~", "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "x = 1", "", "---", "--- a/f",
     "+++ b/f", "@@ -1 +1 @@", "@@", "+y", "-x", " z", "*** Begin Patch", "*** End Patch", "*** Update File: u",
     "*** Add File: n", "*** Frob File: q", '{"path": "j", "content": "c"}', "<file path='t'>", "</file>", "<content>",
     "</content>", "[", "{", "\x00", "\u2028", "...", "# ... existing code ...", "rename to x", "diff --git a/a b/a"]
)  # fmt: skip


@given(st.lists(LINES, max_size=40))
def test_nothing_a_model_writes_breaks_the_parser(lines: list[str]) -> None:
    for edit in parse("\n".join(lines), "default.py").edits:
        assert edit.path


@given(st.text(max_size=400))
def test_any_text_is_read(text: str) -> None:
    parse(text, "default.py")


@pytest.mark.parametrize(
    "text",
    [
        "<" * 3_000_000,
        "a.py\n<<<<<<< SEARCH\n" + "x\n" * 1_000_000 + "=======\n" + "y\n" * 1_000_000 + ">>>>>>> REPLACE\n",
        "```\n" * 500_000,
        "=======\n" * 300_000,
        "a.py\n<<<<<<< SEARCH\n" + "=======\n" * 100_000 + ">>>>>>> REPLACE\n",
        "[" * 500_000,
        '{"a": ' * 100_000,
        '{"a": "' + "\\" * 1_000_000,
        ", , ,  " * 300_000 + "{",
        "@@ -1 +1 @@\n" * 200_000,
        "# " + "... existing code " * 200_000,
        "`" * 1_000_000 + "\n",
        "<path>" * 300_000,
        "*** Update File: " + "a" * 3_000_000,
        "x" * 10_000_000,
    ],
    ids=range(15),
)
def test_hostile_text_is_read_in_bounded_time(text: str) -> None:
    start = time.monotonic()
    parse(text, "a.py")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("path", ["a.py", "src/a.py", None])
def test_a_block_that_kept_only_its_divider_is_the_file_or_a_part_of_it(path: str | None) -> None:
    (edit,) = parse("```\na.py\n=======\nx = 1\ny = 2\n```\n", path).edits
    assert edit.path == (path or "a.py")
    (change,) = edit.changes
    assert isinstance(change, Whole)
    assert change.text == "x = 1\ny = 2\n"


@pytest.mark.parametrize(
    "inside",
    [
        "b.py\n=======\nx = 1\n",
        "a.py\n=======\nx = 1\n=======\ny\n",
        "a.py\n=======\nx\n>>>>>>> REPLACE\n",
        "Title\n=======\ntext\n",
    ],
)
def test_what_begins_otherwise_keeps_its_divider(inside: str) -> None:
    for edit in parse(f"```\n{inside}```\n", "a.py").edits:
        for change in edit.changes:
            assert not isinstance(change, Whole) or "=======" in change.text
