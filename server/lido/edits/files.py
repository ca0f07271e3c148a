"""Bytes ↔ text without loss, and which paths may be touched at all."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lido.workspace import private

MAX_FILE = 16 * 1024 * 1024
"""Bytes of a file that edits may touch; more is generated data, not something a person reviews."""
_MAX_NAME = 4096
UNSAVED = "untitled:"
"""How the URI of a document begins that was never saved."""


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """Why a path or a text may not be edited, as a sentence without a subject: "it is not a text file"."""


# ---------------------------------------------------------------- text


@dataclass(frozen=True, slots=True)
class FileText:
    """A file's text as it is, line endings included, and how to write it back."""

    text: str
    encoding: str = "utf-8"
    bom: bytes = b""
    errors: str = "strict"

    @classmethod
    def decode(cls, data: bytes) -> FileText:
        """Encoding by byte-order mark, else UTF-8, else Windows-1252 or Latin-1. Raises Refused for binary
        data and for files beyond `MAX_FILE`. ``decode(data).encode(text) == data`` for the unchanged text."""
        if len(data) > MAX_FILE:
            raise Refused(f"it is larger than {MAX_FILE // 2**20} MB")
        for bom, encoding in _BOMS:
            if data.startswith(bom):
                try:
                    text = data[len(bom) :].decode(encoding)
                except UnicodeDecodeError as error:
                    raise Refused(f"it claims to be {encoding} but is not valid {encoding}") from error
                return cls(text, encoding, bom)
        if b"\0" in data:
            raise Refused("it is not a text file")
        # UTF-8 with encoded surrogates (as some Windows tools write) is kept as it is.
        for encoding, errors in (("utf-8", "strict"), ("utf-8", "surrogatepass"), ("cp1252", "strict")):
            with contextlib.suppress(UnicodeDecodeError):
                return cls(data.decode(encoding, errors), encoding, b"", errors)
        return cls(data.decode("latin-1"), "latin-1")

    def encode(self, text: str) -> bytes:
        """`text` as this file's bytes. Raises Refused where its encoding has no such character."""
        try:
            return self.bom + text.encode(self.encoding, self.errors)
        except UnicodeEncodeError as error:
            character = error.object[error.start]
            raise Refused(
                f"its encoding, {self.encoding}, has no character U+{ord(character):04X}"
            ) from error


_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def line_ending(text: str) -> str:
    """The ending most lines of `text` have; ``"\\n"`` where there is none."""
    if "\r" not in text:
        return "\n"
    crlf = text.count("\r\n")
    lf = text.count("\n") - crlf
    cr = text.count("\r") - crlf
    return max((("\n", lf), ("\r\n", crlf), ("\r", cr)), key=lambda pair: pair[1])[0]


