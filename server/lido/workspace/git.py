"""Thin asynchronous functions over the git command. Arguments are lists; nothing passes a shell."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

TIMEOUT = 20.0
"""Seconds after which a git command is given up."""


class GitError(Exception):
    """git failed, is missing, or took too long; the text is git's own."""


async def git(cwd: Path, *arguments: str, stdin: bytes | None = None, timeout: float = TIMEOUT) -> str:
    """Standard output of ``git ARGUMENTS`` in `cwd`. Raises GitError.

    Configuration of the repository that would run programs (fsmonitor, hooks, pager, external diff) is
    switched off: a repository is untrusted.
    """
    command = (
        "git",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=" + os.devnull,
        "-c",
        "core.quotePath=false",
        "--no-pager",
        "--no-optional-locks",
        *arguments,
    )
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=environment,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise GitError(f"git cannot be started: {error}") from error
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin), timeout)
    except (TimeoutError, asyncio.CancelledError) as error:
        process.kill()
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        raise GitError(f"git {arguments[0]} took over {timeout:.0f} s") from error
    if process.returncode:
        raise GitError(err.decode(errors="replace").strip() or f"git {arguments[0]} failed")
    return out.decode("utf-8", errors="surrogateescape")


async def root(path: Path) -> Path | None:
    """The work tree that holds `path`, or None."""
    try:
        return Path((await git(path, "rev-parse", "--show-toplevel")).strip())
    except GitError:
        return None


async def head(path: Path) -> str | None:
    """The commit that is checked out, or None."""
    try:
        return (await git(path, "rev-parse", "--verify", "HEAD")).strip()
    except GitError:
        return None


async def branch(path: Path) -> str | None:
    """The branch that is checked out, or None (detached, no repository)."""
    try:
        return (await git(path, "symbolic-ref", "--short", "HEAD")).strip()
    except GitError:
        return None


async def ls_files(path: Path) -> list[str]:
    """Tracked and untracked, not ignored files below `path`, relative to it. Raises GitError."""
    text = await git(path, "ls-files", "-z", "--cached", "--others", "--exclude-standard", timeout=60)
    return sorted({name for name in text.split("\0") if name})


async def diff(path: Path, *arguments: str) -> str:
    """``git diff`` against HEAD (or as `arguments` say), without external programs. Raises GitError."""
    return await git(path, "diff", "--no-ext-diff", "--no-textconv", "--no-color", *(arguments or ("HEAD",)))


async def project_name(path: Path) -> str:
    """What the project is called in the log: the remote's last part, else the work tree's folder."""
    try:
        url = (await git(path, "config", "--get", "remote.origin.url")).strip().rstrip("/")
        if url:
            return url.replace(":", "/").rsplit("/", 1)[-1].removesuffix(".git")
    except GitError:
        pass
    return (await root(path) or path).name


def head_log(root: Path) -> Path | None:
    """The file in which git notes each move of HEAD, where `root` is a work tree's. Blocking; runs no git."""
    entry = root / ".git"
    try:
        if entry.is_file():  # a worktree or a submodule
            text = entry.read_text(encoding="utf-8", errors="replace").strip()
            entry = root / text.removeprefix("gitdir: ")
        return entry / "logs" / "HEAD" if entry.is_dir() else None
    except OSError:
        return None


def show(root: Path, commit: str, name: str) -> str | None:
    """The text of a file (POSIX path from `root`) in a commit, or None. Blocking."""
    if not commit.isalnum():
        return None
    command = ("git", "-c", "core.fsmonitor=false", "--no-pager", "--no-optional-locks")
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        found = subprocess.run(
            [*command, "show", "--no-textconv", f"{commit}:{name}"],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.decode("utf-8", errors="replace") if found.returncode == 0 else None
