"""``lido doctor --bundle``: one file for whoever helps, without secrets and without the person's text."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from lido import settings as configuration

LOGS = 10
"""Log files, the newest."""
TAIL = 512 * 1024
"""Bytes of each, the last."""
HIDDEN = "<hidden>"


def write(
    target: Path, checks: Sequence[dict[str, Any]], settings: configuration.Settings, home: configuration.Home
) -> list[str]:
    """Writes the bundle, readable by the person alone; the names in it. An existing file is not overwritten.
    Raises OSError."""
    mask = masker(home)
    texts = {
        "doctor.json": json.dumps(checks, indent=2),
        "settings.json": json.dumps(shown(settings), indent=2, default=str),
        "system.json": json.dumps(_system(), indent=2),
        "packages.txt": "\n".join(_packages()),
        "files.txt": "\n".join(_files(home)),
    }
    for path in _logs(home.logs):
        texts[f"logs/{path.name}"] = _tail(path)
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(fd, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in texts.items():
            bundle.writestr(name, mask(text))
    return list(texts)


def shown(settings: configuration.Settings) -> dict[str, Any]:
    """The settings without what could be a secret: values of headers, commands for keys, what a URL has
    besides host, port and path."""
    data = settings.model_dump(mode="json")
    for model in data["models"].values():
        model["headers"] = dict.fromkeys(model["headers"], HIDDEN)
        if model["api_key_command"]:
            model["api_key_command"] = HIDDEN
    return _without_credentials(data)  # type: ignore[no-any-return]


def _without_credentials(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_credentials(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_credentials(each) for each in value]
    if isinstance(value, str) and "://" in value:
        return re.sub(r"://[^/@\s]*@", f"://{HIDDEN}@", re.sub(r"\?.*", f"?{HIDDEN}", value))
    return value


def masker(home: configuration.Home) -> Callable[[str], str]:
    """Takes detected secrets, the home folder and the person's and the machine's names out of a text."""
    from lido.workspace.privacy import scrub

    names: list[tuple[str, str]] = [(str(home.root), "<LIDO_HOME>"), (str(Path.home()), "~")]
    names += [(json.dumps(path)[1:-1], there) for path, there in names]  # as JSON writes Windows' separators
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = ""
    words = [(user, "<user>"), (platform.node(), "<host>")]

    def mask(text: str) -> str:
        text = scrub(text)
        for path, there in names:
            if len(path) > 1:
                text = text.replace(path, there)
        for word, there in words:
            if len(word) > 2:
                text = re.sub(rf"(?<![\w]){re.escape(word)}(?![\w])", there, text)
        return text

    return mask


def _system() -> dict[str, Any]:
    import lido

    return {
        "lido": lido.__version__,
        "python": sys.version,
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "encoding": sys.getfilesystemencoding(),
        # Whether it is set says enough.
        "proxy": sorted(name for name in os.environ if name.lower().endswith("_proxy")),
    }


def _packages() -> list[str]:
    return sorted({f"{each.metadata['Name']}=={each.version}" for each in metadata.distributions()})


def _files(home: configuration.Home) -> list[str]:
    """What lies below `LIDO_HOME`, two levels deep, with mode and size; no contents."""
    found = []
    for path in sorted([*home.root.glob("*"), *home.root.glob("*/*")])[:500]:
        try:
            status = path.stat()
        except OSError as error:
            found.append(f"{path}: {error.strerror}")
        else:
            found.append(f"{oct(status.st_mode)} {status.st_size:>12} {path}")
    return found


def _logs(folder: Path) -> list[Path]:
    files = [path for path in folder.glob("*") if path.is_file() and not path.is_symlink()]
    return sorted(files, key=lambda path: path.stat().st_mtime)[-LOGS:]


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        return file.read().decode("utf-8", "replace")
