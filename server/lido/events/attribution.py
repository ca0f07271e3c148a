"""What became of each suggestion: the one place that ends every one of them exactly once.

Explicit messages count where they come. Where they don't, the document tells: what was inserted at the
suggestion's place after it was shown. Several characters of it at once is an acceptance (whole or in part);
one at a time is typing, which is none; anything else there, or an edit elsewhere, is a rejection.

What the document says against a suggestion is held back for a moment (`SETTLE`): editors change the text
first and say afterwards, by the item's command, that this was an acceptance.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from lido.events import retention
from lido.events.schema import OUTCOMES, Event, Feature, Kind, utc, uuid7
from lido.events.store import INSERT, EventLog, connect, values

if TYPE_CHECKING:
    from pathlib import Path

    from lido.workspace.documents import Document, Edit

Outcome = Literal["accepted", "partially_accepted", "rejected", "ignored"]

RETENTION = (30.0, 120.0, 600.0)
"""Seconds after an acceptance at which it is looked how much of it still stands."""
SETTLE = 1.0
"""Seconds for which the editor may still contradict what the document told."""
BUNCH = 4
"""Keys that an editor may send as one change; how many of them do is learnt from the session."""
CONTEXT = 4000
"""Code points before and behind a suggestion that are stored with it, where its text is."""
COMMIT_EVERY = 10.0
"""Seconds between two looks for a commit, while something accepted awaits one."""
MAX_KEPT = 500
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
    turn: int = 0
    """Grows with each suggestion shown: the greatest in a document is the one that can be seen."""
    late: tuple[Outcome, str] | None = None
    """What became of it before word came that it was shown: such messages can be overtaken."""
    pending: tuple[Outcome, str] | None = None
    """Outcome and reason that take effect soon, unless the editor says otherwise."""


@dataclass(slots=True)
class _Kept:
    """An accepted text, followed through later edits."""

    event: Event
    uri: str
    start: int
    """-1 where only the text is known, not its place."""
    end: int
    text: str
    path: Path | None = None
    head: retention.Head | None = None
    """The repository as it was then; None outside of one."""
    done: bool = False
    placed: bool = True
    """Whether the text was seen at its place; some editors tell of an acceptance before they change."""


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
        elapsed: Callable[[], float] = time.monotonic,
        read: Callable[[str], Document | None] = lambda _: None,
    ) -> None:
        self.log = log
        self.context = context
        self.session = session
        self.store_text = store_text
        self._later = later
        self._clock = clock
        self._elapsed = elapsed
        self._read = read
        self._open: dict[str, _Open] = {}
        self._kept: list[_Kept] = []
        self._turn = 0
        self._keys = 0
        self._bunches = 0

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
        if self.store_text and found.start >= 0 and (document := self._read(found.uri)):
            start, after = found.start, found.start + found.matched
            self.log.remember_context(
                suggestion_id,
                document.slice(max(0, start - CONTEXT), start),
                document.slice(after, min(document.length, after + CONTEXT)),
            )
        self._turn += 1
        found.turn = self._turn
        self._remember(suggestion_id, found)  # first: see `recover`
        self._record(found.event, "shown")
        if found.late:
            self._soon(suggestion_id, found, *found.late, False)
        elif found.text and found.matched >= len(found.text) and found.start >= 0:
            self._soon(suggestion_id, found, "ignored", "typed", False)

    def accepted(self, suggestion_id: str) -> None:
        """The whole of it."""
        self._decided(suggestion_id)
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
        self._decided(suggestion_id)
        self._end(suggestion_id, "rejected", reason)

    def _decided(self, suggestion_id: str) -> None:
        """The others that were offered for its place and that nobody looked at are gone with it: the same
        text, written later, was not taken from them."""
        if (found := self._open.get(suggestion_id)) and found.start >= 0:
            place = found.uri, found.start
            for name, other in list(self._open.items()):
                if name != suggestion_id and (other.uri, other.start) == place:
                    self.dropped(name)

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
        for identifier, found in list(self._open.items()):
            self._end(identifier, *(found.pending or ("ignored", "closed")))

    # ------------------------------------------------------------------ told by the document

    def document_changed(self, before: Document, after: Document, edits: Sequence[Edit]) -> None:
        """Follows one change through what is open and what is kept. Cheap where nothing is."""
        kept = [each for each in self._kept if each.uri == after.uri and each.start >= 0]
        followed = [
            (name, found) for name, found in self._open.items() if found.uri == after.uri and found.start >= 0
        ]
        if kept or followed:
            edits = _least(before, after, edits)
        for each in kept:
            _shift(each, edits, after)
        self._change(followed, before, after, edits)

    def _change(
        self, followed: list[tuple[str, _Open]], before: Document, after: Document, edits: Sequence[Edit]
    ) -> None:
        seen: list[tuple[str, _Open, _Step]] = []
        for name, found in followed:
            if found.pending and found.pending[1] != "typed":
                self._end(name, *found.pending)  # the next change: nobody contradicted
                continue
            seen.append((name, found, _step(found, before, after, edits)))
        inserted = max((len(edit.text) for edit in edits), default=0)
        claimed = [step for _, _, step in seen if step.gained > 0]
        if not claimed and len(edits) == 1 and edits[0].start == edits[0].end:
            # Some editors send what is typed quickly in bunches of two or three.
            self._keys += inserted == 1
            self._bunches += 1 < _keys(edits[0].text) <= BUNCH and "\n" not in edits[0].text.strip()
        taken: _Open | None = None
        if any(self._at_once(step) for step in claimed):
            # One insertion accepts one suggestion: the one it agrees most with, of these what is in sight.
            taken = max(
                (each for each in seen if self._at_once(each[2])),
                key=lambda each: (each[2].gained, each[1].shown, each[1].turn),
            )[1]
        top = max((found.turn for _, found, _ in seen), default=0)
        for name, found, step in seen:
            superseded = found.shown and found.turn < top
            self._follow(name, found, step, taken, superseded)

    def _at_once(self, step: _Step) -> bool:
        """Whether more came than a person types between two messages."""
        text = step.inserted
        if step.gained <= 1 or not text.strip() or text in _PAIRS:
            return False  # a key; a new line with its indentation; a bracket that closed itself
        # Neovim waits 150 ms before it tells of a change; of other editors it is learnt.
        bunches = self.context.editor.lower() == "neovim" or (
            self._bunches >= 3 and self._bunches * 8 > self._keys
        )
        return not (bunches and _keys(text) <= BUNCH)

    def _follow(self, name: str, found: _Open, step: _Step, taken: _Open | None, superseded: bool) -> None:
        found.start = step.start
        if found.pending:  # it was typed to its end
            if step.touched or step.elsewhere:
                self._end(name, *found.pending)
            return
        at_once = self._at_once(step)
        if not found.shown:
            # What nobody was told of and nobody waited for: only an acceptance shows that it was seen.
            if at_once and found is taken:
                self.shown(name)
            elif step.gained > 0 and not at_once:
                found.matched = step.matched
                return
            elif step.touched or step.elsewhere:
                found.start = -1  # superseded before it could be seen; the editor may still say otherwise
                found.late = "rejected", "typed differently" if step.touched else "edited elsewhere"
                return
            else:
                return
        if step.gained <= 0:
            if step.touched and step.matched > 0 > step.gained and not step.inserted and not step.elsewhere:
                found.matched = step.matched  # backspace over what was typed through
                found.accepted = min(found.accepted, step.matched)
            elif step.touched or step.elsewhere:
                reason = "edited elsewhere" if not step.touched else "typed differently"
                self._soon(name, found, "ignored" if superseded else "rejected", reason, superseded)
            return
        if at_once and found is not taken:
            self._soon(name, found, "ignored", "superseded", superseded)
            return
        found.matched = step.matched
        if at_once:
            found.accepted += step.gained
        if step.matched < len(found.text):
            if at_once:
                self._remember(name, found)
            elif step.elsewhere:
                self._soon(name, found, "rejected", "edited elsewhere", superseded)
        elif at_once:
            self._end(name, "accepted", "", "inferred")
        elif found.accepted * 2 >= len(found.text):  # the last word was one character
            self._soon(name, found, "accepted", "inferred", False)
        elif found.accepted:
            self._soon(name, found, "partially_accepted", "inferred", False)
        else:
            self._soon(name, found, "ignored", "typed", False)

    def _soon(self, name: str, found: _Open, outcome: Outcome, reason: str, superseded: bool) -> None:
        """Ends it after `SETTLE`, unless the editor says before what really happened."""
        if found.accepted and outcome != "accepted":
            outcome = "partially_accepted"
        found.pending = outcome, "superseded" if superseded else reason
        if self._later is None:
            self._end(name, *found.pending)
        else:
            self._later(SETTLE, lambda: self._settled(name, found))

    def _settled(self, name: str, found: _Open) -> None:
        if self._open.get(name) is found and found.pending:
            self._end(name, *found.pending)

    def document_closed(self, uri: str) -> None:
        for identifier, found in list(self._open.items()):
            if found.uri == uri and found.shown and found.start >= 0:
                self._end(identifier, *(found.pending or ("rejected", "document closed")))
            elif found.uri == uri and not found.late and found.matched < len(found.text):
                found.late = "rejected", "document closed"
        for kept in self._kept:
            if kept.uri == uri:
                kept.start = kept.end = -1  # from here on the file tells

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
        if length and found.uri:
            self._keep(found, length)

    def _keep(self, found: _Open, length: int) -> None:
        if self._later is None:
            return
        document = self._read(found.uri)
        text = found.text[: max(length, min(found.matched, len(found.text)))]
        kept = _Kept(found.event, found.uri, found.start, found.start + len(text), text)
        kept.path = document.path if document and document.path else retention.path_of(found.uri)
        kept.placed = found.start < 0 or document is None or document.slice(kept.start, kept.end) == text
        if not self._kept:
            self._later(COMMIT_EVERY, self._look_for_commits)
        self._kept.append(kept)
        del self._kept[:-MAX_KEPT]
        began = self._elapsed()
        self.log.work(lambda: setattr(kept, "head", retention.head(kept.path)))
        for seconds in RETENTION:
            self._later(
                seconds,
                lambda seconds=seconds: self._look(kept, max(seconds, self._elapsed() - began)),  # type: ignore[misc]
            )

    def _look(self, kept: _Kept, after: float) -> None:
        """How much of it still stands; compared in the log's thread."""
        stands, document = self._stands(kept)
        event = replace(kept.event, id=uuid7(), time=utc(self._clock()), kind="retained", text=None)

        def compare() -> Event:
            now = (
                stands
                if stands is not None
                else retention.closest(kept.text, retention.read(document, kept.path))
            )
            fraction = retention.similarity(kept.text, now)
            return replace(event, retained_fraction=fraction, after_seconds=round(after, 1))

        self.log.work(compare)

    def _stands(self, kept: _Kept) -> tuple[str | None, Document | None]:
        """What stands at its place, where that is known, and the document, where it is open."""
        document = self._read(kept.uri)
        known = document is not None and kept.start >= 0
        return (document.slice(kept.start, kept.end) if document and known else None), document

    def _look_for_commits(self) -> None:
        """Until each was committed, or for a day, as long as the session lasts."""
        oldest = utc(self._clock() - 86_400)
        self._kept = [kept for kept in self._kept if not kept.done and kept.event.time > oldest]
        waiting = [(kept, self._stands(kept)[0]) for kept in self._kept if kept.head]
        now = utc(self._clock())

        def compare(kept: _Kept, stands: str | None) -> Event | None:
            assert kept.head
            text, kept.head = retention.committed(kept.head, kept.path)
            if text is None:
                return None
            kept.done = True
            found = stands if stands and stands in text else retention.closest(kept.text, text)
            return replace(
                kept.event,
                id=uuid7(),
                time=now,
                kind="retained",
                reason="commit",
                retained_fraction=retention.similarity(kept.text, found),
                text=None,
            )

        for kept, stands in waiting:
            self.log.work(lambda kept=kept, stands=stands: compare(kept, stands))  # type: ignore[misc]
        if self._kept and self._later:
            self._later(COMMIT_EVERY, self._look_for_commits)

    def _record(
        self,
        event: Event,
        kind: Kind,
        *,
        reason: str = "",
        accepted: str | None = None,
    ) -> None:
        self.log.record(self._as(event, kind, reason, accepted))

    def _as(
        self,
        event: Event,
        kind: Kind,
        reason: str = "",
        accepted: str | None = None,
    ) -> Event:
        return replace(
            event,
            id=uuid7(),
            time=utc(self._clock()),
            kind=kind,
            reason=reason,
            accepted_characters=None if accepted is None else len(accepted),
            accepted_lines=None if accepted is None else accepted.count("\n") + bool(accepted),
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


@dataclass(frozen=True, slots=True)
class _Step:
    """What one change means to one suggestion."""

    start: int
    """Where its text stands or would stand now."""
    matched: int
    gained: int
    """Code points of its text that came with this change; negative where some were taken away."""
    inserted: str
    touched: bool
    elsewhere: bool


def _least(before: Document, after: Document, edits: Sequence[Edit]) -> Sequence[Edit]:
    """A change that replaces (the whole text, a line) as the smallest that does the same."""
    if len(edits) != 1 or edits[0].start == edits[0].end or not edits[0].text:
        return edits
    edit = edits[0]
    head, tail = before.common(after)
    head = min(head, before.length, after.length)
    tail = min(tail, before.length - head, after.length - head)
    smallest = type(edit)(head, before.length - tail, after.slice(head, after.length - tail))
    return [smallest] if smallest.start < smallest.end or smallest.text else []


def _step(found: _Open, before: Document, after: Document, edits: Sequence[Edit]) -> _Step:
    start, touched, elsewhere = found.start, False, False
    inserted = ""
    if len(edits) == 1:
        edits = _apart(_slid(edits[0], found.start + found.matched, before, after), found)
    for edit in edits:
        moved = len(edit.text) - (edit.end - edit.start)
        if edit.end <= start + found.matched and edit.start < start:
            start += moved
        elif edit.start <= start + max(found.matched, len(inserted)) and edit.end >= start:
            touched = True
            inserted = max(inserted, edit.text, key=len)
        else:
            elsewhere = True
    matched = found.matched
    if touched:
        now = _common(after.slice(start, start + len(found.text)), found.text)
        # What already stood behind the cursor was not brought by this change.
        matched = min(now, found.matched + len(inserted)) if inserted else min(now, found.matched)
        if (
            inserted
            and matched < found.matched + len(inserted)
            and now < len(found.text)
            and not (found.matched < matched and inserted.endswith(tuple(")]}\"'`>")))
        ):
            # More was inserted than agrees: "fox" is no step towards "foobar", whatever it begins with.
            matched = min(matched, found.matched)
    return _Step(start, matched, matched - found.matched, inserted, touched, elsewhere)


def _apart(edit: Edit, found: _Open) -> list[Edit]:
    """A replacement that ends with the whole of a suggestion at its place, as two: what came before (an
    import, say), and the suggestion."""
    to, rest = found.start + found.matched, found.text[found.matched :]
    if not (rest and edit.start < to == edit.end and edit.text.endswith(rest)):
        return [edit]
    first = edit.text[: len(edit.text) - len(rest)]
    moved = to + len(first) - (edit.end - edit.start)
    return [type(edit)(edit.start, edit.end, first), type(edit)(moved, moved, rest)]


def _keys(text: str) -> int:
    """How many keys it takes to type it, where the editor indents."""
    return len(" ".join(text.split())) + (text[:1].isspace()) + (text[-1:].isspace() and bool(text.strip()))


def _slid(edit: Edit, to: int, before: Document, after: Document) -> Edit:
    """An insertion, as if made at `to` where the text after it is the same: inserting "ab" behind the a of
    "xa" and inserting "ba" behind "xa" are one change, and editors that compare texts tell either."""
    start, count = edit.start, len(edit.text)
    if start != edit.end or not count or start == to or abs(start - to) > 1000:
        return edit
    if to < start:
        same = after.slice(to + count, start + count) == before.slice(to, start)
    else:
        same = after.slice(start, to) == before.slice(start, to)
    return type(edit)(to, to, after.slice(to, to + count)) if same else edit


def _shift(kept: _Kept, edits: Sequence[Edit], after: Document) -> None:
    if not kept.placed:
        if after.slice(kept.start, kept.start + len(kept.text)) == kept.text:
            kept.end = kept.start + len(kept.text)
            kept.placed = True
            return
        kept.placed = True  # the editor put something else there
    for edit in edits:
        moved = len(edit.text) - (edit.end - edit.start)
        if edit.end <= kept.start:
            kept.start += moved
            kept.end += moved
        elif edit.start < kept.end:
            kept.start = min(kept.start, edit.start)
            kept.end = max(kept.end + moved, kept.start)


def recover(path: Path, sessions: Path) -> int:
    """Ends what servers that died left open; how many. Blocking. `sessions` holds a locked file for each
    server that lives."""
    import filelock

    if not path.exists():
        return 0
    ended = 0
    database = connect(path, timeout=2)  # the server may end meanwhile; the next one tries again
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
            # The crash may have come between this note and what it belongs to: before it was shown, or after
            # it had ended.
            kinds = {
                kind
                for (kind,) in database.execute(
                    "SELECT kind FROM events WHERE suggestion_id = ?", (row["suggestion_id"],)
                )
            }
            if taken.rowcount and "shown" in kinds and not kinds & set(OUTCOMES):
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
