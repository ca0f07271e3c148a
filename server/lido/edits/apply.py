"""Edits → changes (`resolve`), and reviews that reach the editor or the disk (`Reviews`)."""

from __future__ import annotations

import asyncio
import bisect
import logging
import os
import posixpath
import re
import stat
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lido.edits import hunks as diff
from lido.edits import matching, review
from lido.edits.files import MAX_FILE, FileText, Refused, Workspace, line_ending, read_bytes, with_line_ending
from lido.edits.formats import FileEdit, Lines, Replace, Whole, is_marker
from lido.edits.journal import Entry, Image, Journal, Recovered, remove_folders
from lido.edits.review import Review
from lido.edits.shelf import Shelf
from lido.workspace.documents import Edit

log = logging.getLogger(__name__)

# ---------------------------------------------------------------- edits → changes


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file's agreed new text. `before` is None where it does not exist yet, `after` None where it
    goes. `rungs` say how each of the model's edits was found."""

    path: str
    kind: Literal["modify", "create", "delete", "rename"]
    before: str | None
    after: str | None
    new_path: str | None = None
    format: str = ""
    rungs: tuple[str, ...] = ()
    note: str = ""
    """Why the person should look at it before it is applied: "found by similarity"; "" for no reason."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An edit that is not applied, and why. `message` is a sentence without subject; `search` what the
    model quoted; `candidates` what stands in the file instead."""

    path: str
    reason: str
    message: str
    search: str = ""
    candidates: tuple[matching.Candidate, ...] = ()
    format: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """A file is changed whole or not at all: one rejected edit keeps its file out of `changes`."""

    changes: tuple[FileChange, ...]
    rejected: tuple[Rejection, ...]

    def feedback(self) -> str:
        """What to tell the model, once, so that it can correct itself: the true text beside each quote."""
        parts: list[str] = []
        for r in self.rejected:
            parts.append(f"{r.path}: not applied, because {r.message}.")
            if r.search:
                parts.append(f"You quoted:\n```\n{r.search.rstrip()}\n```")
            parts += [
                f"The file has at line {c.line + 1}:\n```\n{c.text.rstrip()}\n```" for c in r.candidates[:3]
            ]
        return "\n".join(parts)


Read = Callable[[str], str | None]
SyntaxErrors = Callable[[str, str], int]


def _no_syntax(_path: str, _text: str) -> int:
    return 0


def resolve(edits: Iterable[FileEdit], read: Read, syntax_errors: SyntaxErrors = _no_syntax) -> Resolution:
    """What `edits` come to, without writing anything.

    `read(path)` gives a file's text, None where there is none, and raises Refused for what may not be
    touched (`Workspace.read` does). `syntax_errors(path, text)` counts; a result with more than before is
    rejected. CPU-bound on large files: call it in a thread.
    """
    by_path: dict[str, list[FileEdit]] = {}
    for edit in edits:
        by_path.setdefault(posixpath.normpath(edit.path), []).append(edit)
    changes: list[FileChange] = []
    rejected: list[Rejection] = []
    for path, file_edits in by_path.items():
        result = _resolve_file(path, file_edits, read, syntax_errors)
        if isinstance(result, FileChange):
            changes.append(result)
        else:
            rejected += result
    return Resolution(tuple(changes), tuple(rejected))


MAX_NEW = 4 * 1024 * 1024
"""Characters that one file may gain: more is nothing that a person reviews."""
_HALF = re.compile("[\ud800-\udfff]")


def _unwritable(before: str, after: str) -> str:
    """Why the text must not become a file's; "" where it may."""
    if len(after) > len(before) + MAX_NEW or len(after) > MAX_FILE:
        return f"it adds more than {MAX_NEW // 2**20} MB"
    if "\0" in after:
        return "it holds NUL bytes"
    if _HALF.search(after) and not _HALF.search(before):
        return "it holds half a character (a lone surrogate)"
    return ""


class _Rejected(Exception):  # noqa: N818 - carries an answer up
    def __init__(self, rejection: Rejection) -> None:
        self.rejection = rejection


