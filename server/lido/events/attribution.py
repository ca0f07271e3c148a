"""What became of each suggestion: the one place that ends every one of them exactly once.

Explicit messages count where they come. Where they don't, the document tells: what was inserted at the
suggestion's place after it was shown. Several characters of it at once is an acceptance (whole or in part);
one at a time is typing, which is none; anything else there, or an edit elsewhere, is a rejection.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from lido.events.schema import Event, Feature, Kind, utc, uuid7
from lido.events.store import INSERT, EventLog, connect, values

if TYPE_CHECKING:
    from pathlib import Path

    from lido.workspace.documents import Document, Edit

Outcome = Literal["accepted", "partially_accepted", "rejected", "ignored"]

RETENTION = (30.0, 120.0, 600.0)
"""Seconds after an acceptance at which it is looked how much of it still stands."""
MAX_OPEN = 2000
"""Suggestions whose end is awaited; older ones are taken as ignored."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every event of a session shares."""

    editor: str = ""
    editor_version: str = ""
    project: str = ""
    team: str = ""
    user: str = ""
    server_version: str = ""


@dataclass(slots=True)
class _Open:
    """A suggestion whose end is not known yet."""

    event: Event
    """As requested or shown; the outcome copies it."""
    text: str = ""
    uri: str = ""
    start: int = -1
    """Offset where the text stands or would stand; -1 where no document shows it."""
    matched: int = 0
    """Code points of the text that stand in the document at `start`."""
    accepted: int = 0
    """Of these, how many came by acceptance and not by typing."""
    shown: bool = False


@dataclass(slots=True)
class _Kept:
    """An accepted text, followed through later edits."""

    event: Event
    uri: str
    start: int
    end: int
    text: str


Later = Callable[[float, Callable[[], None]], object]
"""Calls back after so many seconds (an event loop's ``call_later``)."""


