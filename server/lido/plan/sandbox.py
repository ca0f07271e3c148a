"""Running a command that a person agreed to: an argument list, a scrubbed environment, limits, and where
the platform can do that, no network and nothing writable but the command's own folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

OUTPUT = 64 * 1024
"""Bytes of output that are kept: the first and the last half."""
MEMORY = 4 * 2**30

# Only what programs need to be found and to speak the person's language; nothing else is handed on, so no
# key or token can be.
_KEPT = {
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV", "CONDA_PREFIX",
    "JAVA_HOME", "GOPATH", "GOROOT", "GOCACHE", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN",
    "SYSTEMROOT", "PATHEXT", "COMSPEC", "WINDIR", "NUMBER_OF_PROCESSORS",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """`code` is the exit code, None after `timed_out`; `output` holds both streams as they came, cut in
    the middle where it is long; `isolated` says that it was confined."""

    code: int | None
    output: str
    seconds: float
    timed_out: bool = False
    isolated: bool = False

    @property
    def ok(self) -> bool:
        return self.code == 0


def environment() -> dict[str, str]:
    """The environment a command gets."""
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith("LC_")}
    return kept | {"TERM": "dumb", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", "CI": "1"}


Runner = Callable[[Sequence[str], Path, float, Path], Awaitable[Result]]
"""Runs a command as `run` does, which is one: the arguments, where, seconds, and the writable folder."""

_can_isolate: bool | None = None


async def can_isolate() -> bool:
    """Whether commands are confined here. Tried once."""
    global _can_isolate
    if _can_isolate is None:
        with tempfile.TemporaryDirectory() as folder:
            _can_isolate = (await _run(["true"], Path(folder), Path(folder), 10, True)).ok
    return _can_isolate


async def run(argv: Sequence[str], cwd: Path, timeout: float = 120, writable: Path | None = None) -> Result:
    """Runs the command in `cwd`; `writable` (default `cwd`) is the folder it may write to. Never raises
    for what the command does; cancelling kills it and all its children of the same session."""
    return await _run(argv, cwd, writable or cwd, timeout, await can_isolate())


def wrapped(argv: Sequence[str], writable: Path, isolated: bool) -> tuple[list[str], dict[str, str]]:
    """The command as it is really started, which confines and limits itself first, and its whole
    environment. Makes the folder for its temporary files."""
    script = str(Path(__file__).with_name("confined.py"))
    temporary = writable / ".tmp"
    temporary.mkdir(exist_ok=True)
    wrapper = [sys.executable, "-I", "-S", script, str(MEMORY), str(writable) if isolated else ""]
    variables = environment() | {"TMPDIR": str(temporary), "XDG_CACHE_HOME": str(temporary)}
    return [*wrapper, *argv], variables


async def _run(argv: Sequence[str], cwd: Path, writable: Path, timeout: float, isolated: bool) -> Result:
    command, variables = wrapped(argv, writable, isolated)
    began = time.monotonic()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd, env=variables, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return Result(127, str(error), 0.0)
    kept = _Kept()
    timed_out = False
    try:
        async with asyncio.timeout(timeout):
            assert process.stdout is not None
            while data := await process.stdout.read(65536):
                kept.add(data)
            await process.wait()
    except TimeoutError:
        timed_out = True
    finally:
        _kill(process)
        await asyncio.shield(process.wait())
    code = None if timed_out else process.returncode
    return Result(code, kept.text(), time.monotonic() - began, timed_out, isolated)


def _kill(process: asyncio.subprocess.Process) -> None:
    """The command and whatever it left running."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()


class _Kept:
    """The beginning and the end of a stream of any length."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._lost = 0

    def add(self, data: bytes) -> None:
        room = OUTPUT // 2 - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        if (over := len(self._tail) - OUTPUT // 2) > 0:
            del self._tail[:over]
            self._lost += over

    def text(self) -> str:
        gap = f"\n… {self._lost} bytes left out …\n".encode() if self._lost else b""
        return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace")
