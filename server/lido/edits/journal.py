"""Before-images, durable before anything is touched; recovery after a crash; undo after a restart.

    journal/<entry>/entry.json    what, of which review, in which state
    journal/<entry>/N.before      file N's bytes before; N.after: as they were to become
    journal/locks/                one lock per file, held by the server that is writing it

An entry is placed whole (its folder is renamed into place after its files were synced), then the files are
written, each in one step, then the entry is marked done. What a crash leaves "begun" is rolled back at the
next start: every file is again what it was, unless someone changed it since, which is said and left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lido.edits.files import Refused, read_bytes, real_folder, sync_folder, write_bytes
from lido.workspace import private

EntryState = Literal["begun", "done", "failed"]
Mode = Literal["disk", "editor"]
KEEP_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Image:
    """One file before and after; None where it does not exist on that side. `mode`: its permission bits;
    `hunks`: the ids of the hunks this is."""

    path: Path
    before: bytes | None
    after: bytes | None
    mode: int | None = None
    hunks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One transaction. `undoes` are the entries it takes back. In mode "editor" the images are the
    documents' texts as UTF-8, and the editor does the writing."""

    id: str
    review_id: str
    mode: Mode
    state: EntryState
    images: tuple[Image, ...]
    undoes: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    """Folders that did not exist before."""
    time: float = 0.0
    unsure: bool = False
    """Whether the images may not be what the editor did: it asked the person about parts, or the server died
    before it heard."""


