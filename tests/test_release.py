"""What a release promises: one version, the same bytes twice, an image that runs as nobody in particular."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

import lido

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def tool():
    spec = importlib.util.spec_from_file_location("release", ROOT / "tools" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_version_stands_in_one_place_and_the_changelog_speaks_of_it() -> None:
    release = tool()
    assert release.version() == lido.__version__
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "server/lido/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", lido.__version__)
    assert release.changes((ROOT / "CHANGELOG.md").read_text(), lido.__version__)
    with pytest.raises(ValueError, match=r"no entry for 99\.0\.0"):
        release.changes((ROOT / "CHANGELOG.md").read_text(), "99.0.0")
    with pytest.raises(ValueError, match=r"no entry for 0\.1"):
        release.changes("## 0.1.0\n\nText\n", "0.1")


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a checkout")
@pytest.mark.skipif(importlib.util.find_spec("build") is None, reason="the package `build` is not installed")
def test_two_builds_of_a_commit_are_the_same_and_hold_what_they_should(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(ROOT / "tools" / "release.py"),
        "--no-install",
        "--out",
        str(tmp_path / "out"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    out = {path.name: path for path in (tmp_path / "out").iterdir()}
    number = lido.__version__
    assert set(out) == {f"lido_lsp-{number}-py3-none-any.whl", f"lido_lsp-{number}.tar.gz", "SHA256SUMS"}
    for line in out["SHA256SUMS"].read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(out[name].read_bytes()).hexdigest() == digest
    shutil.unpack_archive(out[f"lido_lsp-{number}-py3-none-any.whl"], tmp_path / "wheel", "zip")
    names = {path.relative_to(tmp_path / "wheel").as_posix() for path in (tmp_path / "wheel").rglob("*")}
    assert {"lido/__main__.py", "lido/py.typed"} <= names
    assert {name.partition("/")[0] for name in names} == {"lido", f"lido_lsp-{number}.dist-info"}
    shutil.unpack_archive(out[f"lido_lsp-{number}.tar.gz"], tmp_path / "sdist", "gztar", filter="data")
    (inside,) = (tmp_path / "sdist").iterdir()
    tops = {path.name for path in inside.iterdir()}
    assert tops >= {"server", "README.md", "LICENSE", "NOTICE", "pyproject.toml", "PKG-INFO"}
    assert not tops & {"clients", "tests", "docs"}


# ---------------------------------------------------------------- the collector's image


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Containerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def stage() -> list[tuple[str, str]]:
    """The last one: what runs."""
    found = instructions()
    last = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[last:]


def test_the_image_has_a_pinned_base_and_runs_as_a_user_without_rights() -> None:
    default = dict(instructions())["ARG"]
    assert re.fullmatch(r"PYTHON=3\.\d+-slim-[a-z]+", default), (
        "a tag of a Python and of a Debian, not `latest`"
    )
    assert all(":${PYTHON}" in what for name, what in instructions() if name == "FROM")
    after = [name for name, _ in stage()]
    user = next(what for name, what in stage() if name == "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), (
        "by number, so that a cluster can check that it is not root"
    )
    assert after.index("USER") < after.index("ENTRYPOINT")
    assert "RUN" not in after[after.index("USER") :]
    assert not [what for name, what in instructions() if name == "ADD"]


def test_what_the_image_copies_is_there_and_is_let_through_to_the_builder() -> None:
    through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name, what in instructions():
        if name == "COPY" and not what.startswith("--from"):
            for source in shlex.split(what)[:-1]:
                assert (ROOT / source).exists()
                assert source in through


def test_the_image_installs_by_hash_what_the_collector_needs() -> None:
    lock = (ROOT / "locks" / "collect.txt").read_text()
    assert "--require-hashes -r locks/collect.txt" in str(instructions())
    pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, re.M))
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["collect"]]
    assert {re.split(r"[\[><=;]", each)[0].strip().lower() for each in wanted} <= pinned
    assert {"hatchling", "editables"} <= pinned, "it is built without isolation"


def test_the_image_s_own_check_tells_a_collector_that_lives_from_one_that_does_not(
    tmp_path: Path,
) -> None:
    pytest.importorskip("uvicorn")
    check = next(what for name, what in stage() if name == "HEALTHCHECK")
    command = json.loads(check[check.index("CMD ") + 4 :])
    assert command[0] == "python"
    command[0] = sys.executable
    entry = json.loads(next(what for name, what in stage() if name == "ENTRYPOINT"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [*json.loads(next(what for name, what in stage() if name == "CMD")), "--port", str(port)]
    environment = os.environ | {"LIDO_HOME": str(tmp_path), "LIDO_HEALTH": f"http://127.0.0.1:{port}/healthz"}

    def healthy() -> bool:
        return not subprocess.run(command, env=environment, stderr=subprocess.DEVNULL).returncode

    assert not healthy()
    served = subprocess.Popen(
        [sys.executable, "-m", *entry, *arguments], stderr=subprocess.DEVNULL, env=environment
    )
    with served:
        try:
            until = time.monotonic() + 30
            while not (lives := healthy()) and time.monotonic() < until:
                assert served.poll() is None
            assert lives
        finally:
            served.terminate()
    assert not healthy()
