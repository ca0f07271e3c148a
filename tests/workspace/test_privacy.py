"""The gate to the outside."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.settings import PrivacySettings
from lido.workspace.privacy import REDACTED, Privacy, find_secrets, scrub


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".gitignore").write_text("build/\n*.log\n!keep.log\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / ".lidoignore").write_text("generated_*.py\n")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "build/out.py",
        "a.log",
        "src/generated_x.py",
        ".env",
        "deploy/id_rsa",
        "cert.pem",
        ".git/config",
        "x/y.secret",
    ],
)
def test_ignored_and_secret_files_are_blocked_with_a_reason(root: Path, name: str) -> None:
    assert Privacy([root], PrivacySettings(ignore=("*.secret",))).blocked(root / name)


@pytest.mark.parametrize("name", ["src/main.py", "keep.log", ".env.example", "generated_x.py", "README.md"])
def test_other_files_pass(root: Path, name: str) -> None:
    assert Privacy([root], PrivacySettings()).blocked(root / name) is None


def test_an_ignore_file_that_changes_is_read_again(root: Path) -> None:
    privacy = Privacy([root], PrivacySettings())
    assert privacy.blocked(root / "notes.md") is None
    (root / ".lidoignore").write_text("notes.md\n")
    assert privacy.blocked(root / "notes.md")


def test_a_link_is_judged_by_what_it_points_to(root: Path) -> None:
    (root / ".env").write_text("KEY=1")
    (root / "innocent.txt").symlink_to(root / ".env")
    assert Privacy([root], PrivacySettings()).blocked(root / "innocent.txt")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key = 'AKIAIOSFODNN7EXAMPLE'", "AKIAIOSFODNN7EXAMPLE"),
        ("token: ghp_" + "a1" * 18, "ghp_" + "a1" * 18),
        ('password = "hunter2hunter2"', "hunter2hunter2"),
        ("url = postgres://me:s3cr3tpw@db/x", "s3cr3tpw"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\ndef\n-----END RSA PRIVATE KEY-----", "abc"),
        ('{"client_secret": "0123456789abcdef"}', "0123456789abcdef"),
    ],
)
def test_secrets_never_pass(text: str, secret: str) -> None:
    clean = scrub(text)
    assert secret not in clean
    assert REDACTED in clean
    assert clean.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        'password = os.environ["PASSWORD"]',
        "password = getpass.getpass()",
        'api_key = "your-api-key"',
        "def reset_password(user, new_password): ...",
        "https://example.com/a:b@c",
        "sk-learn is a library",
    ],
)
def test_code_that_only_talks_about_secrets_passes_unchanged(text: str) -> None:
    assert scrub(text) == text


@given(st.text())
def test_scrubbing_twice_changes_nothing_more_and_keeps_lines(text: str) -> None:
    once = scrub(text)
    assert scrub(once) == once
    assert once.count("\n") == text.count("\n")


@given(st.text(alphabet="abcKEY_=:'\"@/.-AKIA0123456789 \n", max_size=2000))
def test_spans_are_ordered_and_apart(text: str) -> None:
    spans = find_secrets(text)
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
