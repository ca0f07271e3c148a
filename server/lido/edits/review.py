"""The state of a review, pure: every operation returns a new review.

Hunk offsets are code points in the document as it is now (`ReviewFile.current`), and follow it while the
person types. A hunk whose lines the person changed is in conflict until the old lines stand there again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from lido.edits import hunks as diff
from lido.edits.files import line_ending
from lido.workspace.documents import Edit

if TYPE_CHECKING:
    from lido.edits.apply import FileChange
    from lido.edits.journal import Hunks

State = Literal["pending", "accepted", "rejected", "conflict", "failed", "undone"]
Decision = Literal["accept", "reject"]
FileKind = Literal["modify", "create", "delete", "rename"]


@dataclass(frozen=True, slots=True)
class ReviewHunk:
    """`current[start:end]` is `old` while pending and `new` once accepted.

    `whole` marks the hunk that stands for the file itself: its creation, deletion or renaming.
    """

    id: str
    start: int
    end: int
    old: str
    new: str
    description: str = ""
    state: State = "pending"
    whole: bool = False
    conflict_text: str | None = None
    """In conflict: what stands there now."""


@dataclass(frozen=True, slots=True)
class ReviewFile:
    """`path` is absolute (or an untitled document's URI); `before` and `after` are the texts the review
    was made from, None where the file does not exist on that side; `current` is the document now."""

    path: str
    kind: FileKind
    before: str | None
    after: str | None
    current: str | None
    hunks: tuple[ReviewHunk, ...]
    new_path: str | None = None
    note: str = ""
    """Why the person should look at it before it is applied."""


@dataclass(frozen=True, slots=True)
class Review:
    id: str
    title: str
    files: tuple[ReviewFile, ...]
    origin: str = ""
    """What it came from, as the event log names features ("plan", "chat_apply"); "" where nobody said."""

    def hunk(self, hunk_id: str) -> ReviewHunk | None:
        return next((h for f in self.files for h in f.hunks if h.id == hunk_id), None)

    @property
    def open(self) -> bool:
        """Whether anything is still to be decided."""
        return any(h.state in ("pending", "conflict") for f in self.files for h in f.hunks)


class Applied(NamedTuple):
    """What accepting comes to in one file: text edits in `file.current`, or the file operation."""

    file: ReviewFile
    """As it was before the decision."""
    edits: tuple[Edit, ...]
    operation: Literal["edit", "create", "delete", "rename"]


class Decided(NamedTuple):
    review: Review
    """As it is once `applied` has been applied."""
    applied: tuple[Applied, ...]
    messages: dict[str, str]
    """Hunk id → why it did not take the wanted state."""


def start(changes: Iterable[FileChange], review_id: str, title: str, new_id: Callable[[], str]) -> Review:
    """A review of `changes`, every hunk pending."""
    files: list[ReviewFile] = []
    for change in changes:
        found: list[ReviewHunk] = []
        if change.kind == "create":
            text = change.after or ""
            count = len(diff.split_lines(text))
            found.append(ReviewHunk(new_id(), 0, 0, "", text, f"Create the file ({count} lines)", whole=True))
        elif change.kind == "delete":
            text = change.before or ""
            found.append(ReviewHunk(new_id(), 0, len(text), text, "", "Delete the file", whole=True))
        else:
            if change.kind == "rename":
                found.append(
                    ReviewHunk(new_id(), 0, 0, "", "", f"Rename the file to {change.new_path}", whole=True)
                )
            found += [
                ReviewHunk(new_id(), h.start, h.end, h.old, h.new, h.description)
                for h in diff.hunks(change.before or "", change.after or "")
            ]
        if found:
            files.append(
                ReviewFile(
                    change.path, change.kind, change.before, change.after, change.before, tuple(found),
                    change.new_path, change.note,
                )
            )  # fmt: skip
    return Review(review_id, title, tuple(files))


def decide(review: Review, hunk_ids: Collection[str], decision: Decision) -> Decided:
    """Accept or reject any of the hunks. Nothing is written here: the caller applies `applied`, and keeps
    the old review where that fails."""
    wanted = set(hunk_ids)
    known = {h.id for f in review.files for h in f.hunks}
    messages = dict.fromkeys(wanted - known, "There is no such hunk.")
    files: list[ReviewFile] = []
    applied: list[Applied] = []
    for file in review.files:
        if not any(h.id in wanted for h in file.hunks):
            files.append(file)
            continue
        new_file, done = _decide_file(file, wanted, decision, messages)
        files.append(new_file)
        applied += done
    return Decided(replace(review, files=tuple(files)), tuple(applied), messages)


def _decide_file(
    file: ReviewFile, wanted: set[str], decision: Decision, messages: dict[str, str]
) -> tuple[ReviewFile, list[Applied]]:
    states: list[ReviewHunk] = []
    taken: dict[str, Edit] = {}
    operation: Literal["create", "delete", "rename"] | None = None
    for hunk in file.hunks:
        if hunk.id not in wanted:
            states.append(hunk)
        elif hunk.state not in ("pending", "conflict"):
            if (hunk.state, decision) not in (("accepted", "accept"), ("rejected", "reject")):
                messages[hunk.id] = f"It is {hunk.state} already."
            states.append(hunk)
        elif decision == "reject":
            states.append(replace(hunk, state="rejected"))
        elif hunk.state == "conflict":
            messages[hunk.id] = "These lines were changed meanwhile; both texts are in the review."
            states.append(hunk)
        else:
            states.append(replace(hunk, state="accepted"))
            if hunk.whole:
                operation = file.kind  # type: ignore[assignment] # a modify file has no whole hunk
            else:
                taken[hunk.id] = Edit(hunk.start, hunk.end, hunk.new)
    applied: list[Applied] = []
    new = replace(file, hunks=tuple(states))
    if taken:
        applied.append(Applied(file, tuple(taken.values()), "edit"))
        new = _after_edits(new, taken)
    if operation:
        applied.append(Applied(file, (), operation))
        if operation != "rename":
            new = replace(new, current=file.after)
    return new, applied


def _after_edits(file: ReviewFile, taken: dict[str, Edit]) -> ReviewFile:
    """`file` once the edits of the accepted hunks (by id) stand in the document."""
    order = sorted(range(len(file.hunks)), key=lambda i: (file.hunks[i].start, file.hunks[i].end, i))
    shift = 0
    placed: dict[int, ReviewHunk] = {}
    for i in order:
        hunk = file.hunks[i]
        at = hunk.start + shift
        if hunk.id in taken:
            shift += len(hunk.new) - (hunk.end - hunk.start)
            placed[i] = replace(hunk, start=at, end=at + len(hunk.new))
        else:
            placed[i] = replace(hunk, start=at, end=hunk.end + shift)
    return replace(
        file,
        hunks=tuple(placed[i] for i in range(len(file.hunks))),
        current=diff.apply_edits(file.current or "", taken.values()),
    )


def taking(file: ReviewFile, hunk: ReviewHunk) -> Edit:
    """The edit that puts the text proposed by a hunk in conflict in place of what stands there now. Whole
    lines of `file.current`: the person may have joined the hunk's with others."""
    text = file.current or ""
    start, end = hunk.start, hunk.end
    if hunk.whole:
        return Edit(0, len(text), hunk.new)
    if start == end:
        # Nothing of it is left: its text goes between lines, and takes the place of none.
        while 0 < start < len(text) and text[start - 1] not in "\r\n":
            start += 1
        end = start = start + (text[start - 1 : start + 1] == "\r\n")
    else:
        while start and text[start - 1] not in "\r\n":
            start -= 1
        while end < len(text) and text[end - 1] not in "\r\n":
            end += 1
        end += text[end - 1 : end + 1] == "\r\n"
    new = hunk.new
    if new and new[-1] not in "\r\n" and end < len(text):
        new += line_ending(text)
    if start == end == len(text) and text and text[-1] not in "\r\n":
        new = line_ending(text) + new
    return Edit(start, end, new)


def taken(review: Review, hunk_ids: Collection[str]) -> tuple[Review, dict[str, str]]:
    """The review with those of the hunks that are in conflict pending again, over what stands there now; and
    why not, by id."""
    why: dict[str, str] = {}
    files: list[ReviewFile] = []
    for file in review.files:
        hunks: list[ReviewHunk] = []
        for hunk in file.hunks:
            if hunk.id in hunk_ids and hunk.state == "conflict":
                edit = taking(file, hunk)
                if file.current is None or (hunk.whole and file.kind != "delete"):
                    why[hunk.id] = "The file is there already." if file.kind == "create" else "It is gone."
                elif not hunk.whole and any(
                    other is not hunk
                    and other.state in ("pending", "conflict", "accepted")
                    and _meet(edit, other)
                    for other in file.hunks
                ):
                    why[hunk.id] = "Another of these changes stands in the same lines."
                else:
                    old = (file.current or "")[edit.start : edit.end]
                    hunk = ReviewHunk(
                        hunk.id, edit.start, edit.end, old, edit.text, hunk.description, "pending", hunk.whole
                    )
            hunks.append(hunk)
        files.append(replace(file, hunks=tuple(hunks)))
    return replace(review, files=tuple(files)), why


def _meet(edit: Edit, other: ReviewHunk) -> bool:
    """Whether they share text, or one inserts where the other stands."""
    if edit.start == edit.end or other.start == other.end:
        return edit.start <= other.end and other.start <= edit.end
    return edit.start < other.end and other.start < edit.end


def undone(review: Review, hunk_ids: Collection[str]) -> Review:
    """The review after these accepted hunks were taken back."""
    return replace(
        review,
        files=tuple(
            replace(
                f,
                hunks=tuple(replace(h, state="undone") if h.id in hunk_ids else h for h in f.hunks),
            )
            for f in review.files
        ),
    )


def resumed(
    review: Review,
    journal: Hunks,
    now: Callable[[str], str | None],
    new_id: Callable[[], str],
) -> Review:
    """A review that was kept on disk, over the files as they are by now.

    The journal may know of more decisions than the review that was kept. Of what an editor was asked for as
    the server died nobody knows whether it did it: that is seen in the text. What is undecided gets new ids:
    it is offered a second time.
    """
    files: list[ReviewFile] = []
    for file in review.files:
        hunks = tuple(replace(h, state="undone") if h.id in journal.undone else h for h in file.hunks)
        file = _resumed_file(replace(file, hunks=hunks), journal, now)
        hunks = tuple(
            replace(h, id=new_id()) if h.state in ("pending", "conflict") else h for h in file.hunks
        )
        files.append(replace(file, hunks=hunks))
    return replace(review, files=tuple(files))


def _resumed_file(file: ReviewFile, journal: Hunks, now: Callable[[str], str | None]) -> ReviewFile:
    text = now(file.path)
    asked = {h.id for h in file.hunks if h.id in journal.applied | journal.unsure and h.state == "pending"}
    # In conflict, and taken all the same.
    file = _with_accepted(
        file, {h.id for h in file.hunks if h.id in journal.applied and h.state == "conflict"}
    )
    whole = {h.id for h in file.hunks if h.whole and h.id in asked}
    if whole and whole <= journal.unsure:
        there = text is not None
        if file.kind == "rename":
            there = there or now(file.new_path or "") is None
        if there != (file.kind == "create"):
            whole = set()
    if whole and file.kind == "rename":
        return _with_accepted(file, asked)
    if whole:
        file = replace(_with_accepted(file, whole), current=file.after)
    if text is None:
        # Gone, or never made. Should it come back, what is to be changed in it is judged again.
        return replace(
            file,
            hunks=tuple(
                replace(h, state="conflict", conflict_text="")
                if h.state == "pending" and file.current is not None
                else h
                for h in file.hunks
            ),
        )
    if file.current is None:  # to be created, and someone else did
        return replace(
            file,
            current=text,
            hunks=tuple(
                replace(h, state="conflict", conflict_text=text) if h.state == "pending" else h
                for h in file.hunks
            ),
        )
    taken = {h.id: Edit(h.start, h.end, h.new) for h in file.hunks if h.id in asked and not h.whole}
    for hunk_id in _not_made(file, taken, text) & journal.unsure:
        del taken[hunk_id]
    return _changed_file(_after_edits(_with_accepted(file, taken), taken), text, None)


def _not_made(file: ReviewFile, edits: dict[str, Edit], text: str) -> set[str]:
    """The hunks among `edits` that are not in `text`, which became of the file with some of them made and
    perhaps more typed since."""
    before = file.current or ""
    if not edits or text == before:
        return set(edits)
    ids, wanted = list(edits), list(edits.values())
    standing = diff.standing(before, wanted, text)
    if diff.apply_edits(before, [wanted[n] for n in standing]) == text:
        return {hunk_id for n, hunk_id in enumerate(ids) if n not in standing}
    made = _after_edits(_with_accepted(file, edits), edits)
    with_them, without = _changed_file(made, text, None), _changed_file(file, text, None)
    nearer = _apart(made.current or "", text) <= _apart(before, text)
    found = set()
    for one, other in zip(with_them.hunks, without.hunks, strict=True):
        if one.id in edits:
            new_there = bool(one.new) and text[one.start : one.end] == one.new
            old_there = bool(other.old) and text[other.start : other.end] == other.old
            # Where both stand, or neither, what the whole file is nearer to decides.
            if (old_there and not new_there) or (old_there == new_there and not nearer):
                found.add(one.id)
    return found


def _apart(one: str, other: str) -> int:
    """Lines that differ."""
    blocks = diff.diff_lines(diff.split_lines(one), diff.split_lines(other))
    return sum(b.a2 - b.a1 + b.b2 - b.b1 for b in blocks if not b.equal)


def _accepted(hunk: ReviewHunk) -> ReviewHunk:
    return replace(hunk, state="accepted")


def _with_accepted(file: ReviewFile, taken: Collection[str]) -> ReviewFile:
    return replace(file, hunks=tuple(_accepted(h) if h.id in taken else h for h in file.hunks))


def changed(review: Review, path: str, text: str, edits: Sequence[Edit] | None = None) -> Review:
    """The review after the document at `path` became `text`, by `edits` one after the other (each in the
    coordinates the one before left) where they are known, else by what differs."""
    return replace(
        review,
        files=tuple(_changed_file(f, text, edits) if f.path == path else f for f in review.files),
    )


def _changed_file(file: ReviewFile, text: str, edits: Sequence[Edit] | None) -> ReviewFile:
    before = file.current or ""
    if before == text and not any(h.state == "conflict" for h in file.hunks):
        return file
    if edits is None or not _lead_to(before, edits, text):
        # Back to front, so that each one's coordinates are still those of `before`.
        edits = [Edit(h.start, h.end, h.new) for h in reversed(diff.hunks(before, text))]
    hunks: list[ReviewHunk] = []
    for hunk in file.hunks:
        if hunk.whole:
            hunks.append(_judged_whole(hunk, file, text))
            continue
        a, b = hunk.start, hunk.end
        for edit in edits:
            a, b, _ = diff.moved(a, b, edit)
        hunks.append(_judged(replace(hunk, start=a, end=b), text))
    return replace(file, hunks=tuple(hunks), current=text)


def _judged_whole(hunk: ReviewHunk, file: ReviewFile, text: str) -> ReviewHunk:
    """Nobody agreed to delete what was written since."""
    if file.kind != "delete" or hunk.state not in ("pending", "conflict"):
        return hunk
    if text == hunk.old:
        return replace(hunk, end=len(text), state="pending", conflict_text=None)
    return replace(hunk, end=len(text), state="conflict", conflict_text=text)


def _lead_to(before: str, edits: Sequence[Edit], text: str) -> bool:
    """Whether `edits`, one after the other, turn `before` into `text`: they may start from elsewhere."""
    for edit in edits:
        before = before[: edit.start] + edit.text + before[edit.end :]
    return before == text


def _judged(hunk: ReviewHunk, text: str) -> ReviewHunk:
    """Pending or in conflict, by what stands there now."""
    if hunk.state not in ("pending", "conflict"):
        return hunk
    now = text[hunk.start : hunk.end]
    at_line_start = hunk.start == 0 or text[hunk.start - 1] in "\r\n"
    at_line_end = hunk.end == len(text) or hunk.end == 0 or text[hunk.end - 1] in "\r\n"
    if now == hunk.old and at_line_start and (at_line_end or hunk.end == hunk.start):
        return replace(hunk, state="pending", conflict_text=None)
    return replace(hunk, state="conflict", conflict_text=now)
