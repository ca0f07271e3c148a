"""Open reviews on disk, so that what is undecided outlives the server.

    reviews/<review>.json    the review as it was when it was opened or last decided
    reviews/<review>.lock    held by the server that has it open; the system lets go of it when that dies

The files hold the person's own text on the person's own disk, as the journal does, and are theirs alone to
read (0600). A review goes when everything in it is decided, after `KEEP_SECONDS`, or, the oldest first, when
all of them are more than `MAX_BYTES` or those of one server more than `MOST`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lido.edits.files import write_bytes
from lido.edits.review import Review, ReviewFile, ReviewHunk

if TYPE_CHECKING:
    import filelock

log = logging.getLogger(__name__)

KEEP_SECONDS = 14 * 24 * 3600
"""Less than the journal keeps its entries: they tell what of a review was applied."""
MAX_BYTES = 32 * 1024 * 1024
MOST = 64
"""Reviews that one server keeps, each with a descriptor: the oldest are no longer kept then."""


@dataclass(slots=True)
class Shelf:
    """The reviews in `folder`, shared by every server of this person. Methods do disk work and belong in a
    thread; none of them raises for a disk that refuses, since the session goes on without."""

    folder: Path
    _held: dict[str, filelock.BaseFileLock] = field(default_factory=dict)

    def keep(self, review: Review) -> None:
        """Durable as it is now; gone where everything is decided. What is not saved yet in the editor has no
        file to come back to, so a review of such a document is not kept."""
        if not review.open:
            self.forget(review.id)
            return
        if not all(Path(file.path).is_absolute() for file in review.files):
            return
        # Lone surrogates become escapes, and come back from them.
        data = json.dumps({"kept": time.time(), "review": asdict(review)}).encode()
        if len(data) > MAX_BYTES:
            log.warning("a review of %d bytes is not kept for after a restart", len(data))
            self.forget(review.id)
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            while review.id not in self._held and len(self._held) >= MOST:
                self.forget(next(iter(self._held)))
            if not self._hold(review.id):
                return
            temporary = self.folder / f".{review.id}.tmp"
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
            write_bytes(self.folder / f"{review.id}.json", data, temporary)
        except OSError as error:
            log.warning("a review could not be kept: %s", error)

    def take(self, mine: Callable[[Review], bool]) -> list[tuple[Review, float]]:
        """The reviews that `mine` says belong here and that no living server has open, oldest first, and when
        (in seconds since 1970) each was kept. They are this server's from now on."""
        found: list[tuple[Review, float]] = []
        room = MAX_BYTES
        for path in sorted(self.folder.glob("*.json"), reverse=True):
            try:
                info = path.stat()
                room -= info.st_size
                if room < 0 or info.st_mtime < time.time() - KEEP_SECONDS:
                    if self._hold(path.stem):
                        self.forget(path.stem)
                    continue
                if path.stem in self._held:
                    continue
                review, _ = _decode(json.loads(path.read_bytes()))
                if review.id == path.stem and mine(review) and self._hold(review.id):
                    # Once more: its server may have gone on until the lock was ours.
                    found.append(_decode(json.loads(path.read_bytes())))
            except FileNotFoundError:
                self._release(path.stem)
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("a kept review is unreadable: %s", error)
        return found[::-1]

    def forget(self, review_id: str) -> None:
        """Only for reviews that this server holds, or that were never kept."""
        with contextlib.suppress(OSError):
            (self.folder / f"{review_id}.json").unlink(missing_ok=True)
        self._release(review_id, gone=True)

    def close(self) -> None:
        """Leaves the reviews to the next server."""
        for review_id in list(self._held):
            self._release(review_id)

    def _hold(self, review_id: str) -> bool:
        if review_id in self._held:
            return True
        import filelock

        lock = filelock.FileLock(self.folder / f"{review_id}.lock", timeout=0, mode=0o600, thread_local=False)
        try:
            lock.acquire()
        except (filelock.Timeout, OSError):
            return False
        self._held[review_id] = lock
        return True

    def _release(self, review_id: str, gone: bool = False) -> None:
        lock = self._held.pop(review_id, None)
        if lock is None:
            return
        if gone:
            # While it is held: what is taken by another afterwards is another file.
            with contextlib.suppress(OSError):
                Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _decode(raw: dict[str, Any]) -> tuple[Review, float]:
    review = raw["review"]
    files = tuple(
        ReviewFile(**{**file, "hunks": tuple(ReviewHunk(**hunk) for hunk in file["hunks"])})
        for file in review["files"]
    )
    return Review(**{**review, "files": files}), float(raw["kept"])