def _resolve_file(
    path: str, edits: Sequence[FileEdit], read: Read, syntax_errors: SyntaxErrors
) -> FileChange | list[Rejection]:
    form = edits[0].format
    try:
        before = read(path)
        kinds = {edit.kind for edit in edits}
        if "delete" in kinds:
            if before is None:
                return [Rejection(path, "not_found", "there is no such file to delete", format=form)]
            if len(edits) > 1:
                return [Rejection(path, "overlap", "it is both deleted and changed", format=form)]
            return FileChange(path, "delete", before, None, None, form)
        if before is None and "rename" in kinds:
            return [Rejection(path, "not_found", "there is no such file to rename", format=form)]
        after, rungs = _apply_all(path, before, edits)
        new_path = next((edit.new_path for edit in edits if edit.kind == "rename" and edit.new_path), None)
        if new_path is not None:
            new_path = posixpath.normpath(new_path)
            if read(new_path) is not None:
                return [Rejection(path, "exists", f"{new_path} exists already", format=form)]
    except Refused as error:
        return [Rejection(path, "refused", str(error), format=form)]
    except _Rejected as error:
        return [error.rejection]
    if why := _unwritable(before or "", after):
        return [Rejection(path, "refused", why, format=form)]
    if after == before and new_path is None:
        return [Rejection(path, "no_change", "it changes nothing", format=form)]
    if after and syntax_errors(path, after) > (syntax_errors(path, before) if before else 0):
        return [Rejection(path, "syntax", "the file would have new syntax errors", format=form)]
    kind: Literal["modify", "create", "rename"]
    kind = "rename" if new_path is not None else "create" if before is None else "modify"
    note = "found by similarity, not word for word" if "fuzzy" in rungs else ""
    return FileChange(path, kind, before, after, new_path, form, tuple(rungs), note)


def _apply_all(path: str, before: str | None, edits: Sequence[FileEdit]) -> tuple[str, list[str]]:
    """The text after all changes. Each is looked for in the text as it was, and, where it is not there,
    in the text as the ones before left it (models write some edits on top of others)."""
    base = before or ""
    index = matching.Index(base)
    taken: list[Edit] = []
    rungs: list[str] = []
    cursor = 0
    for edit in edits:
        for change in edit.changes:
            quoted, new = (
                (change.search, change.replace) if isinstance(change, Replace) else ("", change.text)
            )
            if len(quoted) > MAX_FILE or len(new) > len(base) + MAX_NEW:  # before any work with it
                why = f"it adds or quotes more than {MAX_NEW // 2**20} MB"
                raise _Rejected(Rejection(path, "refused", why, format=edit.format))
            if isinstance(change, Whole):
                if taken:
                    raise _Rejected(
                        Rejection(path, "overlap", "it is both rewritten and edited", format=edit.format)
                    )
                text, rung = _whole(path, before, change, edit)
                base, before = text, text
                index = matching.Index(base)
                rungs.append(rung)
                continue
            if isinstance(change, Lines):
                found: matching.Match | matching.NoMatch = _line_range(index, change, edit)
            elif before is None and not change.search.strip():
                found = matching.Match((Edit(len(base), len(base), change.replace),), "exact")
            elif before is None:
                raise _Rejected(
                    Rejection(path, "not_found", "there is no such file", change.search, format=edit.format)
                )
            else:
                found = matching.find(index, change, cursor if change.ordered else 0)
            clash = isinstance(found, matching.Match) and any(
                _overlap(one, other) for one in found.edits for other in taken
            )
            if taken and (clash or (isinstance(found, matching.NoMatch) and found.reason != "ambiguous")):
                if not isinstance(change, Replace):
                    raise _Rejected(Rejection(path, "overlap", "two edits overlap", format=edit.format))
                later = matching.Index(diff.apply_edits(base, taken))
                again = matching.find(later, change, 0)
                if isinstance(again, matching.Match) and again.rung != "fuzzy":
                    base, index, taken, found = later.text, later, [], again
                elif clash:
                    raise _Rejected(
                        Rejection(path, "overlap", "two edits overlap", change.search, format=edit.format)
                    )
            if isinstance(found, matching.NoMatch):
                quoted = change.search if isinstance(change, Replace) else ""
                raise _Rejected(
                    Rejection(path, found.reason, found.message, quoted, found.candidates, edit.format)
                )
            taken += found.edits
            rungs.append(found.rung)
            if found.edits:
                cursor = bisect.bisect_left(index.starts, max(one.end for one in found.edits))
    return diff.apply_edits(base, taken), rungs


def _overlap(a: Edit, b: Edit) -> bool:
    """Two edits clash where they share text, or both insert at one point."""
    if a.start == a.end and b.start == b.end:
        return a.start == b.start
    return a.start < b.end and b.start < a.end


def _line_range(index: matching.Index, change: Lines, edit: FileEdit) -> matching.Match | matching.NoMatch:
    count = len(index.lines)
    if change.first > count or change.last > count:
        return matching.NoMatch("not_found", f"the file has only {count} lines")
    start, end = index.starts[change.first], index.starts[change.last]
    text = with_line_ending(change.text, index.ending)
    if edit.format == "lines" and not _resembles(index.text[start:end], text):
        return matching.NoMatch("weak", "the lines it names look nothing like those it gives for them")
    if end == len(index.text) and index.text and index.text[-1] not in "\r\n":
        text = (index.ending if start == end else "") + text.removesuffix(index.ending)
    return matching.Match((Edit(start, end, text),), "lines")


