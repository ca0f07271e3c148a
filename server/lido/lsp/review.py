"""``lido/review/…``, and review in editors without a client of ours: code lenses, a diff, commands.

Edits leave as one ``WorkspaceEdit``: versioned ``documentChanges`` with change annotations where the client
has them, plain ``changes`` where it has not.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from lido.lsp import messages as m
from lido.lsp.server import RequestFailed, to_uri
from lido.workspace.documents import Document

if TYPE_CHECKING:
    from lido.edits.apply import Operation, Outcome, Reviews
    from lido.edits.review import Decision, Review, ReviewFile, ReviewHunk
    from lido.lsp.server import LidoServer

ACCEPT = "lido.review.accept"
REJECT = "lido.review.reject"
NEXT = "lido.review.next"
ACCEPT_ALL = "lido.review.acceptAll"
REJECT_ALL = "lido.review.rejectAll"
UNDO = "lido.review.undo"
TAKE = "lido.review.take"
"""Of a hunk in conflict: the proposed text in place of what stands there now."""
SHOW = "lido.review.show"


def register(server: LidoServer) -> None:
    feature = _Feature(server)

    @server.own("lido/review/list")
    async def undecided(_params: m.ReviewList) -> list[Any]:
        if server.recovering is not None:
            await asyncio.wait([server.recovering])
        return [review.encode() for review in await feature.undecided()]

    @server.own("lido/review/get")
    async def get(params: m.ReviewRef) -> m.Review:
        feature.get(params.review_id)
        _catch_up(server)
        return await asyncio.to_thread(encode, server, feature.get(params.review_id))

    @server.own("lido/review/decide")
    async def decide(params: m.ReviewDecide) -> m.ReviewDecided:
        feature.get(params.review_id)
        return await feature.decide(
            params.review_id, params.hunk_ids, params.decision, preview=params.preview
        )

    @server.own("lido/review/undo")
    async def undo(params: m.ReviewRef) -> m.ReviewUndone:
        return await feature.undo(params.review_id)

    @server.feature(lsp.TEXT_DOCUMENT_CODE_LENS, lsp.CodeLensOptions(resolve_provider=False))
    def code_lens(params: lsp.CodeLensParams) -> list[lsp.CodeLens]:
        return feature.lenses(params.text_document.uri)

    server.code_actions.append(feature.actions)

    @server.feature(lsp.SHUTDOWN)
    def shutdown(_params: None) -> None:
        """An editor starts the next server as soon as this is answered; that one takes up the reviews."""
        reviews: Reviews | None = server.__dict__.get("reviews")
        if reviews is not None:
            reviews.close()

    @server.command(ACCEPT)
    async def accept(review_id: str, *hunk_ids: str) -> Any:
        return await feature.command(review_id, hunk_ids, "accept")

    @server.command(REJECT)
    async def reject(review_id: str, *hunk_ids: str) -> Any:
        return await feature.command(review_id, hunk_ids, "reject")

    @server.command(ACCEPT_ALL)
    async def accept_all(review_id: str) -> Any:
        return await feature.command(review_id, feature.pending(review_id), "accept", careful=True)

    @server.command(REJECT_ALL)
    async def reject_all(review_id: str) -> Any:
        return await feature.command(review_id, feature.pending(review_id), "reject")

    @server.command(TAKE)
    async def take(review_id: str, *hunk_ids: str) -> Any:
        return await feature.command(review_id, hunk_ids, "accept", take=True)

    @server.command(NEXT)
    async def next_hunk(review_id: str, *hunk_id: str) -> None:
        await feature.next(review_id, hunk_id[0] if hunk_id else None)

    @server.command(SHOW)
    async def show(review_id: str, *_hunk_ids: str) -> None:
        await feature.show_diff(review_id)

    @server.command(UNDO)
    async def undo_command(review_id: str) -> Any:
        undone = await feature.undo(review_id)
        if undone.failed:
            server.window_show_message(
                lsp.ShowMessageParams(lsp.MessageType.Warning, "Lido: " + " ".join(undone.failed))
            )
        return undone.encode()

    def document_changed(before: Document, after: Document, edits: Sequence[Any]) -> None:
        reviews: Reviews | None = server.__dict__.get("reviews")
        if reviews is not None and (path := place(after)) is not None and reviews.concerns(path):
            reviews.document_changed(path, after.text, edits)

    server.documents.listen(document_changed)


def make(server: LidoServer) -> Reviews:
    """The session's reviews: they reach the editor by ``workspace/applyEdit``."""
    from lido.edits.apply import Reviews
    from lido.edits.files import Refused
    from lido.edits.journal import Journal
    from lido.edits.shelf import Shelf

    async def apply_edit(operations: Sequence[Operation], label: str) -> bool:
        known = abilities(server.client_capabilities)
        edit = await _in_thread(server, operations, label)
        # As a refactoring, editors that save what a refactoring touched save this, too.
        metadata = lsp.WorkspaceEditMetadata(is_refactoring=True) if known.metadata else None
        result = await server.workspace_apply_edit_async(lsp.ApplyWorkspaceEditParams(edit, label, metadata))
        if not result.applied and result.failure_reason:
            raise Refused(f"the editor refused it ({result.failure_reason})")
        return result.applied

    def editor_can(kind: str) -> bool:
        if kind == "edit":
            return True
        known = abilities(server.client_capabilities)
        return known.document_changes and kind in known.operations

    def opened(review: Review) -> None:
        if not has_own_review(server):
            server.spawn(_offer(server, review), "offer review")

    def outcome_of(outcome: Outcome) -> None:
        for listener in server.review_listeners:
            listener(outcome)

    workspace = server.client_capabilities.workspace
    can_apply = bool(workspace and workspace.apply_edit)
    return Reviews(
        server.files,
        Journal(server.home.journal),
        apply_edit if can_apply else None,
        outcome_of,
        editor_can,
        opened,
        Shelf(_shelf(server)),
    )