class Tracker:
    """Follows the suggestions of one session. Belongs to the event loop; never blocks, never raises."""

    def __init__(
        self,
        log: EventLog,
        context: Context,
        session: str = "",
        *,
        store_text: bool = False,
        later: Later | None = None,
        clock: Callable[[], float] = time.time,
        read: Callable[[str], Document | None] = lambda _: None,
    ) -> None:
        self.log = log
        self.context = context
        self.session = session
        self.store_text = store_text
        self._later = later
        self._clock = clock
        self._read = read
        self._open: dict[str, _Open] = {}
        self._ended: dict[str, None] = {}
        self._kept: list[_Kept] = []

    # ------------------------------------------------------------------ told explicitly

    def requested(
        self,
        feature: Feature,
        language: str = "",
        model: str = "",
        backend: str = "",
        suggestion_id: str = "",
    ) -> str:
        """A model is asked; the id of what may come of it."""
        identifier = suggestion_id or uuid7()
        event = Event(
            id=uuid7(),
            time=utc(self._clock()),
            suggestion_id=identifier,
            kind="requested",
            feature=feature,
            language=language,
            model=model,
            backend=backend,
            **asdict(self.context),
        )
        self._open[identifier] = _Open(event)
        self.log.record(event)
        while len(self._open) > MAX_OPEN:
            self.ignored(next(iter(self._open)), "forgotten")
        return identifier

    def answered(
        self,
        suggestion_id: str,
        text: str,
        *,
        uri: str = "",
        start: int = -1,
        matched: int = 0,
        model: str = "",
        backend: str = "",
        latency_ms: float | None = None,
        first_token_ms: float | None = None,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
    ) -> None:
        """The answer is on its way to the editor: nothing is recorded until it is shown."""
        found = self._open.get(suggestion_id)
        if found is None:
            return
        found.text, found.uri, found.start, found.matched = text, uri, start, matched
        found.event = replace(
            found.event,
            model=model or found.event.model,
            backend=backend or found.event.backend,
            latency_ms=latency_ms,
            first_token_ms=first_token_ms,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            lines=text.count("\n") + 1 if text else 0,
            characters=len(text),
            text=text if self.store_text else None,
        )

    def typed_through(self, suggestion_id: str, length: int) -> None:
        """Its first `length` code points stand in the document already, by hand."""
        if found := self._open.get(suggestion_id):
            found.matched = length

    def text(self, suggestion_id: str) -> str:
        """What it says, while it has no outcome yet."""
        found = self._open.get(suggestion_id)
        return found.text if found else ""

    def is_open(self, suggestion_id: str) -> bool:
        """Whether it has no outcome yet."""
        return suggestion_id in self._open

    def shown(self, suggestion_id: str) -> None:
        """The person can see it. Said twice, it counts once."""
        found = self._open.get(suggestion_id)
        if found is None or found.shown:
            return
        found.shown = True
        self._record(found.event, "shown")
        self._remember(suggestion_id, found)

    def accepted(self, suggestion_id: str) -> None:
        """The whole of it."""
        self._end(suggestion_id, "accepted")

    def partially_accepted(self, suggestion_id: str, length: int) -> None:
        """Its first `length` code points; more may follow, so the outcome stays open."""
        if found := self._open.get(suggestion_id):
            self.shown(suggestion_id)
            if length >= len(found.text):
                self._end(suggestion_id, "accepted")
            elif length > found.accepted:
                found.accepted = length
                self._remember(suggestion_id, found)

    def rejected(self, suggestion_id: str, reason: str = "") -> None:
        self._end(suggestion_id, "rejected", reason)

    def ignored(self, suggestion_id: str, reason: str = "") -> None:
        self._end(suggestion_id, "ignored", reason)

    def failed(self, suggestion_id: str, reason: str) -> None:
        """No answer came: `reason` is a kind of error, never its text, which may quote a prompt."""
        if found := self._open.pop(suggestion_id, None):
            self._record(found.event, "error", reason=reason)

    def dropped(self, suggestion_id: str) -> None:
        """Asked for, but never sent to the editor (superseded): no outcome is owed."""
        found = self._open.get(suggestion_id)
        if found is not None and not found.shown:
            del self._open[suggestion_id]

    def undone(self, suggestion_id: str, feature: Feature = "plan") -> None:
        """Something accepted was taken back by Lido's own undo."""
        event = Event(
            id=uuid7(),
            time=utc(self._clock()),
            suggestion_id=suggestion_id,
            kind="undone",
            feature=feature,
            **asdict(self.context),
        )
        self.log.record(event)

    async def flush(self) -> None:
        await self.log.flush()

    def close(self) -> None:
        """The session ends: what is still open was ignored, or accepted as far as it was."""
        for identifier in list(self._open):
            self.ignored(identifier, "closed")

    # ------------------------------------------------------------------ told by the document

    def document_changed(self, _before: Document, after: Document, edits: Sequence[Edit]) -> None:
        """Follows one change through what is open and what is kept. Cheap where nothing is."""
        for kept in self._kept:
            if kept.uri == after.uri:
                _shift(kept, edits)
        for identifier, found in list(self._open.items()):
            if found.uri == after.uri and found.start >= 0 and found.shown:
                self._follow(identifier, found, after, edits)

    def _follow(self, identifier: str, found: _Open, after: Document, edits: Sequence[Edit]) -> None:
        touched = False
        largest = 0
        for edit in edits:
            moved = len(edit.text) - (edit.end - edit.start)
            if edit.end <= found.start and edit.start < found.start:
                found.start += moved
                continue
            if edit.start <= found.start + found.matched and edit.end >= found.start:
                touched = True
                largest = max(largest, len(edit.text))
            else:
                self._settle(identifier, found, "edited elsewhere")
                return
        if not touched:
            return
        now = _common(after.slice(found.start, found.start + len(found.text)), found.text)
        gained = now - found.matched
        if gained <= 0:
            if now > 0 > gained and not any(edit.text for edit in edits):
                found.matched = now  # backspace over what was typed through
                found.accepted = min(found.accepted, now)
                return
            self._settle(identifier, found, "typed differently")
            return
        by_hand = gained == 1 or (gained == 2 and largest == 2 and found.text[now - 2 : now] in _PAIRS)
        found.matched = now
        if not by_hand:
            found.accepted += gained
        if now == len(found.text):
            if found.accepted == 0:
                self._end(identifier, "ignored", "typed")
            else:
                whole = found.accepted >= len(found.text) or not by_hand
                self._end(identifier, "accepted" if whole else "partially_accepted", "", "inferred")
        elif not by_hand:
            self._remember(identifier, found)

    def document_closed(self, uri: str) -> None:
        for identifier, found in list(self._open.items()):
            if found.uri == uri and found.shown and found.start >= 0:
                self._settle(identifier, found, "document closed")
        self._kept = [kept for kept in self._kept if kept.uri != uri]

    def _settle(self, identifier: str, found: _Open, reason: str) -> None:
        self._end(identifier, "partially_accepted" if found.accepted else "rejected", reason)

    # ------------------------------------------------------------------ ending

    def _end(self, suggestion_id: str, outcome: Outcome, reason: str = "", how: str = "") -> None:
        found = self._open.pop(suggestion_id, None)
        if found is None:
            return
        if not found.shown:
            if outcome == "ignored":  # it was never seen: no outcome is owed
                return
            found.shown = True
            self._record(found.event, "shown")
        if outcome in ("rejected", "ignored") and found.accepted:
            outcome = "partially_accepted"
        length = len(found.text) if outcome == "accepted" else found.accepted
        self._record(
            found.event, outcome, reason=reason or how, accepted=found.text[:length] if length else ""
        )
        self.log.forget_open(suggestion_id)
        if length and found.start >= 0:
            self._keep(found, length)

    def _keep(self, found: _Open, length: int) -> None:
        if self._later is None:
            return
        kept = _Kept(found.event, found.uri, found.start, found.start + length, found.text[:length])
        self._kept.append(kept)
        began = self._clock()

        def look(after: float, last: bool) -> None:
            if kept not in self._kept:
                return
            document = self._read(kept.uri)
            now = document.slice(kept.start, kept.end) if document else ""
            self._record(kept.event, "retained", fraction=similarity(kept.text, now), after=after)
            if last:
                self._kept.remove(kept)

        for seconds in RETENTION:
            self._later(
                seconds,
                lambda seconds=seconds: look(max(seconds, self._clock() - began), seconds == RETENTION[-1]),  # type: ignore[misc]
            )

    def _record(
        self,
        event: Event,
        kind: Kind,
        *,
        reason: str = "",
        accepted: str | None = None,
        fraction: float | None = None,
        after: float | None = None,
    ) -> None:
        self.log.record(self._as(event, kind, reason, accepted, fraction, after))

    def _as(
        self,
        event: Event,
        kind: Kind,
        reason: str = "",
        accepted: str | None = None,
        fraction: float | None = None,
        after: float | None = None,
    ) -> Event:
        return replace(
            event,
            id=uuid7(),
            time=utc(self._clock()),
            kind=kind,
            reason=reason,
            accepted_characters=None if accepted is None else len(accepted),
            accepted_lines=None if accepted is None else accepted.count("\n") + bool(accepted),
            retained_fraction=fraction,
            after_seconds=after,
            text=event.text if kind in ("shown", "accepted", "partially_accepted", "rejected") else None,
        )

    def _remember(self, identifier: str, found: _Open) -> None:
        """What it ends as, should this process be killed now."""
        kind: Kind = "partially_accepted" if found.accepted else "ignored"
        event = self._as(found.event, kind, "crash", found.text[: found.accepted])
        self.log.remember_open(identifier, self.session, json.dumps(asdict(event)))


