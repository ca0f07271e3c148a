import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.settings import PrivacySettings
from lido.workspace.attachments import Attachment, Attachments, Excerpt, fenced, fit, tokens
from lido.workspace.privacy import Privacy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shop.py").write_text("class Shop:\n    def total_price(self):\n        return 1\n")
    (tmp_path / "src" / "other.py").write_text("x = 1\ny = 2\nz = 3\n")
    (tmp_path / "key.pem").write_text("secret-key-text\n")
    return tmp_path


@pytest.fixture
def attachments(root: Path) -> Attachments:
    return Attachments([root], Privacy([root], PrivacySettings()).blocked)


async def only(attachments: Attachments, attachment: Attachment, question: str = "") -> Excerpt:
    found = await attachments.resolve([attachment], question)
    assert found.problems == ()
    return found.excerpts[0]


async def test_a_file_and_lines_of_it(attachments: Attachments, root: Path):
    whole = await only(attachments, Attachment("file", root / "src/other.py"))
    assert (whole.path, whole.text, whole.whole) == ("src/other.py", "x = 1\ny = 2\nz = 3\n", True)
    part = await only(attachments, Attachment("selection", root / "src/other.py", (1, 2)))
    assert (part.title, part.text, part.first) == ("src/other.py lines 2-2", "y = 2\n", 1)
    beyond = await only(attachments, Attachment("selection", root / "src/other.py", (90, 95)))
    assert beyond.text == ""


async def test_what_the_editor_has_open_counts(root: Path):
    attachments = Attachments([root], lambda _: None, lambda path: "edited\n")
    assert (await only(attachments, Attachment("file", root / "src/other.py"))).text == "edited\n"


async def test_blocked_and_missing_files_are_said(attachments: Attachments, root: Path):
    found = await attachments.resolve(
        [Attachment("file", root / "key.pem"), Attachment("file", root / "no.py")]
    )
    assert found.excerpts == ()
    assert "key.pem" in found.problems[0]
    assert "no.py cannot be read" in found.problems[1]


async def test_folder_symbol_and_whole_workspace(attachments: Attachments, root: Path):
    folder = await only(attachments, Attachment("folder", root))
    assert folder.text.splitlines() == ["src/other.py", "src/shop.py"]
    symbol = await only(attachments, Attachment("symbol", name="Shop.total_price"))
    assert symbol.text.startswith("    def total_price")
    found = await only(attachments, Attachment("workspace"), "Where is the total price made?")
    assert found.path == "src/shop.py"
    assert found.title == "src/shop.py lines 1-3"


async def test_a_diff_leaves_out_what_is_blocked(attachments: Attachments, root: Path):
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=root,
            check=True,
            capture_output=True,
        )

    git("init", "-q")
    git("add", "-Af")
    git("commit", "-qm", "x")
    (root / "src" / "other.py").write_text("x = 2\n")
    (root / "key.pem").write_text("changed-secret\n")
    diff = await only(attachments, Attachment("diff"))
    assert "+x = 2" in diff.text
    assert "changed-secret" not in diff.text


@given(st.lists(st.integers(0, 300), max_size=6), st.integers(0, 2000))
def test_fitting_keeps_the_budget_and_says_what_is_missing(sizes: list[int], budget: int):
    excerpts = [
        Excerpt(f"f{i}", "".join(f"line {n} of {i}\n" for n in range(size)), whole=True)
        for i, size in enumerate(sizes)
    ]
    kept = fit(excerpts, budget)
    assert sum(tokens(e.text) for e in kept) <= budget + 15 * len(kept)
    originals = {e.title: e.text for e in excerpts}
    for excerpt in kept:
        if excerpt.text != originals[excerpt.title]:
            assert "lines left out" in excerpt.text
            assert not excerpt.whole


@given(st.text(max_size=200))
def test_a_fence_is_longer_than_any_inside(text: str):
    opening = fenced(Excerpt("t", text)).splitlines()[1]
    assert opening.strip("`") == ""
    assert opening not in text or not text


@given(st.text(max_size=300))
def test_estimates_are_positive_and_grow(text: str):
    assert 0 <= tokens(text) <= len(text) + 1
    assert tokens(text + "abc") >= tokens(text)