def with_line_ending(text: str, ending: str) -> str:
    """`text` with every line ending replaced by `ending`."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if ending == "\n" else text.replace("\n", ending)


# ---------------------------------------------------------------- paths

Blocked = Callable[[Path], str | None]
"""Why a path may not be edited, or None."""
Opened = Callable[[Path], str | None]
"""The text of the document an editor has open for a path, or None."""


def _allowed(_path: Path) -> str | None:
    return None


def _closed(_path: Path) -> str | None:
    return None


class Workspace:
    """The folders that edits may touch, and nothing else. Safe in threads."""

    def __init__(self, roots: Iterable[Path], blocked: Blocked = _allowed, opened: Opened = _closed) -> None:
        self.roots = [Path(os.path.realpath(root)) for root in roots]
        self._blocked = blocked
        self.opened = opened

    def locate(self, name: str) -> Path:
        """The real path that `name` (as a model wrote it) means. Raises Refused.

        Relative names belong to the first root where they exist, else to the first root. Absolute ones
        must lie inside a root. Links are followed first, so a link that leads out is outside. Without any
        root, only files that are open in the editor may be touched. A document that was never saved goes by
        its URI, while it is open; only the editor can write to it.
        """
        if not name or len(name) > _MAX_NAME:
            raise Refused("the path is empty or too long")
        if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in name):
            raise Refused("the path holds control characters")
        if name.startswith(UNSAVED) and self.opened(Path(name)) is not None:
            return Path(name)
        if not self.roots:
            return self._alone(name)
        if name.endswith(("/", "\\")):
            raise Refused("it names a folder")
        if os.name == "nt":
            if ":" in name[2:] or name.startswith(("\\\\", "//")):
                raise Refused("the path names a device, a share or a stream")
        elif _DRIVE.match(name):
            raise Refused("it is outside the workspace")
        elif "\\" in name:
            name = name.replace("\\", "/")
        if name.startswith("~"):
            raise Refused("it is outside the workspace")
        absolute = Path(name).is_absolute()
        places = [Path(name)] if absolute else [root / name for root in self.roots]
        try:
            path = next((place for place in places if os.path.lexists(place)), places[0])
            real = Path(os.path.realpath(path))
            if os.name == "nt" or not os.path.lexists(real):
                _refuse_windows_names(real)
            if not any(real != root and real.is_relative_to(root) for root in self.roots):
                raise Refused("it is outside the workspace")
            if any(part.casefold() == ".git" for part in real.parts):
                raise Refused("git's own files are not edited")
            for parent in (real, *real.parents):
                mode = _mode(parent)
                if mode is None:
                    continue
                if parent == real and not stat.S_ISREG(mode):
                    raise Refused("it is not a regular file")
                if parent != real and not stat.S_ISDIR(mode):
                    raise Refused(f"{parent.name} is not a folder")
                break
        except (OSError, ValueError) as error:
            raise Refused(f"the path cannot be used ({type(error).__name__})") from error
        if why := self._blocked(real):
            raise Refused(why)
        return real

    def _alone(self, name: str) -> Path:
        """Where no folder is open, the files that are open in the editor are the workspace."""
        path = Path(os.path.realpath(name))
        if not Path(name).is_absolute() or self.opened(path) is None:
            raise Refused("no folder is open")
        if why := self._blocked(path):
            raise Refused(why)
        return path

    def name(self, path: Path) -> str:
        """How people call `path`: relative to its root, with forward slashes."""
        for root in self.roots:
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return path.as_posix()

    def read(self, name: str) -> str | None:
        """The text behind `name`: the open document's, else the file's; None where there is no file.
        Raises Refused."""
        path = self.locate(name)
        text = self.opened(path)
        if text is not None:
            return text
        data = read_bytes(path)
        return None if data is None else FileText.decode(data).text


_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\|//")
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])[ ]*(?:\..*)?", re.I | re.S
)


def _refuse_windows_names(path: Path) -> None:
    """What Windows would take for a device or a stream of another file, or write under another name.
    Elsewhere such files may be there, but none is made: it could not be checked out everywhere."""
    for part in path.parts[1:]:
        if _RESERVED.fullmatch(part):
            raise Refused(f"{part} is a device on Windows")
        if ":" in part:
            raise Refused("the path names a stream of a file")
        if part.endswith((".", " ")):
            raise Refused("a name ends in a dot or a space")


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None


def read_bytes(path: Path) -> bytes | None:
    """The bytes of a regular file, None where there is none. Raises Refused for anything else.

    Opened without blocking and checked on the open descriptor, so that a pipe put in its place between
    check and use cannot hang the server.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        fd = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Refused(f"it cannot be read ({error.strerror})") from error
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise Refused("it is not a regular file")
        if info.st_size > MAX_FILE:
            raise Refused(f"it is larger than {MAX_FILE // 2**20} MB")
        return file.read(MAX_FILE + 1)


@contextlib.contextmanager
def real_folder(folder: Path, create: bool = False) -> Iterator[int | None]:
    """A descriptor of `folder`, a real path, reached through no link: one that was put in its way since it
    was looked at leads nowhere. None where the platform has no such descriptors. Raises OSError."""
    if os.open not in os.supports_dir_fd:
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        yield None
        return
    flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
    fd = os.open(folder.anchor, flags)
    try:
        for part in folder.parts[1:]:
            if create:
                with contextlib.suppress(FileExistsError):
                    _make_folder(part, fd)
            inner = os.open(part, flags | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


def _make_folder(name: str, parent: int) -> None:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        os.mkdir(name, dir_fd=parent)
        if (mode := private.persons_mode(0o777)) is not None:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            os.fchmod(fd, mode)
            os.close(fd)


def write_bytes(
    path: Path, data: bytes, temporary: Path, folder: int | None = None, mode: int | None = None
) -> None:
    """Put `data` at `path` in one step: whole or not at all, also across a crash. Keeps the mode of the file
    it replaces; a new one gets `mode`. `temporary` must lie in the same folder, whose descriptor may be
    given. Raises OSError."""
    target: Path | str = path if folder is None else path.name
    source: Path | str = temporary if folder is None else temporary.name
    with contextlib.suppress(FileNotFoundError):
        there = os.stat(target, dir_fd=folder, follow_symlinks=False).st_mode
        mode = stat.S_IMODE(there) if stat.S_ISREG(there) else None
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        fd = os.open(source, flags, 0o666, dir_fd=folder)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(fd, mode)
            file.flush()
            os.fsync(fd)
        os.replace(source, target, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(source, dir_fd=folder)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable, where the platform can."""
    with contextlib.suppress(OSError):  # Windows cannot open folders; its renames are journalled
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