_PAIRS = {"()", "[]", "{}", '""', "''", "``", "<>"}


def _common(one: str, two: str) -> int:
    """Length of the common beginning."""
    for at, (a, b) in enumerate(zip(one, two, strict=False)):
        if a != b:
            return at
    return min(len(one), len(two))


def _shift(kept: _Kept, edits: Sequence[Edit]) -> None:
    for edit in edits:
        moved = len(edit.text) - (edit.end - edit.start)
        if edit.end <= kept.start:
            kept.start += moved
            kept.end += moved
        elif edit.start < kept.end:
            kept.start = min(kept.start, edit.start) if edit.start < kept.start else kept.start
            kept.end = max(kept.end + moved, kept.start)


def similarity(accepted: str, now: str) -> float:
    """How much of `accepted` still stands, 0 to 1: one minus the edit distance over the longer length."""
    from rapidfuzz.distance import Levenshtein

    return round(Levenshtein.normalized_similarity(accepted, now), 4)


def recover(path: Path, sessions: Path) -> int:
    """Ends what servers that died left open; how many. Blocking. `sessions` holds a locked file for each
    server that lives."""
    import filelock

    if not path.exists():
        return 0
    ended = 0
    database = connect(path)
    try:
        rows = database.execute("SELECT suggestion_id, session, outcome FROM open").fetchall()
        dead: dict[str, bool] = {}
        for row in rows:
            session = row["session"]
            if session not in dead:
                lock = filelock.FileLock(sessions / f"{session}.lock", timeout=0)
                try:
                    lock.acquire()
                except (filelock.Timeout, OSError):
                    dead[session] = False
                else:
                    dead[session] = True
                    lock.release()
            if not dead[session]:
                continue
            event = Event(**json.loads(row["outcome"]))
            database.execute("BEGIN IMMEDIATE")
            taken = database.execute("DELETE FROM open WHERE suggestion_id = ?", (row["suggestion_id"],))
            if taken.rowcount:
                database.execute(INSERT, values(event))
                ended += 1
            database.execute("COMMIT")
        for session, gone in dead.items():
            if gone:
                with suppress(OSError):
                    (sessions / f"{session}.lock").unlink()
    finally:
        database.close()
    return ended
