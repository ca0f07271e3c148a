import asyncio
import json
import os
import re
import sys
import time
from pathlib import Path

import pytest

from lido.plan import confined, sandbox
from lido.plan.permissions import Denied, Permissions, parse


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-c", code]


async def test_output_and_exit_code(tmp_path: Path):
    result = await sandbox.run(
        python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), tmp_path
    )
    assert result.code == 3
    assert sorted(result.output.split()) == ["err", "out"]


async def test_no_variable_with_a_secret_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "MY_TOKEN", "DATABASE_URL", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "hidden-value")
    result = await sandbox.run(python("import os; print(dict(os.environ))"), tmp_path)
    assert "hidden-value" not in result.output
    assert "PATH" in result.output


async def test_a_command_that_takes_too_long_is_stopped_with_its_children(tmp_path: Path):
    marker = tmp_path / "child.pid"
    code = (
        "import subprocess; p = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(marker)!r}, 'w').write(str(p.pid)); p.wait()"
    )
    result = await sandbox.run(python(code), tmp_path, 1.5)
    assert result.timed_out
    assert result.code is None
    pid = int(marker.read_text())
    deadline = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


async def test_long_output_keeps_beginning_and_end(tmp_path: Path):
    result = await sandbox.run(python("print('first'); print('x' * 1_000_000); print('last')"), tmp_path)
    assert len(result.output) < sandbox.OUTPUT + 100
    assert result.output.startswith("first")
    assert result.output.endswith("last\n")
    assert "bytes left out" in result.output


async def test_a_missing_program_is_said(tmp_path: Path):
    result = await sandbox.run(["no-such-program-at-all"], tmp_path)
    assert result.code == 127
    assert "no-such-program-at-all" in result.output


@pytest.fixture
async def confining() -> None:
    if not await sandbox.can_isolate():
        pytest.skip("this system cannot confine commands (no user namespaces)")


async def test_there_is_no_network_but_the_loopback(confining, tmp_path: Path):
    code = (
        "import socket\n"
        "s = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(s.getsockname()); print('loopback')\n"
        "try: socket.create_connection(('192.0.2.1', 80), 3)\n"
        "except OSError as error: print(error)\n"
    )
    result = await sandbox.run(python(code), tmp_path)
    assert "loopback" in result.output
    assert "unreachable" in result.output
    assert result.isolated


async def test_nothing_can_be_written_outside(confining, tmp_path: Path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    code = f"open('a', 'w'); open({str(outside)!r}, 'w')"
    result = await sandbox.run(python(code), inside)
    assert "Read-only file system" in result.output
    assert (inside / "a").exists()
    assert not outside.exists()


async def test_root_cannot_undo_it(confining, tmp_path: Path):
    code = "import ctypes; print(ctypes.CDLL(None).mount(None, b'/', None, 0x20, None))"
    assert "-1" in (await sandbox.run(python(code), tmp_path)).output


@pytest.mark.parametrize("name", ['a")(allow file-write*)', "back\\", 'both\\"', "plain"])
def test_a_folders_name_says_nothing_in_the_profile_for_macos(name: str):
    string = r'"(?:\\.|[^"\\])*"'
    plain, this = confined.mac_profile("/tmp/x"), confined.mac_profile(f"/tmp/{name}")
    assert re.sub(string, "", this) == re.sub(string, "", plain)
    strings = [json.loads(each) for each in re.findall(string, this)]
    assert os.path.realpath(f"/tmp/{name}") in strings


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX limits")
async def test_memory_is_limited(tmp_path: Path):
    result = await sandbox.run(python("bytearray(6 * 2**30)"), tmp_path)
    assert "MemoryError" in result.output


# ---------------------------------------------------------------------- permissions


@pytest.mark.parametrize(
    "line", ["a; b", "a && b", "a | b", "a > f", "echo `id`", "echo $(id)", "", "a 'b", "a 2>f"]
)
def test_what_only_a_shell_could_run_is_refused(line: str):
    with pytest.raises(Denied):
        parse(line)


def test_what_is_quoted_is_an_argument():
    assert parse("python -c 'print(1); a|b' \"c & d\" test[x-1]") == [
        "python", "-c", "print(1); a|b", "c & d", "test[x-1]",
    ]  # fmt: skip


async def test_consent_once_always_and_by_exact_prefix():
    asked: list[str] = []
    answers = iter(["yes", "no", "always", "nonsense"])

    async def ask(question: str) -> str:
        asked.append(question)
        return next(answers)

    session: set[tuple[str, ...]] = set()
    p = Permissions(["pytest -q"], session, ask)
    await p.require(["pytest", "-q", "tests"], True)
    assert asked == []
    await p.require(["pytest", "-x"], True)
    with pytest.raises(Denied):
        await p.require(["pytest", "-x"], False)
    assert "not confined" in asked[1]
    await p.require(["make"], True)
    await p.require(["make"], True)
    await Permissions([], session, ask).require(["make"], True)
    with pytest.raises(Denied):
        await p.require(["pytest"], True)
    assert len(asked) == 4


async def test_nothing_runs_in_a_folder_that_is_not_trusted_and_nobody_is_asked():
    async def ask(question: str) -> str:
        raise AssertionError(question)

    with pytest.raises(Denied, match="does not trust"):
        await Permissions(["make"], {("make",)}, ask, trusted=False).require(["make"], True)
