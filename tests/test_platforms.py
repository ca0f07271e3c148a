"""What differs on Windows and macOS, as far as logic shows it here: addresses of files, folders, the loop, the
engine's start. The rest of the server is the same code everywhere."""

from __future__ import annotations

import asyncio
import json
import ntpath
import os
import re
import signal
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace
from typing import Any

import platformdirs
import platformdirs.windows
import pytest
from hypothesis import given
from hypothesis import strategies as st
from platformdirs.macos import MacOS
from platformdirs.windows import Windows
from pygls import uris

from fakes.model_server import ModelServer, Script
from fakes.raw_client import RawClient
from lido import settings
from lido.lsp import serve, server
from lido.models import embedded, engine_process
from lido.plan import sandbox
from lido.workspace.index import location

# ---------------------------------------------------------------- addresses of files


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uris, "IS_WIN", True)
    monkeypatch.setattr(server, "Path", PureWindowsPath)
    monkeypatch.setattr(server, "os", SimpleNamespace(path=ntpath, environ=os.environ))


WINDOWS = [
    ("file:///c:/Users/me/a.py", r"c:\Users\me\a.py"),
    ("file:///C%3A/Users/me/a.py", r"c:\Users\me\a.py"),
    ("file:///c%3A/with%20space/%C3%BC%23.py", "c:\\with space\\ü#.py"),
    ("file:///D:/", "d:\\"),
    ("file://server/share/folder/a.py", r"\\server\share\folder\a.py"),
    ("file://server/c%24/a.py", r"\\server\c$\a.py"),
    ("file:///c:/a/../b.py", r"c:\b.py"),
    ("file://localhost/c:/a.py", r"c:\a.py"),
]


@pytest.mark.parametrize(("uri", "path"), WINDOWS)
def test_windows_drives_and_shares(uri: str, path: str, windows: None) -> None:
    found = server.to_path(uri)
    assert found is not None
    assert str(found) == path
    assert server.to_path(server.to_uri(str(found))) == found