def _shelf(server: LidoServer) -> Path:
    return server.home.root / "reviews"


async def recover(server: LidoServer) -> None:
    """Puts back what a crash interrupted, and takes up what was left undecided. Costs nothing where there is
    neither."""
    if await asyncio.to_thread(server.home.journal.is_dir):
        await _recover_edits(server)
    await server.configured.wait()
    if not await asyncio.to_thread(lambda: any(_shelf(server).glob("*.json"))):
        return
    for review in await server.reviews.restore():
        if not has_own_review(server):  # others ask by lido/review/list
            server.spawn(_offer(server, review, again=True), "offer review again")


async def _recover_edits(server: LidoServer) -> None:
    from lido.edits.journal import Journal

    journal = Journal(server.home.journal)
    for found in await asyncio.to_thread(journal.recover):
        if found.restored:
            names = ", ".join(path.name for path in found.restored)
            server.tell(f"Lido: a crash interrupted an edit; {names} were put back as they were before.")
        for problem in found.problems:
            server.tell(f"Lido: a crash interrupted an edit. {problem}", lsp.MessageType.Warning)
    await asyncio.to_thread(journal.prune)


# ---------------------------------------------------------------- our messages


def real(path: Path) -> str:
    return os.path.realpath(path)


def place(document: Document) -> str | None:
    """What reviews call a document: its real path, or its URI where it was never saved. None for what edits
    do not reach: notebooks' cells, remote files."""
    if document.uri.startswith("untitled:"):
        return os.fspath(Path(document.uri))
    if document.path is None or not document.uri.startswith("file:"):
        return None
    return real(document.path)


def _open_at(server: LidoServer) -> dict[str, Document]:
    return {path: d for d in server.documents.open_documents() if (path := place(d)) is not None}


def _uri(server: LidoServer, path: str) -> str:
    """As the editor calls it, where it has it open."""
    document = _open_at(server).get(path)
    return document.uri if document else to_uri(path)


def _catch_up(server: LidoServer) -> None:
    """A document may have been opened with another text than the file had when its review was made."""
    for path, document in _open_at(server).items():
        if server.reviews.concerns(path):
            server.reviews.document_changed(path, document.text)


def encode(server: LidoServer, review: Review) -> m.Review:
    return m.Review(
        review_id=review.id, title=review.title, files=[_file(server, file) for file in review.files]
    )