def _resembles(old: str, new: str) -> bool:
    """Whether a third of the lines, or the text at large, is the same."""
    from rapidfuzz import fuzz

    a = {line.strip() for line in old.splitlines() if line.strip()}
    b = {line.strip() for line in new.splitlines() if line.strip()}
    return not a or len(a & b) * 3 >= len(a) or fuzz.ratio(old[:20_000], new[:20_000]) >= 50


def _whole(path: str, before: str | None, change: Whole, edit: FileEdit) -> tuple[str, str]:
    text = change.text
    if any(is_marker(line) for line in text.splitlines()) or (
        before is not None
        and any(line == "=======" for line in text.splitlines())
        and not any(line == "=======" for line in before.splitlines())
    ):
        raise _Rejected(
            Rejection(path, "weak", "it holds pieces of a broken search/replace block", format=edit.format)
        )
    if change.label and (before is None or not before.startswith(change.label)):
        # The first line only named the file.
        lines = diff.split_lines(text)[1:]
        text = "".join(lines[1:] if lines and not lines[0].strip() else lines)
    if before is None or not before.strip():
        if any(matching.is_elision(line) and "..." in line for line in text.splitlines()[:5000]) and (
            any(matching.is_elision(line) and len(line.strip()) > 6 for line in text.splitlines()[:5000])
        ):
            raise _Rejected(
                Rejection(path, "weak", "it leaves out lines of a file that is new", format=edit.format)
            )
        return text, "whole"
    old_lines = {line.strip() for line in before.splitlines()}
    elided = [
        line for line in text.splitlines() if matching.is_elision(line) and line.strip() not in old_lines
    ]
    if elided:
        filled = matching.fill_in(before, text)
        if isinstance(filled, matching.NoMatch):
            raise _Rejected(Rejection(path, filled.reason, filled.message, format=edit.format))
        return filled, "elided"
    if (
        not change.explicit
        and (piece := _is_piece(before, text))
        and not (piece == "little" and change.asked)
    ):
        filled = matching.fill_in(before, text, excerpt=True)
        if isinstance(filled, matching.NoMatch):
            why = f"the code block looks like an excerpt of the file, and {filled.message}"
            raise _Rejected(Rejection(path, "weak", why, format=edit.format))
        return _same_blank_lines(before, filled), "excerpt"
    ending = line_ending(before)
    text = with_line_ending(text, ending)
    if not before.endswith(("\n", "\r")):
        text = text.removesuffix(ending)
    elif text and not text.endswith(("\n", "\r")):
        text += ending
    return (text if change.explicit else _same_blank_lines(before, text)), "whole"


def _same_blank_lines(before: str, after: str) -> str:
    """`after` with the blank lines of `before` where nothing else changed: models lose some on the way, and
    nobody asked for that."""
    old, new = diff.split_lines(before), diff.split_lines(after)
    out: list[str] = []
    for equal, a1, a2, b1, b2 in diff.diff_lines(old, new):
        blank = not equal and not any(line.strip() for line in (*old[a1:a2], *new[b1:b2]))
        out += old[a1:a2] if blank else new[b1:b2]
    return "".join(out)


def _is_piece(before: str, after: str) -> Literal["", "edge", "little"]:
    """Whether a code block is a piece of the file (or an example) rather than the file rewritten: "edge"
    where it leaves off the file's beginning or end, "little" where it has less than half of its lines."""
    old = [line.strip() for line in before.splitlines()]
    new = [line.strip() for line in after.splitlines()]
    blocks = diff.diff_lines(old, new)
    first, last = blocks[0], blocks[-1]
    told = sum(1 for line in old if line)
    kept = sum(1 for block in blocks if block.equal for line in old[block.a1 : block.a2] if line)
    if not last.equal and any(old[last.a1 : last.a2]) and last.b1 == last.b2:
        return "edge"
    if not first.equal and first.b1 == first.b2:
        gone = [line for line in old[first.a1 : first.a2] if line]
        # What a rewrite may well begin without: unused imports and old comments, a few of them.
        used = {word for line in gone for word in _WORD.findall(line)} & set(_WORD.findall(after))
        if len(gone) > 3 or not all(line.startswith(_IMPORTS) for line in gone) or used - _KEYWORDS:
            return "edge"
    return "little" if kept * 2 < told else ""


_IMPORTS = ("import ", "from ", "use ", "using ", "#include", "require", "#", "//")
_KEYWORDS = {"import", "from", "use", "using", "include", "require", "as", "const", "std"}
_WORD = re.compile(r"[A-Za-z_]\w+")


