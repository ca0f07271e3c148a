"""Reviews through the real server, over stdio, as an editor sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp

from lido.edits.apply import Operation
from lido.edits.hunks import standing
from lido.lsp.review import Abilities, workspace_edit
from lido.workspace.documents import Document, Edit

FULL = Abilities(
    lsp.WorkspaceEditClientCapabilities(
        document_changes=True,
        resource_operations=[lsp.ResourceOperationKind.Create, lsp.ResourceOperationKind.Delete],
        change_annotation_support=lsp.ChangeAnnotationsSupportOptions(),
    )
)
BARE = Abilities(None)


def test_edit_is_bound_to_the_version_and_annotated() -> None:
    text = "a\n😀b\nc\n"
    document = Document.of(text, "file:///w/a.py", "python", 7, Path("/w/a.py"))
    start = text.index("b")
    operation = Operation(
        "edit", "/w/a.py", text, (Edit(start, start + 1, "B"),), ("Change it",), confirm=True
    )
    edit = workspace_edit([operation], {"/w/a.py": document}.get, "utf-16", FULL)
    assert edit.changes is None
    assert edit.document_changes
    assert edit.change_annotations
    change = edit.document_changes[0]
    assert isinstance(change, lsp.TextDocumentEdit)
    assert (change.text_document.uri, change.text_document.version) == ("file:///w/a.py", 7)
    item = change.edits[0]
    assert isinstance(item, lsp.AnnotatedTextEdit)
    assert item.range == lsp.Range(lsp.Position(1, 2), lsp.Position(1, 3))
    told = edit.change_annotations[item.annotation_id]
    assert told.needs_confirmation
    assert told.description == "Change it"


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
def test_positions_are_in_the_clients_encoding(encoding: str, column: int) -> None:
    operation = Operation("edit", "/w/a.py", "😀b", (Edit(1, 2, "B"),))
    edit = workspace_edit([operation], lambda _: None, encoding, BARE)
    assert edit.document_changes is None
    assert edit.changes
    assert edit.changes["file:///w/a.py"][0].range.start == lsp.Position(0, column)


@pytest.mark.parametrize(
    ("now", "made"),
    [
        ("a\nb\nc\nd\n", set()),
        ("A\nb\nc\nd\n", {0}),
        ("a\nb\nd\n", {1}),
        ("A\nb\nd\n!\n", {0, 1, 2}),
        ("a\nb\nc\nd\n!\n", {2}),
        ("something else", {0, 1, 2}),
    ],
)
def test_which_edits_were_made_is_seen_in_the_text(now: str, made: set[int]) -> None:
    before = "a\nb\nc\nd\n"
    edits = [Edit(0, 2, "A\n"), Edit(4, 6, ""), Edit(8, 8, "!\n")]
    assert standing(before, edits, now) == made


def test_creating_a_file_fills_it_in_the_same_edit() -> None:
    edit = workspace_edit([Operation("create", "/w/n.py", "x\n")], lambda _: None, "utf-16", FULL)
    assert edit.document_changes
    create, fill = edit.document_changes
    assert isinstance(create, lsp.CreateFile)
    assert create.options
    assert not create.options.overwrite
    assert isinstance(fill, lsp.TextDocumentEdit)
    assert fill.text_document.version is None


class Editor:
    """A server in this process with the messages it would send, and documents that an editor holds."""

    def __init__(self, root: Path, home: Path, can: lsp.ClientCapabilities) -> None:
        from lido.lsp.features import build
        from lido.settings import Home

        self.server = build()
        self.server.home = Home(home)
        self.server.roots = [root]
        self.root = root
        self.can = can
        self.applied: list[lsp.WorkspaceEdit] = []
        self.shown: list[Any] = []
        self.refuse = ""
        self.left_out: set[str] = set()
        """New texts that the person leaves out where the editor asks first."""
        self.outcomes: list[Any] = []
        self.server.review_listeners[:] = [self.outcomes.append]

    def open(self, name: str) -> Document:
        path = self.root / name
        return self.server.documents.open(path.as_uri(), "python", 1, path.read_text(), path)

    def text(self, name: str) -> str:
        document = self.server.documents.get((self.root / name).as_uri())
        assert document is not None
        return document.text

    def type(self, name: str, start: int, end: int, text: str) -> None:
        uri = (self.root / name).as_uri()
        before = self.server.documents.get(uri)
        assert before is not None
        self.server.documents.replace(uri, before.version + 1, [(start, end, text)])

    async def apply(self, params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
        self.applied.append(params.edit)
        if self.refuse:
            return lsp.ApplyWorkspaceEditResult(False, self.refuse)
        for change in params.edit.document_changes or []:
            assert isinstance(change, lsp.TextDocumentEdit)
            document = self.server.documents.get(change.text_document.uri)
            assert document is not None
            assert document.version == change.text_document.version
            spans = []
            for item in change.edits:
                assert not isinstance(item, lsp.SnippetTextEdit)
                a, b = (
                    document.offset_at(p.line, p.character, "utf-16")
                    for p in (item.range.start, item.range.end)
                )
                assert isinstance(item, lsp.AnnotatedTextEdit)
                assert params.edit.change_annotations
                asks = params.edit.change_annotations[item.annotation_id].needs_confirmation
                if not (asks and item.new_text in self.left_out):
                    spans.append((a, b, item.new_text))
            for a, b, new in sorted(spans, reverse=True):
                self.server.documents.replace(
                    document.uri,
                    (self.server.documents.get(document.uri) or document).version + 1,
                    [(a, b, new)],
                )
        return lsp.ApplyWorkspaceEditResult(True)


def capabilities(own_review: bool = True) -> lsp.ClientCapabilities:
    return lsp.ClientCapabilities(
        workspace=lsp.WorkspaceClientCapabilities(
            apply_edit=True,
            workspace_edit=lsp.WorkspaceEditClientCapabilities(
                document_changes=True, change_annotation_support=lsp.ChangeAnnotationsSupportOptions()
            ),
        ),
        experimental={"lido": {"review": own_review}},
    )


@pytest.fixture
async def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Editor]:
    from lido.lsp.server import LidoServer

    root = tmp_path / "w"
    root.mkdir()
    (root / "a.py").write_text("".join(f"line {n}\n" for n in range(30)))
    can = capabilities()
    monkeypatch.setattr(LidoServer, "client_capabilities", property(lambda self: can))
    monkeypatch.setattr(LidoServer, "encoding", property(lambda self: "utf-16"))
    made = Editor(root, tmp_path / "home", can)
    monkeypatch.setattr(made.server, "workspace_apply_edit_async", made.apply)
    monkeypatch.setattr(made.server, "window_show_message", made.shown.append)
    yield made
    await made.server.close()


async def _review(editor: Editor) -> Any:
    from lido.edits.apply import FileChange

    before = (editor.root / "a.py").read_text()
    after = before.replace("line 3\n", "line three\n").replace("line 20\n", "line twenty\nand more\n")
    return await editor.server.reviews.open([FileChange("a.py", "modify", before, after)], "Spell out")


async def test_accepted_hunk_reaches_the_open_document_and_only_that(editor: Editor) -> None:
    from lido.lsp.review import encode

    editor.open("a.py")
    review = await _review(editor)
    told = encode(editor.server, review)
    first, second = told.files[0].hunks
    assert (first.old_range.start.line, first.old_range.end.line) == (3, 4)
    assert first.new_text == "line three\n"
    outcomes = await editor.server.reviews.decide(review.id, [second.hunk_id], "accept")
    assert [o.kind for o in outcomes] == ["accepted"]
    assert "line twenty\nand more\n" in editor.text("a.py")
    assert "line 3\n" in editor.text("a.py")
    await editor.server.reviews.decide(review.id, [first.hunk_id], "reject")
    states = [h.state for h in encode(editor.server, editor.server.reviews.get(review.id)).files[0].hunks]
    assert states == ["rejected", "accepted"]
    assert [o.kind for o in editor.outcomes] == ["shown", "shown", "accepted", "rejected"]


async def test_hunks_follow_while_the_person_types(editor: Editor) -> None:
    editor.open("a.py")
    review = await _review(editor)
    first, second = review.files[0].hunks
    editor.type("a.py", 0, 0, "new\nlines\n")
    await editor.server.reviews.decide(review.id, [second.id], "accept")
    editor.type("a.py", 0, 4, "")
    await editor.server.reviews.decide(review.id, [first.id], "accept")
    text = editor.text("a.py")
    assert text.startswith("lines\nline 0\n")
    assert "line 2\nline three\nline 4\n" in text
    assert "line 19\nline twenty\nand more\nline 21\n" in text


async def test_a_refused_edit_changes_nothing_and_says_so(editor: Editor) -> None:
    editor.open("a.py")
    before = editor.text("a.py")
    review = await _review(editor)
    editor.refuse = "the person said no"
    outcomes = await editor.server.reviews.decide(review.id, [review.files[0].hunks[0].id], "accept")
    assert outcomes[0].kind == "failed"
    assert "the person said no" in outcomes[0].message
    assert editor.text("a.py") == before
    editor.refuse = ""
    outcomes = await editor.server.reviews.decide(review.id, [review.files[0].hunks[0].id], "accept")
    assert outcomes[0].kind == "accepted"


async def test_what_the_person_leaves_out_in_the_editors_preview_stays_pending(editor: Editor) -> None:
    editor.open("a.py")
    before = editor.text("a.py")
    review = await _review(editor)
    first, second = review.files[0].hunks
    editor.left_out = {first.new}
    outcomes = await editor.server.reviews.decide(review.id, [first.id, second.id], "accept", preview=True)
    assert [(o.hunk_id, o.kind) for o in outcomes] == [(second.id, "accepted")]
    assert "line twenty\n" in editor.text("a.py")
    assert "line 3\n" in editor.text("a.py")
    assert [h.state for h in editor.server.reviews.get(review.id).files[0].hunks] == ["pending", "accepted"]
    editor.left_out = set()
    await editor.server.reviews.decide(review.id, [first.id], "accept")
    assert "line three\n" in editor.text("a.py")
    undone = await editor.server.reviews.undo(review.id)
    assert (undone.failed, editor.text("a.py")) == ((), before)


async def test_a_closed_file_that_is_left_out_in_the_preview_stays_pending(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = await _review(editor)
    ids = [hunk.id for hunk in review.files[0].hunks]

    async def nothing(_params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
        return lsp.ApplyWorkspaceEditResult(True)

    monkeypatch.setattr(editor.server, "workspace_apply_edit_async", nothing)
    assert await editor.server.reviews.decide(review.id, ids, "accept", preview=True) == []
    states = [hunk.state for hunk in editor.server.reviews.get(review.id).files[0].hunks]
    assert states == ["pending", "pending"]


async def test_undo_keeps_what_was_typed_since(editor: Editor) -> None:
    editor.open("a.py")
    before = editor.text("a.py")
    review = await _review(editor)
    await editor.server.reviews.decide(review.id, [h.id for h in review.files[0].hunks], "accept")
    editor.type("a.py", 0, 0, "typed\n")
    undone = await editor.server.reviews.undo(review.id)
    assert undone.failed == ()
    assert editor.text("a.py") == "typed\n" + before
    assert [o.kind for o in editor.outcomes][-2:] == ["undone", "undone"]


async def test_lenses_offer_each_pending_hunk_to_plain_clients(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lido.lsp import review as feature

    editor.open("a.py")
    review = await _review(editor)
    uri = (editor.root / "a.py").as_uri()
    handler = editor.server.protocol.fm.features[lsp.TEXT_DOCUMENT_CODE_LENS]
    params = lsp.CodeLensParams(lsp.TextDocumentIdentifier(uri))
    assert handler(params) == []  # this client draws reviews itself
    monkeypatch.setattr(feature, "has_own_review", lambda _: False)
    lenses = handler(params)
    assert [(lens.range.start.line, lens.command.command) for lens in lenses] == [
        (3, feature.ACCEPT), (3, feature.REJECT), (3, feature.NEXT),
        (20, feature.ACCEPT), (20, feature.REJECT), (20, feature.NEXT),
    ]  # fmt: skip
    accept = editor.server.protocol.fm.commands[feature.ACCEPT]
    await accept(*lenses[3].command.arguments)
    assert "line twenty\n" in editor.text("a.py")
    assert [lens.range.start.line for lens in handler(params)] == [3, 3, 3]
    assert review.files