def _file(server: LidoServer, file: ReviewFile) -> m.ReviewFile:
    uri = _uri(server, file.path)
    text = Document.of(file.current or "")
    return m.ReviewFile(
        uri=uri,
        kind=file.kind,
        new_uri=to_uri(file.new_path) if file.new_path else None,
        hunks=[_hunk(server, uri, text, hunk) for hunk in file.hunks],
    )


def _hunk(server: LidoServer, uri: str, text: Document, hunk: ReviewHunk) -> m.ReviewHunk:
    span = server.range(text, hunk.start, hunk.end)
    return m.ReviewHunk(
        hunk_id=hunk.id,
        uri=uri,
        old_range=m.Range(
            start=m.Position(line=span.start.line, character=span.start.character),
            end=m.Position(line=span.end.line, character=span.end.character),
        ),
        new_text=hunk.new,
        state=hunk.state,
        description=hunk.description,
        conflict_text=hunk.conflict_text,
    )


# ---------------------------------------------------------------- WorkspaceEdit


class Abilities:
    """What a client's ``workspace.workspaceEdit`` capability comes to."""

    def __init__(self, edit: lsp.WorkspaceEditClientCapabilities | None) -> None:
        self.document_changes = bool(edit and edit.document_changes)
        self.annotations = bool(edit and edit.change_annotation_support is not None)
        self.metadata = bool(edit and edit.metadata_support)
        self.snippets = bool(edit and edit.snippet_edit_support)
        self.operations = {
            str(getattr(kind, "value", kind)) for kind in (edit.resource_operations if edit else None) or ()
        }


def abilities(client: lsp.ClientCapabilities) -> Abilities:
    return Abilities(client.workspace.workspace_edit if client.workspace else None)


async def _in_thread(server: LidoServer, operations: Sequence[Operation], label: str) -> lsp.WorkspaceEdit:
    from lido.edits.files import Refused

    snapshots = _open_at(server)
    for operation in operations:
        document = snapshots.get(operation.path)
        if document is not None and operation.kind == "edit" and document.text != operation.text:
            raise Refused("the document changed meanwhile")
    known = abilities(server.client_capabilities)
    return await asyncio.to_thread(workspace_edit, operations, snapshots.get, server.encoding, known, label)


def workspace_edit(
    operations: Sequence[Operation],
    document: Callable[[str], Document | None],
    encoding: str,
    client: Abilities,
    label: str = "Lido",
) -> lsp.WorkspaceEdit:
    """One edit for the client. `document(path)` is the open snapshot, whose version the edit is bound to;
    positions are in `encoding`. Where an operation is to be confirmed, clients with annotations ask first.

    Create, rename and delete need ``documentChanges``; callers keep them away from clients without.
    """
    changes: list[lsp.TextDocumentEdit | lsp.CreateFile | lsp.RenameFile | lsp.DeleteFile] = []
    plain: dict[str, list[lsp.TextEdit]] = {}
    annotations: dict[str, lsp.ChangeAnnotation] = {}
    annotated = client.document_changes and client.annotations

    def annotation(description: str, confirm: bool) -> str | None:
        if not annotated:
            return None
        identifier = f"lido-{len(annotations)}"
        annotations[identifier] = lsp.ChangeAnnotation(label, confirm or None, description[:200] or None)
        return identifier

    for operation in operations:
        snapshot = document(operation.path)
        uri = snapshot.uri if snapshot else to_uri(operation.path)
        described = operation.descriptions[0] if operation.descriptions else ""
        match operation.kind:
            case "edit":
                text = snapshot or Document.of(operation.text, uri)
                edits: list[Any] = []
                for n, edit in enumerate(operation.edits):
                    span = lsp.Range(
                        lsp.Position(*text.position_at(edit.start, encoding)),
                        lsp.Position(*text.position_at(edit.end, encoding)),
                    )
                    told = operation.descriptions[n] if n < len(operation.descriptions) else ""
                    identifier = annotation(told, operation.confirm)
                    edits.append(
                        lsp.TextEdit(span, edit.text)
                        if identifier is None
                        else lsp.AnnotatedTextEdit(identifier, span, edit.text)
                    )
                if client.document_changes:
                    version = snapshot.version if snapshot else None
                    target = lsp.OptionalVersionedTextDocumentIdentifier(uri, version)
                    changes.append(lsp.TextDocumentEdit(target, edits))
                else:
                    plain[uri] = edits
            case "create":
                options = lsp.CreateFileOptions(overwrite=False, ignore_if_exists=False)
                identifier = annotation(described, operation.confirm)
                changes.append(lsp.CreateFile(uri, options=options, annotation_id=identifier))
                if operation.text:
                    start = lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
                    target = lsp.OptionalVersionedTextDocumentIdentifier(uri, None)
                    # As one: whoever leaves out the file leaves out its text.
                    fill = (
                        lsp.TextEdit(start, operation.text)
                        if identifier is None
                        else lsp.AnnotatedTextEdit(identifier, start, operation.text)
                    )
                    changes.append(lsp.TextDocumentEdit(target, [fill]))
            case "delete":
                identifier = annotation(described, operation.confirm)
                changes.append(lsp.DeleteFile(uri, annotation_id=identifier))
            case "rename":
                new_uri = to_uri(operation.new_path or "")
                keep = lsp.RenameFileOptions(overwrite=False, ignore_if_exists=False)
                identifier = annotation(described, operation.confirm)
                changes.append(lsp.RenameFile(uri, new_uri, options=keep, annotation_id=identifier))
    if client.document_changes:
        return lsp.WorkspaceEdit(document_changes=changes, change_annotations=annotations or None)
    return lsp.WorkspaceEdit(changes=plain)


