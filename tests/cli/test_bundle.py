"""`lido doctor --bundle`: what helps is in it, what is nobody's business is not."""

from __future__ import annotations

import getpass
import json
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lido import settings as configuration
from lido.cli import bundle

SECRETS = (
    "sk-canary-0123456789abcdefghijklmnop",
    "pw-canary",
    "header-canary",
    "command-canary",
    "query-canary",
)
CONFIG = """\
[models.gate]
provider = "openai"
base_url = "http://me:pw-canary@127.0.0.1:9/v1?key=query-canary"
model = "m"
api_key_command = ["echo", "command-canary"]
headers = { X-Team = "header-canary" }
[plan]
test_command = "make test TOKEN=sk-canary-0123456789abcdefghijklmnop"
"""


@pytest.fixture
def person(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody whose home has secrets in many places."""
    home = tmp_path / "home" / "lido"
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "serve-1.jsonl").write_text(
        f'{{"message": "key {SECRETS[0]} of {getpass.getuser()} on {platform.node()} in {tmp_path}/home/x"}}\n'
    )
    (home / "logs" / "link.jsonl").symlink_to("/etc/passwd")
    (home / "conversations.sqlite3").write_bytes(b"text-canary")
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    return os.environ | {
        "LIDO_HOME": str(home),
        "LIDO_CONFIG": str(config),
        "HOME": str(tmp_path / "home"),
        "HTTPS_PROXY": "http://proxy-canary:1",
    }


def doctor(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lido", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_it_has_what_helps_and_nothing_secret(person: dict[str, str], tmp_path: Path):
    target = tmp_path / "bundle.zip"
    done = doctor(person, "--bundle", str(target), "--json")
    checks = json.loads(done.stdout)
    assert all(check["seconds"] >= 0 for check in checks)
    assert any(check["seconds"] > 0.001 for check in checks)
    with zipfile.ZipFile(target) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {"doctor.json", "settings.json", "system.json", "packages.txt", "files.txt"} <= set(texts)
    assert "logs/serve-1.jsonl" in texts
    whole = "\n".join(texts.values())
    for secret in (*SECRETS, "text-canary", "proxy-canary", "root:", str(tmp_path)):
        assert secret not in whole, secret
    if len(platform.node()) > 2:
        assert platform.node() not in whole
    assert f" of {getpass.getuser()} " not in texts["logs/serve-1.jsonl"]
    shown = json.loads(texts["settings.json"])["models"]["gate"]
    assert shown["headers"] == {"X-Team": "<hidden>"}
    assert "127.0.0.1:9/v1" in shown["base_url"]
    assert [line for line in texts["packages.txt"].splitlines() if line.startswith("pygls==")]
    assert "HTTPS_PROXY" in json.loads(texts["system.json"])["proxy"]
    if os.name == "posix":
        assert target.stat().st_mode & 0o777 == 0o600


def test_nothing_is_overwritten_and_a_folder_that_is_not_there_is_said(
    person: dict[str, str], tmp_path: Path
):
    taken = tmp_path / "taken.zip"
    taken.write_text("mine")
    done = doctor(person, "--bundle", str(taken))
    assert done.returncode == 2
    assert "there already" in done.stderr
    assert taken.read_text() == "mine"
    done = doctor(person, "--bundle", str(tmp_path / "none" / "b.zip"))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_windows_paths_are_masked_as_json_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bundle.Path, "home", classmethod(lambda _: r"C:\Users\ada"))
    mask = bundle.masker(configuration.Home(tmp_path))
    assert mask(json.dumps({"path": r"C:\Users\ada\x"})) == r'{"path": "~\\x"}'