class Hunks(NamedTuple):
    """What the journal knows of a review's hunks, by their ids: applied, perhaps applied, taken back."""

    applied: frozenset[str]
    unsure: frozenset[str]
    undone: frozenset[str]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of an interrupted transaction: files put back, and what could not be, in sentences."""

    entry: Entry
    restored: tuple[Path, ...]
    problems: tuple[str, ...] = ()


class Busy(Refused):
    """Another server is writing one of the files."""


@dataclass(slots=True)
class Journal:
    """The journal in `folder`, shared by every server of this person. All methods do disk work and belong
    in a thread."""

    folder: Path
    _locks: Path = field(init=False)

    def __post_init__(self) -> None:
        self._locks = self.folder / "locks"

    # ------------------------------------------------------------ transactions

    @contextlib.contextmanager
    def lock(self, paths: Iterable[Path], timeout: float = 10.0) -> Iterator[None]:
        """Hold the files against other servers. Raises Busy after `timeout` seconds."""
        import filelock

        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._locks.mkdir(exist_ok=True)
        with contextlib.ExitStack() as stack:
            # One order for everybody, so that two servers never wait for each other.
            for name in sorted({_digest(path) for path in paths}):
                lock = filelock.FileLock(self._locks / f"{name}.lock", timeout=timeout, thread_local=False)
                try:
                    stack.enter_context(lock)
                except filelock.Timeout as error:
                    raise Busy("another Lido is changing the same file") from error
            yield

    def begin(
        self,
        review_id: str,
        images: Sequence[Image],
        mode: Mode,
        undoes: Sequence[str] = (),
    ) -> Entry:
        """Make the images durable. When this returns, nothing that follows can lose them. Raises OSError."""
        entry = Entry(
            f"{time.time_ns():020d}-{secrets.token_hex(4)}",
            review_id,
            mode,
            "begun",
            tuple(images),
            tuple(undoes),
            tuple(_missing_folders(image.path for image in images if image.after is not None))
            if mode == "disk"
            else (),
            time.time(),
        )
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        building = self.folder / f".{entry.id}"
        building.mkdir()
        for number, image in enumerate(images):
            for name, data in (("before", image.before), ("after", image.after)):
                if data is not None:
                    _write_synced(building / f"{number}.{name}", data)
        _write_synced(building / "entry.json", _encode(entry))
        sync_folder(building)
        building.rename(self.folder / entry.id)
        sync_folder(self.folder)
        return entry

    def finish(self, entry: Entry, state: Literal["done", "failed"]) -> Entry:
        """Mark what became of it, durably."""
        entry = replace(entry, state=state)
        folder = self.folder / entry.id
        write_bytes(folder / "entry.json", _encode(entry), folder / ".entry.json", mode=0o600)
        return entry

    def write(self, entry: Entry) -> None:
        """Bring every file of a "disk" entry to its after-image: all of them, or none.

        The files' locks must be held. Raises Refused where a file is not as its before-image says, or where
        the disk refuses; the files are then as before.
        """
        for image in entry.images:
            if read_bytes(image.path) != image.before:
                raise Refused(f"{image.path.name} was changed by something else meanwhile")
        written: list[Image] = []
        try:
            for image in entry.images:
                written.append(image)
                _put(image.path, image.after, image.mode, entry.id)
        except OSError as error:
            why = f"the disk refused: {error.strerror or error}"
            for image in reversed(written):
                try:
                    _put(image.path, image.before, image.mode, entry.id)
                except OSError:
                    if image is not written[-1]:  # at which it stopped: nothing was written there
                        why += f"; {image.path.name} could not be put back and is in {self.folder / entry.id}"
            remove_folders(entry.folders)
            raise Refused(why) from error

    def revert(self, entry: Entry) -> list[str]:
        """Put the files of a finished "disk" entry back; what cannot be, in sentences."""
        with self.lock(image.path for image in entry.images):
            return list(self._recover(entry).problems)

    # ------------------------------------------------------------ reading

    def entries(self, review_id: str | None = None, state: EntryState | None = None) -> list[Entry]:
        """All entries, or those of a review, or in a state; oldest first. Unreadable ones are left out."""
        found: list[Entry] = []
        for folder, raw in self._headers():
            if review_id in (None, raw["review"]) and state in (None, raw["state"]):
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    found.append(_decode(folder, raw))
        return found

    def _headers(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """What the entries say of themselves, without their images, which are most of a month's journal."""
        with contextlib.suppress(FileNotFoundError):
            for folder in sorted(self.folder.iterdir()):
                if folder.name.startswith(".") or folder == self._locks:
                    continue
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    raw = json.loads((folder / "entry.json").read_bytes())
                    if raw.keys() >= {"id", "review", "state", "time", "undoes", "files"}:
                        yield folder, raw

    def applied(self, review_id: str) -> list[Entry]:
        """What stands of a review and could be undone, newest first."""
        entries = self.entries(review_id)
        undone = {id_ for entry in entries if entry.state == "done" for id_ in entry.undoes}
        return [e for e in reversed(entries) if e.state == "done" and not e.undoes and e.id not in undone]

    def hunks(self, review_id: str, since: float = 0.0) -> Hunks:
        """What became of a review's hunks: applied since then (in seconds since 1970), and ever taken back.
        An entry that is still begun counts as perhaps applied."""
        mine = [raw for _, raw in self._headers() if raw["review"] == review_id and raw["state"] != "failed"]
        undone = {id_ for raw in mine if raw["state"] == "done" for id_ in raw["undoes"]}
        applied: set[str] = set()
        unsure: set[str] = set()
        back: set[str] = set()
        for raw in mine:
            if raw["undoes"]:
                continue
            ids = {hunk for file in raw["files"] for hunk in file["hunks"]}
            if raw["id"] in undone:
                back |= ids
            elif raw["time"] < since:
                continue
            elif raw["state"] == "begun" or raw.get("unsure"):
                unsure |= ids
            else:
                applied |= ids
        return Hunks(frozenset(applied), frozenset(unsure - applied), frozenset(back - applied - unsure))

    # ------------------------------------------------------------ recovery

    def recover(self) -> list[Recovered]:
        """Roll back what a crash interrupted. Entries of servers that still live are locked and skipped."""
        found: list[Recovered] = []
        for entry in self.entries(state="begun"):
            try:
                with self.lock((image.path for image in entry.images), timeout=0):
                    folder = self.folder / entry.id
                    # It may have been finished meanwhile.
                    now = _decode(folder, json.loads((folder / "entry.json").read_bytes()))
                    if now.state == "begun":
                        found.append(self._recover(now))
            except Busy:
                continue
        return found

    def _recover(self, entry: Entry) -> Recovered:
        if entry.mode == "editor":
            # The editor did the writing, whole or not at all, and may hold it unsaved. Kept as done: undoing
            # what never happened changes nothing.
            return Recovered(self.finish(replace(entry, unsure=True), "done"), ())
        restored: list[Path] = []
        problems: list[str] = []
        for image in entry.images:
            _temporary(image.path, entry.id).unlink(missing_ok=True)
            try:
                now = read_bytes(image.path)
                if now == image.before:
                    continue
                if now == image.after:
                    _put(image.path, image.before, image.mode, entry.id)
                    restored.append(image.path)
                else:
                    kept = self.folder / entry.id
                    problems.append(f"{image.path} was changed since; its text before is in {kept}.")
            except (OSError, Refused) as error:
                problems.append(f"{image.path} could not be put back: {error}.")
        remove_folders(entry.folders)
        return Recovered(self.finish(entry, "failed"), tuple(restored), tuple(problems))

    def prune(self, keep_seconds: float = KEEP_SECONDS) -> int:
        """Forget finished entries older than that; half-built ones too. Returns how many went."""
        gone = 0
        limit = time.time() - keep_seconds
        for folder, raw in list(self._headers()):
            if raw["state"] != "begun" and raw["time"] < limit:
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
        with contextlib.suppress(FileNotFoundError):
            for path in self.folder.glob(".[0-9]*"):
                if path.stat().st_mtime < min(limit, time.time() - 3600):
                    shutil.rmtree(path, ignore_errors=True)
        return gone


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(os.path.normcase(path))).hexdigest()[:32]