# ---------------------------------------------------------------- editors without a client of ours


def has_own_review(server: LidoServer) -> bool:
    """Clients that draw reviews themselves say so: ``experimental.lido.review``."""
    return _own(server, "review", False)


def shows_questions(server: LidoServer) -> bool:
    """Clients that ask a plan's questions themselves say so: ``experimental.lido.plan``, or by showing
    reviews."""
    return _own(server, "plan", has_own_review(server))


def trusted(server: LidoServer) -> bool:
    """Editors in which a person trusts each workspace or not say which: ``experimental.lido.trusted``. Where
    not, the repository's own settings are not read and no command runs."""
    return _own(server, "trusted", True)


def tells_diagnostics(server: LidoServer) -> bool:
    """Clients that answer ``lido/diagnostics`` say so: ``experimental.lido.diagnostics``."""
    return _own(server, "diagnostics", False)


def _own(server: LidoServer, name: str, default: bool) -> bool:
    own = server.client_capabilities.experimental
    section = own.get("lido") if isinstance(own, dict) else getattr(own, "lido", None)
    found = section.get(name) if isinstance(section, dict) else getattr(section, name, None)
    return default if found is None else bool(found)


class _Feature:
    def __init__(self, server: LidoServer) -> None:
        self._server = server

    def get(self, review_id: str) -> Review:
        from lido.edits.apply import UnknownReviewError

        try:
            return self._server.reviews.get(review_id)
        except UnknownReviewError:
            raise RequestFailed("There is no such review in this session.") from None

    async def undecided(self) -> list[m.Review]:
        reviews: Reviews | None = self._server.__dict__.get("reviews")
        if reviews is None:
            return []
        _catch_up(self._server)
        found = [review for review in reviews.all() if review.open]
        return await asyncio.to_thread(lambda: [encode(self._server, review) for review in found])

    def pending(self, review_id: str) -> list[str]:
        review = self.get(review_id)
        return [hunk.id for file in review.files for hunk in file.hunks if hunk.state == "pending"]

    async def decide(
        self,
        review_id: str,
        hunk_ids: Sequence[str],
        decision: Decision,
        *,
        preview: bool = False,
        careful: bool = False,
        take: bool = False,
    ) -> m.ReviewDecided:
        known = abilities(self._server.client_capabilities)
        careful = careful and known.document_changes and known.annotations
        outcomes = await self._server.reviews.decide(
            review_id, hunk_ids, decision, preview=preview, careful=careful, take=take
        )
        review = self.get(review_id)
        result = []
        for outcome in outcomes:
            hunk = review.hunk(outcome.hunk_id)
            state: m.HunkState = "failed" if outcome.kind == "failed" or hunk is None else hunk.state
            result.append(
                m.HunkOutcome(hunk_id=outcome.hunk_id, state=state, message=outcome.message or None)
            )
        self._refresh()
        return m.ReviewDecided(hunks=result)

    async def undo(self, review_id: str) -> m.ReviewUndone:
        undone = await self._server.reviews.undo(review_id)
        self._refresh()
        return m.ReviewUndone(
            restored=[_uri(self._server, path) for path in undone.restored], failed=list(undone.failed)
        )

    async def command(
        self,
        review_id: str,
        hunk_ids: Sequence[str],
        decision: Decision,
        *,
        careful: bool = False,
        take: bool = False,
    ) -> Any:
        """Decides for a person who sees no answer: what went wrong is shown."""
        self.get(review_id)
        decided = await self.decide(review_id, hunk_ids, decision, careful=careful, take=take)
        problems = {h.message for h in decided.hunks if h.message and h.state in ("failed", "conflict")}
        if problems:
            self._server.window_show_message(
                lsp.ShowMessageParams(lsp.MessageType.Warning, "Lido: " + " ".join(sorted(problems)))
            )
        return decided.encode()

    def _refresh(self) -> None:
        workspace = self._server.client_capabilities.workspace
        if workspace and workspace.code_lens and workspace.code_lens.refresh_support:
            self._server.spawn(self._server.workspace_code_lens_refresh_async(None), "refresh lenses")

    def lenses(self, uri: str) -> list[lsp.CodeLens]:
        found: list[lsp.CodeLens] = []
        for review, hunk, (line, _) in self._undecided(uri):
            span = lsp.Range(lsp.Position(line, 0), lsp.Position(line, 0))
            for title, command in self._choices(hunk):
                what = lsp.Command(title, command, arguments=[review.id, hunk.id])
                found.append(lsp.CodeLens(span, command=what))
        return found

    def actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        """The same choices on the changes' lines, for the many editors that show no lenses."""
        first, last = params.range.start.line, params.range.end.line
        found: list[lsp.CodeAction] = []
        for review, hunk, (begin, end) in self._undecided(params.text_document.uri):
            if begin > last or end < first:
                continue
            for title, command in self._choices(hunk):
                title = title if title.startswith("Lido: ") else f"Lido: {title} “{hunk.description}”"
                what = lsp.Command(title, command, arguments=[review.id, hunk.id])
                kind = lsp.CodeActionKind.RefactorRewrite
                found.append(lsp.CodeAction(title, kind=kind, command=what))
        return found

    def _undecided(self, uri: str) -> Iterator[tuple[Review, ReviewHunk, tuple[int, int]]]:
        """The undecided hunks of a document, with their first and last lines; none for clients that draw
        reviews themselves."""
        document = self._server.document(uri)
        reviews: Reviews | None = self._server.__dict__.get("reviews")
        path = place(document) if document is not None else None
        if document is None or path is None or reviews is None or has_own_review(self._server):
            return
        if reviews.concerns(path):
            reviews.document_changed(path, document.text)
        for review in reviews.all():
            for hunk in (hunk for file in review.files if file.path == path for hunk in file.hunks):
                if hunk.state in ("pending", "conflict"):
                    first = document.line_at(min(hunk.start, document.length))
                    last = document.line_at(min(max(hunk.start, hunk.end - 1), document.length))
                    yield review, hunk, (first, last)

    @staticmethod
    def _choices(hunk: ReviewHunk) -> list[tuple[str, str]]:
        if hunk.state == "conflict":
            return [
                ("Lido: changed meanwhile — show both", SHOW),
                ("take proposed", TAKE),
                ("drop", REJECT),
                ("next", NEXT),
            ]
        return [(f"Lido: accept “{hunk.description}”", ACCEPT), ("reject", REJECT), ("next", NEXT)]

    async def next(self, review_id: str, after: str | None) -> None:
        """Shows the next undecided hunk, after the last the first again."""
        review = self.get(review_id)
        hunks = [(file, hunk) for file in review.files for hunk in file.hunks]
        at = next((n + 1 for n, (_, hunk) in enumerate(hunks) if hunk.id == after), 0)
        order = [*hunks[at:], *hunks[:at]]
        found = next(((f, h) for f, h in order if h.state in ("pending", "conflict")), None)
        if found is None:
            self._server.window_show_message(
                lsp.ShowMessageParams(lsp.MessageType.Info, "Lido: everything in this review is decided.")
            )
            return
        file, hunk = found
        if file.kind == "create":
            await self.show_diff(review_id)
            return
        span = self._server.range(Document.of(file.current or ""), hunk.start, hunk.start)
        name = self._server.files.name(Path(file.path))
        await _show(
            self._server,
            lsp.ShowDocumentParams(_uri(self._server, file.path), take_focus=True, selection=span),
            f"the next change is in {name}, line {span.start.line + 1}",
        )

    async def show_diff(self, review_id: str) -> None:
        await show_diff(self._server, self.get(review_id))