NAME = st.text(
    st.characters(exclude_characters='/\\<>:"|?*\0', exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8
).filter(lambda name: name.strip(" .") == name)


@given(st.sampled_from(["c:\\", "Z:\\", "\\\\server\\share\\"]), st.lists(NAME, min_size=1, max_size=4))
def test_any_name_on_windows_survives_the_way_to_an_editor_and_back(root: str, names: list[str]) -> None:
    path = root + "\\".join(names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uris, "IS_WIN", True)
        patch.setattr(server, "Path", PureWindowsPath)
        patch.setattr(server, "os", SimpleNamespace(path=ntpath))
        assert server.to_path(server.to_uri(path)) == PureWindowsPath(path)


@given(st.lists(NAME | st.just("a\\b:c"), min_size=1, max_size=4))
def test_any_name_elsewhere_survives_too(names: list[str]) -> None:
    path = Path("/", *names)
    assert server.to_path(server.to_uri(path)) == path


def test_this_machine_by_its_name_is_no_share() -> None:
    assert server.to_path("file://localhost/tmp/a%20b.py") == Path("/tmp/a b.py")


def test_what_is_no_file_here_is_none() -> None:
    for uri in (
        "untitled:Untitled-1",
        "vscode-notebook-cell:/a.ipynb#W0",
        "https://x/a.py",
        "file:///a%00b",
        "",
    ):
        assert server.to_path(uri) is None


# ---------------------------------------------------------------- folders


@pytest.mark.parametrize(
    ("kind", "home", "config"),
    [
        (MacOS, "Library/Application Support/lido", "Library/Application Support/lido/config.toml"),
        (Windows, "AppData/Local/lido", "AppData/Local/lido/config.toml"),
    ],
)
def test_each_platforms_folders(
    kind: Any, home: str, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LIDO_HOME", "LIDO_CONFIG", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "AppData" / "Local"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "AppData" / "Roaming"))
    monkeypatch.setattr(platformdirs, "PlatformDirs", kind)
    # Windows is asked by its own calls; here by the variables that it falls back to.
    asked = platformdirs.windows.get_win_folder_from_env_vars
    monkeypatch.setattr(platformdirs.windows, "get_win_folder", asked)
    assert settings.Home().root == tmp_path / home
    assert settings.config_path() == tmp_path / config


def test_names_of_our_own_files_are_allowed_everywhere() -> None:
    home = settings.Home(Path("/home"))
    ours = [home.events, home.conversations, home.journal, home.plans, home.models, home.cache, home.logs]
    ours.append(location(home.cache, Path("C:\\some where: *")))
    reserved = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
    for path in ours:
        assert not re.search(r'[<>:"|?*\\]', path.name)
        assert path.stem.lower() not in reserved
        assert path.name == path.name.strip(" .")


# ---------------------------------------------------------------- processes


def test_without_affinity_the_cores_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for count, used in ((1, 1), (4, 4), (8, 4), (32, 16), (None, 2)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert embedded.physical_cores() == used


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_the_engine_lives_by_its_pipe_alone(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """prctl is Linux's; calling for it anywhere else would end the engine before it began."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setitem(sys.modules, "ctypes", None)  # importing it raises
    engine_process._die_with_parent()


async def test_the_engine_ends_with_its_input_on_every_platform(tmp_path: Path) -> None:
    """What ends it where nothing else does; a model that is none must end it as well."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lido.models.engine_process",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    out, _ = await asyncio.wait_for(
        process.communicate(json.dumps(embedded.engine_config(str(tmp_path / "none.gguf"))).encode() + b"\n"),
        60,
    )
    assert "error" in json.loads(out)
    assert process.returncode


@pytest.mark.parametrize("ended", [None, 0])
def test_without_process_groups_the_command_itself_is_ended(
    ended: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[bool] = []
    process = SimpleNamespace(pid=1, returncode=ended, kill=lambda: killed.append(True))
    monkeypatch.setattr(sandbox, "os", SimpleNamespace(name="nt"))
    sandbox._kill(process)  # type: ignore[arg-type]
    assert killed == ([True] if ended is None else [])


async def test_a_loop_without_signals_serves_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotImplementedError  # what Windows' loop says

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", refuse, raising=False)
    serve._stop_on_signal(asyncio.current_task())
    monkeypatch.delattr(signal, "SIGTERM")
    serve._stop_on_signal(asyncio.current_task())


WITHOUT = """
import asyncio, os, sys
sys.modules["uvloop"] = None
vars(os).pop("sched_getaffinity", None)

def refuse(*_):
    raise NotImplementedError

asyncio.SelectorEventLoop.add_signal_handler = refuse
import lido.lsp.transport
lido.lsp.transport._pollable = lambda descriptor: False
"""


async def test_the_server_works_without_what_windows_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No uvloop, no pipes that can be polled, no signals: read in a thread, written directly."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    root = tmp_path / "project"
    root.mkdir()
    async with ModelServer(Script(["al(", "items)"])) as models:
        model = {"provider": "openai", "base_url": f"{models.url}/v1", "model": "m", "fim": "qwen"}
        client = RawClient(root, {"models": {"m": model}, "completion": {"debounce_ms": 0}})
        async with client:
            uri = (root / "a.py").as_uri()
            item = {"uri": uri, "languageId": "python", "version": 1, "text": "x = tot"}
            client.notify("textDocument/didOpen", {"textDocument": item})
            where = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 7}}
            for _ in range(3):
                answer = await client.request(
                    "textDocument/inlineCompletion", {**where, "context": {"triggerKind": 1}}
                )
                assert [each["insertText"] for each in answer["items"]] == ["al(items)"]
            assert (await client.request("lido/chat/send", {"text": "hi", "attachments": []}))["text"]
        assert client.process.returncode == 0
