"""git, driven for real."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lido.workspace import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()

    def run(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)

    run("init", "-b", "main")
    (root / "ä b.py").write_text("x = 1\n")
    (root / ".gitignore").write_text("out/\n")
    run("add", ".")
    run("commit", "-m", "first")
    (root / "new.py").write_text("y = 2\n")
    (root / "out").mkdir()
    (root / "out" / "z.py").write_text("")
    (root / "ä b.py").write_text("x = 2\n")
    return root


async def test_files_are_tracked_and_new_ones_but_not_ignored(repository: Path) -> None:
    assert await git.ls_files(repository) == [".gitignore", "new.py", "ä b.py"]


async def test_root_head_branch_and_diff(repository: Path) -> None:
    assert await git.root(repository) == repository
    assert len(await git.head(repository) or "") == 40
    assert await git.branch(repository) == "main"
    assert "+x = 2" in await git.diff(repository)


async def test_outside_a_repository_there_is_no_root_and_no_head(tmp_path: Path) -> None:
    assert await git.root(tmp_path) is None
    assert await git.head(tmp_path) is None
    with pytest.raises(git.GitError, match="not a git repository"):
        await git.ls_files(tmp_path)


async def test_the_project_is_named_after_its_remote_else_its_folder(repository: Path) -> None:
    assert await git.project_name(repository) == "shop"
    await git.git(repository, "remote", "add", "origin", "git@example.com:team/till.git")
    assert await git.project_name(repository) == "till"


async def test_a_repository_cannot_make_git_run_its_programs(repository: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    await git.git(repository, "config", "core.fsmonitor", f"touch {marker}")
    await git.git(repository, "config", "diff.external", f"touch {marker}")
    await git.ls_files(repository)
    await git.diff(repository)
    assert not marker.exists()