async def _show(server: LidoServer, params: lsp.ShowDocumentParams, otherwise: str) -> None:
    """Shows a document; says where to look in an editor that does not do that when asked, or won't."""
    window = server.client_capabilities.window
    if window and window.show_document and window.show_document.support:
        shown = await server.window_show_document_async(params)
        if shown is not None and shown.success:
            return
    server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Info, f"Lido: {otherwise}."))


async def show_diff(server: LidoServer, review: Review) -> None:
    """Opens what is undecided as a unified diff, a file in Lido's own folder."""

    def write() -> Path:
        import tempfile

        folder = server.home.cache / "reviews"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)  # nobody else's to read
        with os.fdopen(handle, "wb") as file:
            file.write(as_diff(review, lambda path: server.files.name(Path(path))).encode("utf-8", "replace"))
        return Path(name).replace(folder / f"{review.id}.diff")

    path = await asyncio.to_thread(write)
    await _show(server, lsp.ShowDocumentParams(to_uri(path), take_focus=True), f"the diff is in {path}")


def as_diff(review: Review, name: Callable[[str], str]) -> str:
    """What is undecided, as a unified diff. `name(path)` is what people call a file.

    Hunks in conflict come after the others of their file, each under a line that says so: what stands there
    now with "-", what is proposed with "+".
    """
    from lido.edits.hunks import apply_edits, unified_diff
    from lido.edits.review import taking
    from lido.workspace.documents import Edit

    parts = [f"{review.title}\n\n"] if review.title else []
    for file in review.files:
        called, before = name(file.path), file.current or ""
        pending = [h for h in file.hunks if h.state == "pending"]
        if file.new_path and any(h.whole for h in pending):
            parts.append(f"rename from {called}\nrename to {name(file.new_path)}\n")
        parts.append(unified_diff(called, before, apply_edits(before, [Edit(*_span(h)) for h in pending])))
        for hunk in file.hunks:
            if hunk.state != "conflict":
                continue
            edit = taking(file, hunk)
            line = before.count("\n", 0, edit.start) + 1
            parts.append(
                f"\n{called}, line {line}: changed meanwhile, so this is not applied unless you say so "
                "(-: now, +: proposed).\n"
            )
            both = unified_diff(called, before, apply_edits(before, [edit]))
            parts.append(both or "Both texts are the same by now.\n")
    return "".join(parts)


