"""A scratch copy of the project: an agent edits and tests there, and the person's files change only by
review."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from lido.edits.apply import FileChange
from lido.edits.files import FileText, Refused, read_bytes
from lido.plan.run import GaveUp
from lido.workspace import search

MAX_BYTES = 500 * 2**20

Blocked = Callable[[Path], str | None]
Opened = Callable[[Path], str | None]


class Workcopy:
    """`root` is the copy, `origin` the person's folder. Secret and ignored files are not in the copy."""

    def __init__(self, root: Path, origin: Path) -> None:
        self.root = root
        self.real = Path(os.path.realpath(root))
        """`root` with links followed, as paths come back from checks."""
        self.origin = origin
        self._before: dict[str, tuple[int, int]] = {}
        self.created: set[str] = set()
        """Names of files that the agent itself made; what commands leave behind is not part of the work."""

    def fill(self, names: list[str], opened: Opened) -> None:
        """Copies the files, with what the editor has open in place of what is on disk. Blocking. Raises
        GaveUp for a project that is too large."""
        total = 0
        for name in names:
            source, target = self.origin / name, self.root / name
            if source.is_symlink() or not source.is_file():
                continue
            total += source.stat().st_size
            if total > MAX_BYTES:
                raise GaveUp("The project is too large to copy (over 500 MB without ignored files).")
            target.parent.mkdir(parents=True, exist_ok=True)
            text = opened(source)
            if text is None:
                shutil.copy2(source, target)
            else:
                target.write_bytes(text.encode("utf-8", "surrogatepass"))
            self._before[name] = _stamp(target)

    def changes(self, read: Callable[[str], str | None]) -> list[FileChange]:
        """What differs from the person's files, as `read` gives those. Blocking."""
        found: list[FileChange] = []
        for name, stamp in self._before.items():
            path = self.root / name
            if not path.is_file():
                found.append(FileChange(name, "delete", read(name), None))
            elif _stamp(path) != stamp:
                self._add(found, name, read)
        for name in sorted(self.created - self._before.keys()):
            if (self.root / name).is_file():
                self._add(found, name, read)
        return found

    def _add(self, found: list[FileChange], name: str, read: Callable[[str], str | None]) -> None:
        try:
            data = read_bytes(self.root / name)
            after = FileText.decode(data or b"").text
            before = read(name)
        except Refused:
            return
        if before != after:
            found.append(FileChange(name, "create" if before is None else "modify", before, after))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@asynccontextmanager
async def workcopy(origin: Path, folder: Path, blocked: Blocked, opened: Opened) -> AsyncIterator[Workcopy]:
    """A copy of `origin` below `folder`, gone at the end. Copies that a killed server left are removed."""
    await asyncio.to_thread(sweep, folder)
    root = folder / f"{os.getpid()}-{os.urandom(6).hex()}" / origin.name
    try:
        copy = Workcopy(root, origin)
        await asyncio.to_thread(root.mkdir, 0o700, True)
        names = await asyncio.to_thread(search.files, origin, blocked)
        await asyncio.to_thread(copy.fill, names, opened)
        yield copy
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, root.parent, True))


def sweep(folder: Path) -> None:
    """Removes copies whose process is gone. Blocking."""
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        pid = entry.name.partition("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(entry, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
