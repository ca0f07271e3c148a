"""Trees stay right through any edits, and tell where the cursor stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.workspace import syntax
from lido.workspace.documents import Document, Edit

PYTHON = "import os\n\n\nclass A:\n    def go(self, x):\n        return [x, 'é']  # 😀\n\n\nB = 1\n"
TAGGED = [
    "python",
    "javascript",
    "typescript",
    "tsx",
    "java",
    "kotlin",
    "go",
    "rust",
    "c",
    "cpp",
    "csharp",
    "ruby",
    "php",
    "swift",
    "scala",
    "lua",
    "bash",
]


def test_counts_errors_only_where_there_are_some():
    assert syntax.errors("python", "x = 1\n") == 0
    assert syntax.errors("python", "def f(:\n    pass\n") >= 1
    assert syntax.errors("nosuchlanguage", "def f(:") == 0
    assert syntax.path_errors("a/b.ts", "const x: = ;") >= 1


@pytest.mark.parametrize("language", TAGGED)
def test_every_tags_query_compiles(language):
    assert syntax._tags(language) is not None


@pytest.mark.parametrize(
    ("language", "text", "names"),
    [
        ("python", PYTHON, ["A", "go", "B"]),
        ("go", "package a\n\nfunc Go(x int) int { return x }\n\ntype T struct{}\n", ["Go", "T"]),
        ("kotlin", "class A { fun b(x: Int): Int { return 1 } }\nfun c() = 2\n", ["A", "b", "c"]),
        ("typescriptreact", "export const x = 1;\nfunction F() { return <a/>; }\n", ["x", "F"]),
        ("rust", "struct S;\nimpl S { fn f(&self) -> u8 { 1 } }\n", ["S", "f"]),
        ("cpp", "class K { int m() { return 1; } };\nint K::n() { return 2; }\n", ["K", "m", "n"]),
        ("ruby", "class A\n  def b(x)\n  end\nend\n", ["A", "b"]),
    ],
)
def test_finds_definitions(language, text, names):
    assert [d.name for d in syntax.definitions(language, text.encode())] == names


def test_signature_ends_before_the_body():
    found = syntax.definitions("python", PYTHON.encode())
    assert found[1].signature == "def go(self, x):"


edits = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 12), st.text("ab()[]:\n\"'# é😀", max_size=8)), max_size=8
)


@given(edits)
def test_incremental_trees_equal_fresh_ones(changes):
    trees = syntax.Trees()
    document = Document.of(PYTHON, "file:///a.py", "python")
    trees.of(document)
    for version, (at, length, text) in enumerate(changes):
        start = min(at, document.length)
        document = document.replaced(Edit(start, min(start + length, document.length), text), version)
        parsed = trees.of(document)
        fresh = syntax.parse("python", document.text.encode())
        assert parsed is not None
        assert fresh is not None
        assert parsed.source.decode() == document.text
        # Recovery from errors may differ between the two; for sound text the trees must agree.
        if not fresh.root_node.has_error:
            assert str(parsed.tree.root_node) == str(fresh.root_node)


@given(edits)
def test_common_agrees_with_the_naive_comparison(changes):
    before = document = Document.of(PYTHON * 40, language="python")
    for at, length, text in changes:
        start = min(at * 30, document.length)
        document = document.replaced(Edit(start, min(start + length, document.length), text), 1)
    one, two = before.text, document.text
    head = next(
        (i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two))
    )
    pairs = zip(one[::-1], two[::-1], strict=False)
    tail = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))
    assert before.common(document) == (head, tail)


def test_knows_comments_and_strings_and_scopes():
    document = Document.of(PYTHON, "file:///a.py", "python")
    parsed = syntax.Trees().of(document)
    assert parsed is not None
    assert syntax.inside(parsed, PYTHON.index("😀") + 1) == "comment"
    assert syntax.inside(parsed, PYTHON.index("é") + 1) == "string"
    assert syntax.inside(parsed, PYTHON.index("return")) is None
    assert syntax.scopes(parsed, PYTHON.index("return")) == ["class A:", "    def go(self, x):"]
    inner = PYTHON.index("def go")
    assert syntax.scopes(parsed, PYTHON.index("return"), before=inner) == ["class A:"]
    assert syntax.imports(parsed) == "import os"


def test_errors_after_an_insertion_do_not_change_the_document():
    document = Document.of(PYTHON, "file:///a.py", "python")
    parsed = syntax.Trees().of(document)
    assert parsed is not None
    at = PYTHON.index("return")
    assert syntax.errors_after(parsed, at, at, "y = (1\n        ") >= 1
    assert syntax.errors_after(parsed, at, at, "y = (1)\n        ") == 0