def _span(hunk: ReviewHunk) -> tuple[int, int, str]:
    return hunk.start, hunk.end, hunk.new


async def _offer(server: LidoServer, review: Review, again: bool = False) -> None:
    """Asks, in an editor that knows nothing of reviews, what to do with a new one, or with one that was left
    undecided when the server ended."""
    counts = [sum(h.state in ("pending", "conflict") for h in file.hunks) for file in review.files]
    count, files = sum(counts), sum(map(bool, counts))
    choices = ("Show the changes", "Accept all", "Reject all")
    what = f"{count} change{'s' * (count != 1)} in {files} file{'s' * (files != 1)}"
    said = f"{what} {'are' if count != 1 else 'is'} still undecided" if again else f"Lido proposes {what}"
    answer = await server.window_show_message_request_async(
        lsp.ShowMessageRequestParams(
            lsp.MessageType.Info,
            f"{'Lido: ' if again else ''}{said}: {review.title}",
            [lsp.MessageActionItem(choice) for choice in choices],
        )
    )
    feature = _Feature(server)
    feature._refresh()
    if answer is None:
        return
    if answer.title == choices[0]:
        await show_diff(server, review)
        await feature.next(review.id, None)
    elif answer.title in choices:
        decision: Decision = "accept" if answer.title == choices[1] else "reject"
        await feature.command(review.id, feature.pending(review.id), decision, careful=True)