# ---------------------------------------------------------------- changes → editor or disk


@dataclass(frozen=True, slots=True)
class Operation:
    """One step for the editor. `edits` refer to `text`, the document's text now. For "create", `text` is
    the new content; `descriptions` go with `edits`. With `confirm` the editor, where it can, shows the
    person each of them first."""

    kind: Literal["edit", "create", "delete", "rename"]
    path: str
    text: str = ""
    edits: tuple[Edit, ...] = ()
    descriptions: tuple[str, ...] = ()
    new_path: str | None = None
    confirm: bool = False


ApplyEdit = Callable[[Sequence[Operation], str], Awaitable[bool]]
"""Hands operations to the editor, with a label; whether it applied them, all of them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to a hunk: one event each. `kind` "shown" comes once, when a review is opened."""

    review_id: str
    hunk_id: str
    kind: Literal["shown", "accepted", "rejected", "failed", "undone", "conflict", "unchanged"]
    path: str
    text: str = ""
    """The hunk's new text."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Undone:
    """Paths that are again as before the review (what was typed elsewhere stays), and what is not, in
    sentences."""

    restored: tuple[str, ...]
    failed: tuple[str, ...]


class UnknownReviewError(LookupError):
    """No such review: it was decided long ago, or in an earlier session."""


def _ignore(_outcome: Outcome) -> None:
    pass


def _everything(_kind: str) -> bool:
    return True


def _nothing(_review: Review) -> None:
    pass


KEEP_DECIDED = 50
"""Reviews of which everything is decided that a session still knows; undoing needs only the journal."""


class Reviews:
    """All open reviews. One decision or undo at a time; disk work in threads.

    With `apply_edit` the editor does the writing (open documents and files alike); without, Lido writes
    the files itself, one atomic step each. Either way the journal has the before-images first.
    """

    def __init__(
        self,
        workspace: Workspace,
        journal: Journal,
        apply_edit: ApplyEdit | None = None,
        on_outcome: Callable[[Outcome], None] = _ignore,
        editor_can: Callable[[str], bool] = _everything,
        on_open: Callable[[Review], None] = _nothing,
        shelf: Shelf | None = None,
    ) -> None:
        """`editor_can` says which kinds of `Operation` the editor knows; Lido writes the others itself. With
        `shelf`, open reviews outlive the server."""
        self._workspace = workspace
        self._journal = journal
        self._apply_edit = apply_edit
        self._on_outcome = on_outcome
        self._editor_can = editor_can
        self._on_open = on_open
        self._shelf = shelf
        self._unsaved: dict[str, tuple[str, str]] = {}
        """Files that are not open, which the editor has changed and may hold unsaved: text on disk, and
        text as the editor has it."""
        self._reviews: dict[str, Review] = {}
        self._lock = asyncio.Lock()
        self._flying: tuple[str, dict[str, str]] | None = None

    async def open(self, changes: Iterable[FileChange], title: str = "", origin: str = "") -> Review:
        """A new review of `changes`, every hunk pending and reported as shown. Raises Refused where a path
        may not be touched."""
        placed: list[FileChange] = []
        for change in changes:
            path = await asyncio.to_thread(self._workspace.locate, change.path)
            new = change.new_path
            if new is not None:
                new = os.fspath(await asyncio.to_thread(self._workspace.locate, new))
            placed.append(replace(change, path=os.fspath(path), new_path=new))
        made = await asyncio.to_thread(review.start, placed, _new_id(), title, _new_id)
        made = replace(made, origin=origin)
        self._reviews[made.id] = made
        for old in [r.id for r in self._reviews.values() if not r.open][:-KEEP_DECIDED]:
            del self._reviews[old]
        await self._keep(made.id)
        self._shown(made)
        self._on_open(made)
        return made

    def _shown(self, made: Review) -> None:
        for file in made.files:
            for hunk in file.hunks:
                if hunk.state in ("pending", "conflict"):
                    self._on_outcome(Outcome(made.id, hunk.id, "shown", file.path, hunk.new))

    async def _keep(self, review_id: str) -> None:
        if self._shelf is not None and review_id in self._reviews:
            await asyncio.to_thread(self._shelf.keep, self._reviews[review_id])

    async def restore(self) -> list[Review]:
        """Takes up what servers that are gone left undecided in this workspace. Those reviews are open again,
        their hunks where they belong in the files as they are by now."""
        shelf = self._shelf
        if shelf is None:
            return []

        def work() -> list[Review]:
            found = []
            for kept, when in shelf.take(lambda kept: all(self._inside(file.path) for file in kept.files)):
                # What was decided before it was kept, it knows itself.
                later = self._journal.hunks(kept.id, when)
                again = review.resumed(kept, later, self._text_or_none, _new_id)
                shelf.keep(again)
                if again.open:
                    found.append(again)
            return found

        async with self._lock:
            found = await asyncio.to_thread(work)
            self._reviews.update({again.id: again for again in found})
        for again in found:
            self._shown(again)
        return found

    def _inside(self, path: str) -> bool:
        return any(Path(path).is_relative_to(root) for root in self._workspace.roots)

    def _text_or_none(self, path: str) -> str | None:
        try:
            return self._workspace.read(path)
        except Refused:
            return None

    def close(self) -> None:
        """The session ends: what is undecided is the next server's to take up. Disk work."""
        if self._shelf is not None:
            self._shelf.close()

    def get(self, review_id: str) -> Review:
        """Raises UnknownReviewError."""
        try:
            return self._reviews[review_id]
        except KeyError:
            raise UnknownReviewError(review_id) from None

    def all(self) -> list[Review]:
        return list(self._reviews.values())

    def concerns(self, path: str) -> bool:
        """Whether an open review touches the file."""
        return any(f.path == path and r.open for r in self._reviews.values() for f in r.files)

    async def decide(
        self,
        review_id: str,
        hunk_ids: Collection[str],
        decision: review.Decision,
        *,
        preview: bool = False,
        careful: bool = False,
        take: bool = False,
    ) -> list[Outcome]:
        """Accept or reject hunks; what is accepted is written before this returns. One outcome per id,
        "failed" or "conflict" with a message where it could not be. Raises UnknownReviewError.

        With `take` what is in conflict is accepted as well: the person has seen both texts and wants the
        proposed one in place of what stands there.

        With `preview` the editor asks the person about each accepted hunk first; those that it leaves out
        stay pending, without an outcome. With `careful` it asks about those that want a second look: files
        created, deleted or renamed, and files with a note.
        """
        wanted = set(hunk_ids)
        async with self._lock:
            now = self.get(review_id)
            if decision == "accept":
                now = self._reviews[review_id] = await asyncio.to_thread(self._synchronised, now, wanted)
            why: dict[str, str] = {}
            if take and decision == "accept":
                now, why = review.taken(now, wanted)
            decided = review.decide(now, wanted, decision)
            decided.messages.update(why)
            problem = ""
            if decided.applied:
                problem, decided = await self._apply(review_id, decided, wanted, preview, careful)
            else:
                self._reviews[review_id] = decided.review
            outcomes = list(_outcomes(now, decided, wanted, problem))
            await self._keep(review_id)
        for outcome in outcomes:
            if outcome.kind in ("accepted", "rejected", "failed"):
                self._on_outcome(outcome)
        return outcomes

    async def undo(self, review_id: str) -> Undone:
        """Restore what the review applied, also after a restart; what was typed since stays (three-way
        merge). Where both changed the same lines, the person's text is kept and that is said."""
        async with self._lock:
            entries = await asyncio.to_thread(self._journal.applied, review_id)
            if not entries:
                return Undone((), ("The review has applied nothing that could be undone.",))
            plan = await asyncio.to_thread(self._plan_undo, entries)
            changes = tuple(change for change in plan.changes if change.before != change.after)
            if changes:
                label = "Undo"
                problem = await self._write(review_id, changes, label, entries)
                if problem:
                    return Undone((), (*plan.failed, problem))
            outcomes: list[Outcome] = []
            for image in (image for entry in entries for image in entry.images):
                path = os.fspath(image.path)
                if path in plan.restored:
                    outcomes += [Outcome(review_id, hunk, "undone", path) for hunk in image.hunks]
            if review_id in self._reviews:
                self._reviews[review_id] = review.undone(
                    self._reviews[review_id], {o.hunk_id for o in outcomes}
                )
                await self._keep(review_id)
        for outcome in outcomes:
            self._on_outcome(outcome)
        return Undone(plan.restored, plan.failed)

    # ------------------------------------------------------------ writing

    async def _apply(
        self, review_id: str, decided: review.Decided, wanted: set[str], preview: bool, careful: bool
    ) -> tuple[str, review.Decided]:
        """Write what was decided; "" or why not, and what was written of it: where the person is asked, some
        may be left out. The review moves on only if it was written."""
        changes: list[_Write] = []
        for applied in decided.applied:
            file = applied.file
            ids = tuple(
                hunk.id
                for hunk in file.hunks
                if hunk.id in wanted
                and hunk.state == "pending"
                and hunk.whole == (applied.operation != "edit")
            )
            labels = tuple(
                f"{hunk.description} ({file.note})" if file.note else hunk.description
                for edit in applied.edits or (None,)
                for hunk in file.hunks
                if hunk.id in ids and edit in (None, (hunk.start, hunk.end, hunk.new))
            )
            text = file.current or ""
            made = _Write(file.path, text, None, (), labels, None, ids)
            match applied.operation:
                case "edit":
                    made = replace(made, after=diff.apply_edits(text, applied.edits), edits=applied.edits)
                case "create":
                    made = replace(made, before=None, after=file.after or "")
                case "rename":
                    edits = next(
                        (a.edits for a in decided.applied if a.file is file and a.operation == "edit"), ()
                    )
                    made = replace(made, before=diff.apply_edits(text, edits), new_path=file.new_path)
            asks = preview or (careful and (applied.operation != "edit" or bool(file.note)))
            changes.append(replace(made, confirm=asks))
        confirm = any(change.confirm for change in changes)
        self._flying = (review_id, {})
        try:
            problem = await self._write(review_id, changes, self.get(review_id).title)
        finally:
            _, late = self._flying
            self._flying = None
        if not problem and confirm:
            left_out = await asyncio.to_thread(self._left_out, decided, wanted, late)
            decided = review.decide(self.get(review_id), wanted - left_out, "accept")
        if not problem:
            self._reviews[review_id] = decided.review
        for path, text in late.items():
            self._reviews[review_id] = review.changed(self._reviews[review_id], path, text)
        return problem, decided

    def _left_out(self, decided: review.Decided, wanted: set[str], late: dict[str, str]) -> set[str]:
        """The hunks that the editor did not apply though it applied others: the person said so there."""
        found: set[str] = set()
        for file, edits, operation in decided.applied:
            if operation == "edit":
                before = file.current or ""
                now = late[file.path] if file.path in late else self._text_now(file.path)
                standing = diff.standing(before, edits, before if now is None else now)
                gone = {edit for n, edit in enumerate(edits) if n not in standing}
                found |= {h.id for h in file.hunks if h.id in wanted and (h.start, h.end, h.new) in gone}
            else:
                there = self._text_now(file.path) is not None
                if there != (operation == "create"):
                    found |= {h.id for h in file.hunks if h.whole}
        return found

    async def _write(
        self, review_id: str, changes: Sequence[_Write], label: str, undoes: Sequence[Entry] = ()
    ) -> str:
        """Journal, then write: by the editor, or to the disk. "" or a sentence why nothing was written."""
        edit = self._apply_edit
        own = [c for c in changes if edit is None or not self._editor_can(c.operation().kind)]
        rest = [c for c in changes if c not in own]
        try:
            entry = None
            if own:
                entry = await asyncio.to_thread(self._write_disk, review_id, own, undoes)
            if edit is not None and rest:
                names = tuple(undone.id for undone in undoes)
                problem = await self._write_editor(edit, review_id, rest, label, names)
                if problem and entry is not None:
                    await asyncio.to_thread(self._journal.revert, entry)
                return problem
        except Refused as error:
            return f"Nothing was changed: {error}."
        except OSError as error:
            return f"Nothing was changed: the journal could not be written ({error.strerror or error})."
        return ""

    async def _write_editor(
        self,
        apply_edit: ApplyEdit,
        review_id: str,
        changes: Sequence[_Write],
        label: str,
        undoes: tuple[str, ...],
    ) -> str:
        images = [image for change in changes for image in change.images()]
        on_disk = await asyncio.to_thread(self._closed_texts, changes)
        entry = await asyncio.to_thread(self._journal.begin, review_id, images, "editor", undoes)
        done: bool | None = None
        why = "the editor did not apply the edit"
        try:
            done = await apply_edit([change.operation() for change in changes], label or "Lido")
        except Refused as error:
            done, why = False, str(error)
        finally:
            # Where the wait was cancelled nobody knows what the editor did; as "done" it can be undone.
            state: Literal["done", "failed"] = "failed" if done is False else "done"
            entry = replace(entry, unsure=done is None or any(change.confirm for change in changes))
            await asyncio.shield(asyncio.to_thread(self._journal.finish, entry, state))
        if done:
            for change in changes:
                # Where the person was asked, only what is seen in the text counts as applied.
                if change.path in on_disk and change.after is not None and not change.confirm:
                    self._unsaved[change.path] = (on_disk[change.path], change.after)
            return ""
        return await self._restore_partly(apply_edit, changes, why)

    async def _restore_partly(self, apply_edit: ApplyEdit, changes: Sequence[_Write], why: str) -> str:
        """The editor refused. Some apply what they can before they stop: that is taken back."""
        back: list[_Write] = []
        for change in changes:
            try:
                now = await asyncio.to_thread(self._workspace.read, change.path)
            except Refused:
                continue
            if now == change.after != change.before and change.new_path is None:
                hunks = diff.hunks(change.after or "", change.before or "")
                edits = tuple(Edit(h.start, h.end, h.new) for h in hunks) if change.before is not None else ()
                back.append(
                    _Write(change.path, change.after, change.before, edits, ("Restore",) * len(edits))
                )
        if not back:
            return f"Nothing was changed: {why}."
        try:
            restored = await apply_edit([change.operation() for change in back], "Lido: restore")
        except Refused:
            restored = False
        names = ", ".join(self._workspace.name(Path(change.path)) for change in back)
        if restored:
            return f"Nothing was changed: {why}; what it had begun in {names} was taken back."
        return f"It was applied only in part ({why}): {names} changed and could not be put back."

    def _closed_texts(self, changes: Sequence[_Write]) -> dict[str, str]:
        """What the disk has of the files among `changes` that are not open."""
        found: dict[str, str] = {}
        for change in changes:
            path = Path(change.path)
            if path.is_absolute() and self._workspace.opened(path) is None:
                data = read_bytes(path)
                if data is not None:
                    found[change.path] = FileText.decode(data).text
        return found

    def _write_disk(self, review_id: str, changes: Sequence[_Write], undoes: Sequence[Entry]) -> Entry:
        images: dict[Path, Image] = {}
        for change in changes:
            path = Path(change.path)
            if not path.is_absolute():
                raise Refused(f"{path} has no file yet, and the editor takes no edits; save it first")
            data = read_bytes(path)
            codec = FileText.decode(data) if data is not None else change.codec
            standing = images[path].after if path in images else data
            if (None if standing is None else FileText.decode(standing).text) != change.before:
                raise Refused(f"{path.name} was changed by something else meanwhile")
            after = None if change.after is None else codec.encode(change.after)
            mode = stat.S_IMODE(path.lstat().st_mode) if data is not None else change.mode
            hunks = (*images[path].hunks, *change.hunks) if path in images else change.hunks
            images[path] = Image(path, data, after, mode, hunks)
            if change.new_path is not None:
                if read_bytes(Path(change.new_path)) is not None:
                    raise Refused(f"{Path(change.new_path).name} exists already")
                moved = codec.encode(change.before or "")
                images[Path(change.new_path)] = Image(Path(change.new_path), None, moved, mode)
        with self._journal.lock(images):
            for path in images:
                if self._workspace.locate(os.fspath(path)) != path:
                    raise Refused(f"{path.name} now leads elsewhere")
            names = tuple(undone.id for undone in undoes)
            entry = self._journal.begin(review_id, tuple(images.values()), "disk", names)
            try:
                self._journal.write(entry)
            except Refused:
                self._journal.finish(entry, "failed")
                raise
            # Before the entry is done: a crash in between rolls the undoing back, folders included.
            remove_folders(folder for undone in undoes for folder in undone.folders)
            return self._journal.finish(entry, "done")

    def _text_now(self, path: str) -> str | None:
        """The document or file as it is, also where the editor holds it unsaved. Raises Refused."""
        text = self._workspace.read(path)
        held = self._unsaved.get(path)
        if held is None:
            return text
        if self._workspace.opened(Path(path)) is None and text == held[0]:
            return held[1]
        del self._unsaved[path]
        return text

    def _synchronised(self, now: Review, wanted: set[str]) -> Review:
        for file in now.files:
            if not any(hunk.id in wanted for hunk in file.hunks) or file.current is None:
                continue
            try:
                text = self._text_now(file.path)
            except Refused:
                continue  # writing will say so
            if text is not None:
                now = review.changed(now, file.path, text)
        return now

    def _plan_undo(self, entries: Sequence[Entry]) -> _UndoPlan:
        """Take the entries back one by one, newest first, in memory."""
        first: dict[str, str | None] = {}
        state: dict[str, str | None] = {}
        codecs: dict[str, tuple[FileText, int | None]] = {}
        failed: dict[str, list[str]] = {}
        for entry in entries:
            for image in entry.images:
                path = os.fspath(image.path)
                if path not in first:
                    try:
                        first[path] = state[path] = self._text_now(path)
                    except Refused as error:
                        failed.setdefault(path, []).append(f"{path} was left as it is: {error}.")
                        continue
                before, after = _text_of(image.before, entry), _text_of(image.after, entry)
                if image.before is not None and entry.mode == "disk":
                    codecs[path] = (FileText.decode(image.before), image.mode)
                state[path], problems = _take_back(path, before, after, state[path])
                if problems:
                    failed.setdefault(path, []).extend(problems)
        changes = []
        for path, text in first.items():
            codec, mode = codecs.get(path, (_UTF8, None))
            after = state[path]
            edits = () if text is None or after is None else diff.hunks(text, after)
            changes.append(
                _Write(
                    path,
                    text,
                    after,
                    tuple(Edit(h.start, h.end, h.new) for h in edits),
                    ("Undo",) * len(edits),
                    codec=codec,
                    mode=mode,
                )
            )
        return _UndoPlan(
            tuple(changes),
            tuple(path for path in first if path not in failed),
            tuple(message for messages in failed.values() for message in messages),
        )

    async def recover(self) -> list[Recovered]:
        """Put back what a crash interrupted. For the start of a server."""
        return await asyncio.to_thread(self._journal.recover)

    def document_changed(self, path: str, text: str, edits: Sequence[Edit] | None = None) -> None:
        """The document at `path` is now `text`: hunks move along."""
        for key, value in self._reviews.items():
            if self._flying is not None and self._flying[0] == key:
                self._flying[1][path] = text  # it may be our own edit; judged when the editor has answered
            else:
                self._reviews[key] = review.changed(value, path, text, edits)