def _temporary(path: Path, entry_id: str) -> Path:
    return path.with_name(f".lido-{_digest(path)[:8]}-{entry_id}.tmp")


def _put(path: Path, data: bytes | None, mode: int | None, entry_id: str) -> None:
    """`path` is real: nothing is written, made or deleted through a link. Raises OSError."""
    if data is None:
        try:
            with real_folder(path.parent) as folder:
                os.unlink(path if folder is None else path.name, dir_fd=folder)
        except FileNotFoundError:
            return
        sync_folder(path.parent)
        return
    with real_folder(path.parent, create=True) as folder:
        new = private.persons_mode(0o666) if mode is None else mode
        write_bytes(path, data, _temporary(path, entry_id), folder, new)


def _missing_folders(paths: Iterable[Path]) -> list[Path]:
    missing: dict[Path, None] = {}
    for path in paths:
        for parent in path.parents:
            if parent.exists():
                break
            missing[parent] = None
    return sorted(missing, key=lambda path: -len(path.parts))


def remove_folders(folders: Iterable[Path]) -> None:
    """Remove those of `folders` that are empty, none of them through a link."""
    for folder in folders:
        # Not empty: someone else's files are in it.
        with contextlib.suppress(OSError), real_folder(folder.parent) as parent:
            os.rmdir(folder if parent is None else folder.name, dir_fd=parent)


def _write_synced(path: Path, data: bytes) -> None:
    """New, and nobody else's to read: it holds the person's text."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)


def _encode(entry: Entry) -> bytes:
    return json.dumps(
        {
            "id": entry.id,
            "review": entry.review_id,
            "mode": entry.mode,
            "state": entry.state,
            "time": entry.time,
            "undoes": entry.undoes,
            "folders": [os.fspath(folder) for folder in entry.folders],
            "unsure": entry.unsure,
            "files": [
                {
                    "path": os.fspath(image.path),
                    "before": image.before is not None,
                    "after": image.after is not None,
                    "mode": image.mode,
                    "hunks": image.hunks,
                }
                for image in entry.images
            ],
        }
    ).encode()


def _decode(folder: Path, raw: dict[str, Any]) -> Entry:
    images = tuple(
        Image(
            Path(file["path"]),
            (folder / f"{number}.before").read_bytes() if file["before"] else None,
            (folder / f"{number}.after").read_bytes() if file["after"] else None,
            file["mode"],
            tuple(file["hunks"]),
        )
        for number, file in enumerate(raw["files"])
    )
    return Entry(
        raw["id"],
        raw["review"],
        raw["mode"],
        raw["state"],
        images,
        tuple(raw["undoes"]),
        tuple(Path(folder) for folder in raw["folders"]),
        raw["time"],
        bool(raw.get("unsure")),
    )