def _new_id() -> str:
    """A UUIDv7 (RFC 9562): sortable by time; also the suggestion id in the event log."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | 0x7 << 76
    value = (value & ~(0x3 << 62)) | 0x2 << 62
    return str(uuid.UUID(int=value))


_UTF8 = FileText("")


@dataclass(frozen=True, slots=True)
class _Write:
    """`path` goes from the text `before` to `after` (None: no file); `edits` are the difference. With
    `new_path` the file moves there."""

    path: str
    before: str | None
    after: str | None
    edits: tuple[Edit, ...] = ()
    labels: tuple[str, ...] = ()
    new_path: str | None = None
    hunks: tuple[str, ...] = ()
    codec: FileText = _UTF8
    mode: int | None = None
    confirm: bool = False

    def images(self) -> list[Image]:
        images = [Image(Path(self.path), _utf8(self.before), _utf8(self.after), None, self.hunks)]
        if self.new_path is not None:
            images.append(Image(Path(self.new_path), None, _utf8(self.before)))
        return images

    def operation(self) -> Operation:
        kind: Literal["edit", "create", "delete", "rename"] = "edit"
        if self.new_path is not None:
            kind = "rename"
        elif self.before is None:
            kind = "create"
        elif self.after is None:
            kind = "delete"
        text = (self.after if self.before is None else self.before) or ""
        edits = self.edits if kind == "edit" else ()
        return Operation(kind, self.path, text, edits, self.labels, self.new_path, self.confirm)


@dataclass(frozen=True, slots=True)
class _UndoPlan:
    changes: tuple[_Write, ...]
    restored: tuple[str, ...]
    failed: tuple[str, ...]


def _utf8(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogatepass")


def _text_of(data: bytes | None, entry: Entry) -> str | None:
    if data is None:
        return None
    return FileText.decode(data).text if entry.mode == "disk" else data.decode("utf-8", "surrogatepass")


def _take_back(
    path: str, before: str | None, after: str | None, now: str | None
) -> tuple[str | None, list[str]]:
    """What `now` becomes when the step `before` → `after` is taken back, and what can't be."""
    if now in (before, after):
        return before, []
    if after is None:
        return now, [f"{path} was deleted by the review and exists again with another text; it was left so."]
    if now is None:
        return None, [f"{path} was deleted meanwhile; it was left so."]
    if before is None:
        return now, [f"{path} was created by the review and changed since; it was kept."]
    merged = diff.merge(after, now, before)
    problems = []
    for conflict in merged.conflicts:
        last = conflict.line + max(1, len(diff.split_lines(conflict.ours)))
        problems.append(f"{path}: lines {conflict.line + 1} to {last} were changed since and were left so.")
    return merged.text, problems


def _outcomes(now: Review, decided: review.Decided, wanted: set[str], problem: str) -> Iterable[Outcome]:
    for file in now.files:
        for old in file.hunks:
            if old.id not in wanted:
                continue
            new = decided.review.hunk(old.id) or old
            message = decided.messages.get(old.id, "")
            if new.state == "accepted" and old.state == "pending" and problem:
                yield Outcome(now.id, old.id, "failed", file.path, old.new, problem)
            elif old.state == new.state == "accepted" or old.state == new.state == "rejected":
                yield Outcome(
                    now.id, old.id, "unchanged", file.path, old.new, message or f"It was {old.state} before."
                )
            elif new.state == "conflict":
                yield Outcome(now.id, old.id, "conflict", file.path, old.new, message)
            elif new.state in ("accepted", "rejected", "undone"):
                yield Outcome(now.id, old.id, new.state, file.path, old.new, message)
    for unknown in wanted - {h.id for f in now.files for h in f.hunks}:
        yield Outcome(now.id, unknown, "failed", "", "", decided.messages[unknown])
