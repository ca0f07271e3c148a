"""Reviews in an editor that knows nothing of Lido, and reviews that outlive the server: the real server over
stdio, a real client."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Union

import pytest
from lsprotocol import types as lsp
from pygls import uris
from pytest_lsp import ClientServerConfig, LanguageClient
from pytest_lsp.client import make_test_lsp_client

from lido.workspace.documents import Document, Documents

BEFORE = "".join(f"line {n}\n" for n in range(1, 31))
BLOCK = """\
<<<<<<< SEARCH
line 3
=======
line three
>>>>>>> REPLACE
<<<<<<< SEARCH
line 20
=======
line twenty
and more
>>>>>>> REPLACE
<<<<<<< SEARCH
line 27
line 28
=======
line 27
inserted
line 28
>>>>>>> REPLACE
"""


def capabilities(
    *, shows: bool = True, own: bool = False, asks: bool = False, snippets: bool = False
) -> lsp.ClientCapabilities:
    return lsp.ClientCapabilities(
        workspace=lsp.WorkspaceClientCapabilities(
            apply_edit=True,
            workspace_edit=lsp.WorkspaceEditClientCapabilities(
                document_changes=True,
                resource_operations=list(lsp.ResourceOperationKind),
                change_annotation_support=lsp.ChangeAnnotationsSupportOptions() if asks else None,
                snippet_edit_support=snippets,
            ),
        ),
        window=lsp.WindowClientCapabilities(show_document=lsp.ShowDocumentClientCapabilities(shows)),
        experimental={"lido": {"review": own}},
    )


class Editor:
    """Holds documents, applies edits without saving, and answers questions with `answer`."""

    def __init__(self, client: LanguageClient, root: Path) -> None:
        self.client = client
        self.root = root
        self.documents = Documents()
        self.answer = ""
        """What is chosen when asked; "": the message is closed."""
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.shown: asyncio.Queue[lsp.ShowDocumentParams] = asyncio.Queue()
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self.applied: list[lsp.WorkspaceEdit] = []
        self.showing = True
        self.confirms = True
        """Whether the person takes what the editor asks about first."""
        features = client.protocol.fm.features

        def replace(method: str, handler: Callable[[Any], Any]) -> None:
            features.pop(method, None)
            client.feature(method)(handler)

        replace(lsp.WORKSPACE_APPLY_EDIT, lambda params: self.apply(params))
        replace(lsp.WINDOW_SHOW_MESSAGE_REQUEST, lambda params: self.choose(params))
        replace(lsp.WINDOW_SHOW_DOCUMENT, lambda params: self.show(params))
        replace(lsp.WINDOW_SHOW_MESSAGE, lambda params: self.told.put_nowait(params.message))
        client.feature("lido/status")(lambda _: None)

    def choose(self, params: lsp.ShowMessageRequestParams) -> lsp.MessageActionItem | None:
        self.asked.put_nowait(params.message)
        return next((a for a in params.actions or [] if a.title == self.answer), None)

    def show(self, params: lsp.ShowDocumentParams) -> lsp.ShowDocumentResult:
        self.shown.put_nowait(params)
        return lsp.ShowDocumentResult(self.showing)

    def apply(self, params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
        self.applied.append(params.edit)
        for change in params.edit.document_changes or []:
            identifiers = {getattr(change, "annotation_id", None)} | {
                getattr(edit, "annotation_id", None) for edit in getattr(change, "edits", ())
            }
            if not self.confirms and any(
                annotation.needs_confirmation
                for name, annotation in (params.edit.change_annotations or {}).items()
                if name in identifiers
            ):
                continue
            if isinstance(change, lsp.CreateFile):
                Path(uris.to_fs_path(change.uri) or "").touch()
                continue
            if isinstance(change, lsp.DeleteFile):
                Path(uris.to_fs_path(change.uri) or "").unlink()
                continue
            assert isinstance(change, lsp.TextDocumentEdit)
            uri = change.text_document.uri
            document = self.documents.get(uri)
            if document is None:
                path = Path(uris.to_fs_path(uri) or "")
                path.write_text("".join(edit.new_text for edit in change.edits) + path.read_text())
                continue
            assert change.text_document.version in (None, document.version)
            for edit in sorted(change.edits, key=lambda e: e.range.start, reverse=True):
                start, end = (
                    document.offset_at(p.line, p.character, "utf-16")
                    for p in (edit.range.start, edit.range.end)
                )
                self.replace(uri, start, end, edit.new_text)
        return lsp.ApplyWorkspaceEditResult(applied=True)

    def open(self, name: str = "a.txt", uri: str = "", text: str = "") -> str:
        path = None if uri else self.root / name
        uri, text = uri or path.as_uri(), text if path is None else path.read_text()  # type: ignore[union-attr]
        self.documents.open(uri, "python", 1, text, path)
        item = lsp.TextDocumentItem(uri, "python", 1, text)
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        return uri

    def replace(self, uri: str, start: int, end: int, text: str) -> None:
        before = self.document(uri)
        span = lsp.Range(*(lsp.Position(*before.position_at(at, "utf-16")) for at in (start, end)))
        after = self.documents.replace(uri, before.version + 1, [(start, end, text)])
        self.client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(after.version, uri),
                [lsp.TextDocumentContentChangePartial(span, text)],
            )
        )

    def swap(self, uri: str, old: str, new: str) -> None:
        start = self.text(uri).index(old)
        self.replace(uri, start, start + len(old), new)

    def document(self, uri: str) -> Document:
        found = self.documents.get(uri)
        assert found is not None
        return found

    def text(self, uri: str) -> str:
        return self.document(uri).text

    async def propose(self, uri: str, text: str = BLOCK) -> str:
        answer = await self.client.protocol.send_request_async("lido/chat/apply", {"uri": uri, "text": text})
        return str(answer.reviewId)

    async def run(self, command: str, *arguments: Any) -> Any:
        return await self.client.workspace_execute_command_async(
            lsp.ExecuteCommandParams(command, list(arguments))
        )

    async def lenses(self, uri: str) -> list[lsp.CodeLens]:
        params = lsp.CodeLensParams(lsp.TextDocumentIdentifier(uri))
        return list(await self.client.text_document_code_lens_async(params) or [])

    async def ask(self, method: str, params: Any) -> Any:
        return await self.client.protocol.send_request_async(method, params)

    async def until(self, queue: asyncio.Queue[Any]) -> Any:
        return await asyncio.wait_for(queue.get(), 20)


Start = Callable[..., Awaitable[Editor]]


def client_with_actions() -> LanguageClient:
    """pytest-lsp's client, whose converter takes every code action that has a command for a bare command."""
    client = make_test_lsp_client()
    converter = client.protocol._converter

    def structure(value: dict[str, Any], _: object) -> Any:
        bare = isinstance(value.get("command"), str)
        return converter.structure(value, lsp.Command if bare else lsp.CodeAction)

    converter.register_structure_hook(Union[lsp.Command, lsp.CodeAction], structure)  # noqa: UP007
    return client


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a server and an editor on the same project and the same home, as often as called."""
    root, home = tmp_path / "project", tmp_path / "home"
    root.mkdir()
    (root / "a.txt").write_text(BEFORE)
    clients: list[LanguageClient] = []

    async def begin(**can: bool) -> Editor:
        config = ClientServerConfig(
            server_command=[sys.executable, "-m", "lido", "serve"],
            client_factory=client_with_actions,
            server_env={**os.environ, "LIDO_HOME": str(home)},
        )
        client = await config.start()
        assert isinstance(client, LanguageClient)
        clients.append(client)
        editor = Editor(client, root)
        await client.initialize_session(
            lsp.InitializeParams(
                capabilities=capabilities(**can),
                workspace_folders=[lsp.WorkspaceFolder(root.as_uri(), "project")],
            )
        )
        return editor

    yield begin
    for client in clients:
        if not client.stopped:
            await client.shutdown_session()
            await client.stop()


async def killed(editor: Editor) -> None:
    """SIGKILL, and gone."""
    process = editor.client._server
    assert process is not None
    process.kill()
    await process.wait()
    await editor.client.stop()


# ---------------------------------------------------------------- the offer


async def test_an_offer_shows_the_diff_and_then_the_first_change(start: Start) -> None:
    editor = await start()
    editor.answer = "Show the changes"
    uri = editor.open()
    await editor.propose(uri)
    assert "3 changes in 1 file" in await editor.until(editor.asked)
    diff, first = await editor.until(editor.shown), await editor.until(editor.shown)
    path = Path(uris.to_fs_path(diff.uri) or "")
    text = path.read_text()
    assert "--- a/a.txt\n+++ b/a.txt\n" in text
    assert "-line 3\n+line three\n" in text
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (first.uri, first.selection) == (uri, lsp.Range(lsp.Position(2, 0), lsp.Position(2, 0)))


@pytest.mark.parametrize("able", [True, False], ids=["refuses", "cannot"])
async def test_an_editor_that_shows_nothing_says_where_to_look(start: Start, able: bool) -> None:
    editor = await start(shows=able)
    editor.showing = False
    editor.answer = "Show the changes"
    await editor.propose(editor.open())
    said = await editor.until(editor.told)
    assert said.startswith("Lido: the diff is in ")
    assert Path(said.removeprefix("Lido: the diff is in ").removesuffix(".")).read_text()
    assert await editor.until(editor.told) == "Lido: the next change is in a.txt, line 3."
    assert editor.shown.qsize() == (2 if able else 0)


async def test_everything_is_accepted_or_rejected_from_the_offer_itself(start: Start) -> None:
    editor = await start()
    uri = editor.open()
    editor.answer = "Reject all"
    review = await editor.propose(uri)
    await editor.until(editor.asked)
    editor.answer = "Accept all"
    await editor.propose(uri)
    await editor.until(editor.asked)
    while not editor.applied:
        await editor.ask("lido/review/get", {"reviewId": review})
    assert "line three\n" in editor.text(uri)
    assert "inserted\n" in editor.text(uri)
    states = {
        h.state for f in (await editor.ask("lido/review/get", {"reviewId": review})).files for h in f.hunks
    }
    assert states == {"rejected"}


async def test_a_closed_offer_leaves_all_to_the_lenses(start: Start) -> None:
    editor = await start()
    uri = editor.open()
    await editor.propose(uri)
    await editor.until(editor.asked)
    lenses = await editor.lenses(uri)
    assert [lens.range.start.line for lens in lenses] == [2, 2, 2, 19, 19, 19, 27, 27, 27]
    assert editor.text(uri) == BEFORE
    command = lenses[3].command
    assert command is not None
    await editor.run(command.command, *command.arguments or [])
    assert "line twenty\nand more\n" in editor.text(uri)
    assert [lens.range.start.line for lens in await editor.lenses(uri)] == [2, 2, 2, 28, 28, 28]


async def test_an_editor_without_lenses_decides_by_code_actions_on_the_lines(start: Start) -> None:
    editor = await start()
    uri = editor.open()
    await editor.propose(uri)

    async def offered(line: int) -> dict[str, lsp.CodeAction]:
        at = lsp.Position(line, 2)
        params = lsp.CodeActionParams(
            lsp.TextDocumentIdentifier(uri), lsp.Range(at, at), lsp.CodeActionContext([])
        )
        answer = await editor.client.text_document_code_action_async(params)
        return {a.title: a for a in answer or [] if isinstance(a, lsp.CodeAction)}

    found = await offered(2)
    assert list(found) == [
        "Lido: accept “Change 1 line at line 3: line three”",
        "Lido: reject “Change 1 line at line 3: line three”",
        "Lido: next “Change 1 line at line 3: line three”",
    ]
    assert "Lido: explain this" in await offered(5)
    accept = next(iter(found.values())).command
    assert accept is not None
    await editor.run(accept.command, *accept.arguments or [])
    assert "line three\n" in editor.text(uri)
    assert "Lido: explain this" in await offered(2)
    assert "Lido: accept “Add 1 line at line 28: inserted”" in await offered(27)
    own = await start(own=True)
    await own.propose(own.open())
    params = lsp.CodeActionParams(
        lsp.TextDocumentIdentifier(uri),
        lsp.Range(lsp.Position(2, 0), lsp.Position(2, 0)),
        lsp.CodeActionContext([]),
    )
    answer = await own.client.text_document_code_action_async(params)
    assert not [a for a in answer or [] if a.title.startswith("Lido: accept")]


# ---------------------------------------------------------------- what is asked first

MADE = """\
*** Begin Patch
*** Add File: new.txt
+hello
*** Delete File: old.txt
*** Update File: a.txt
@@
-line 3
+line three
*** End Patch
"""


def asked_about(edit: lsp.WorkspaceEdit) -> dict[str, bool]:
    """Description of each annotation → whether it needs confirmation."""
    return {a.description or "": bool(a.needs_confirmation) for a in (edit.change_annotations or {}).values()}


async def test_files_made_and_deleted_are_asked_about_where_all_is_accepted_at_once(start: Start) -> None:
    editor = await start(asks=True)
    (editor.root / "old.txt").write_text("old\n")
    uri = editor.open()
    review = await editor.propose(uri, MADE)
    editor.confirms = False
    await editor.run("lido.review.acceptAll", review)
    assert asked_about(editor.applied[0]) == {
        "Create the file (1 lines)": True,
        "Delete the file": True,
        "Change 1 line at line 3: line three": False,
    }
    assert "line three\n" in editor.text(uri)
    assert sorted(path.name for path in editor.root.iterdir()) == ["a.txt", "old.txt"]
    (shown,) = await editor.ask("lido/review/list", {})
    states = {Path(f["uri"]).name: f["hunks"][0]["state"] for f in shown["files"]}
    assert states == {"new.txt": "pending", "old.txt": "pending", "a.txt": "accepted"}
    editor.confirms = True
    await editor.run("lido.review.acceptAll", review)
    assert {path.name: path.read_text() for path in editor.root.iterdir()} == {
        "a.txt": BEFORE,  # not saved
        "new.txt": "hello\n",
    }


async def test_a_place_that_was_found_by_likeness_is_asked_about_and_one_change_alone_is_not(
    start: Start,
) -> None:
    editor = await start(asks=True)
    (editor.root / "b.py").write_text(
        "def first():\n    alpha = compute_total(prices, 3)\n    beta = alpha * quantity\n    return beta\n"
    )
    uri = editor.open("b.py")
    block = (
        "<<<<<<< SEARCH\ndef first():\n    alpha = compute_totals(prices, 3)\n    beta = alpha * quantity\n"
        "    return beta\n=======\ndef first():\n    alpha = compute_totals(prices, 3)\n"
        "    beta = alpha * quantity\n    return beta + 1\n>>>>>>> REPLACE\n"
    )
    review = await editor.propose(uri, block)
    await editor.run("lido.review.acceptAll", review)
    ((said, asks),) = asked_about(editor.applied[0]).items()
    assert said.endswith("(found by similarity, not word for word)")
    assert asks
    await editor.ask("lido/review/undo", {"reviewId": review})
    review = await editor.propose(uri, block)
    command = (await editor.lenses(uri))[0].command
    assert command is not None
    await editor.run(command.command, *command.arguments or [])
    assert list(asked_about(editor.applied[-1]).values()) == [False]


async def test_an_editor_without_annotations_is_asked_nothing(start: Start) -> None:
    editor = await start()
    (editor.root / "old.txt").write_text("old\n")
    review = await editor.propose(editor.open(), MADE)
    await editor.run("lido.review.acceptAll", review)
    (edit,) = editor.applied
    assert edit.change_annotations is None
    assert sorted(path.name for path in editor.root.iterdir()) == ["a.txt", "new.txt"]


@pytest.mark.parametrize("snippets", [True, False])
async def test_a_comment_that_says_what_to_do_is_begun_with_a_placeholder(
    start: Start, snippets: bool
) -> None:
    editor = await start(snippets=snippets)
    (editor.root / "b.py").write_text("def f():\n    return 1\n")
    uri = editor.open("b.py")
    params = lsp.CodeActionParams(
        lsp.TextDocumentIdentifier(uri),
        lsp.Range(lsp.Position(1, 6), lsp.Position(1, 6)),
        lsp.CodeActionContext([]),
    )
    found = await editor.client.text_document_code_action_async(params)
    action = next(a for a in found or [] if a.title == "Lido: say here what to do")
    assert isinstance(action, lsp.CodeAction)
    assert action.edit
    assert action.edit.document_changes
    change = action.edit.document_changes[0]
    assert isinstance(change, lsp.TextDocumentEdit)
    assert change.text_document.version == 1
    (edit,) = change.edits
    assert edit.range == lsp.Range(lsp.Position(1, 0), lsp.Position(1, 0))
    if snippets:
        assert isinstance(edit, lsp.SnippetTextEdit)
        assert edit.snippet == lsp.StringValue("    # Lido: ${1:what to do}\n")
        return
    assert isinstance(edit, lsp.TextEdit)
    editor.apply(lsp.ApplyWorkspaceEditParams(action.edit))
    assert editor.text(uri) == "def f():\n    # Lido: \n    return 1\n"
    editor.swap(uri, "# Lido: ", "# Lido: return 2")
    found = await editor.client.text_document_code_action_async(params)
    assert "Lido: do “return 2”" in [a.title for a in found or []]


# ---------------------------------------------------------------- conflicts


async def test_both_texts_of_a_conflict_are_shown_and_either_can_be_had(start: Start) -> None:
    editor = await start()
    uri = editor.open()
    review = await editor.propose(uri)
    editor.swap(uri, "line 3\n", "my own line\n")
    editor.swap(uri, "line 20\n", "mine, too\n")
    lenses = await editor.lenses(uri)
    titles = [lens.command.title for lens in lenses if lens.command and lens.range.start.line == 2]
    assert titles == ["Lido: changed meanwhile — show both", "take proposed", "drop", "next"]
    by_title = {lens.command.title: lens.command for lens in lenses if lens.command}  # of the last conflict
    show, take = lenses[0].command, by_title["take proposed"]
    assert show is not None
    await editor.run(show.command, *show.arguments or [])
    diff = await editor.until(editor.shown)
    text = Path(uris.to_fs_path(diff.uri) or "").read_text()
    assert "a.txt, line 3: changed meanwhile" in text
    assert "-my own line\n+line three\n" in text
    assert "-mine, too\n+line twenty\n+and more\n" in text
    assert "+inserted\n" in text
    # An ordinary accept never takes what is in conflict.
    await editor.run("lido.review.acceptAll", review)
    assert "my own line\n" in editor.text(uri)
    assert "inserted\n" in editor.text(uri)
    await editor.run(take.command, *take.arguments or [])
    assert "mine, too\n" not in editor.text(uri)
    assert "line 19\nline twenty\nand more\nline 21\n" in editor.text(uri)
    drop = next(
        lens.command for lens in await editor.lenses(uri) if lens.command and lens.command.title == "drop"
    )
    await editor.run(drop.command, *drop.arguments or [])
    assert await editor.lenses(uri) == []
    assert "my own line\n" in editor.text(uri)
    await editor.run("lido.review.undo", review)
    assert editor.text(uri) == BEFORE.replace("line 3\n", "my own line\n").replace("line 20\n", "mine, too\n")


# ---------------------------------------------------------------- after the server's death


async def test_what_is_undecided_is_offered_again_after_a_crash(start: Start, tmp_path: Path) -> None:
    editor = await start()
    uri = editor.open()
    review = await editor.propose(uri)
    await editor.until(editor.asked)
    accept = (await editor.lenses(uri))[0].command
    assert accept is not None
    await editor.run(accept.command, *accept.arguments or [])
    assert "line three\n" in editor.text(uri)
    await killed(editor)
    kept = list((tmp_path / "home" / "reviews").glob("*.json"))
    assert [path.stem for path in kept] == [review]
    if os.name != "nt":
        assert stat.S_IMODE(kept[0].stat().st_mode) == 0o600
    # The person saved, and someone else wrote to the file meanwhile.
    text = editor.text(uri).replace("line 20\n", "not line 20\n")
    (editor.root / "a.txt").write_text("first\n" + text)

    again = await start()
    assert (
        await again.until(again.asked)
        == "Lido: 2 changes in 1 file are still undecided: Code from chat for a.txt"
    )
    uri = again.open()
    lenses = await again.lenses(uri)
    titles = [(lens.range.start.line, lens.command.title) for lens in lenses if lens.command]
    assert titles[:2] == [(20, "Lido: changed meanwhile — show both"), (20, "take proposed")]
    assert titles[4][0] == 28
    again.swap(uri, "not line 20\n", "line 20\n")
    (found,) = await again.ask("lido/review/list", {})
    assert found["reviewId"] == review
    states = [hunk["state"] for file in found["files"] for hunk in file["hunks"]]
    assert states == ["accepted", "pending", "pending"]
    await again.run("lido.review.acceptAll", review)
    expected = BEFORE.replace("line 3\n", "line three\n").replace("line 20\n", "line twenty\nand more\n")
    assert again.text(uri) == "first\n" + expected.replace("line 28\n", "inserted\nline 28\n")
    assert await again.ask("lido/review/list", {}) == []
    assert not list((tmp_path / "home" / "reviews").iterdir())
    await again.ask("lido/review/undo", {"reviewId": review})
    assert again.text(uri) == "first\n" + BEFORE  # what was applied before the crash, too


async def test_what_was_accepted_as_the_server_died_is_not_offered_again(
    start: Start, tmp_path: Path
) -> None:
    """The editor has the edit, the review on disk does not know it yet: what counts is the text."""
    editor = await start()
    uri = editor.open()
    review = await editor.propose(uri)
    (kept,) = (tmp_path / "home" / "reviews").glob("*.json")
    undecided = kept.read_bytes()
    (shown,) = (await editor.ask("lido/review/get", {"reviewId": review})).files
    ids = [hunk.hunkId for hunk in shown.hunks]
    await editor.ask("lido/review/decide", {"reviewId": review, "hunkIds": ids[1:], "decision": "accept"})
    await killed(editor)
    kept.write_bytes(undecided)
    (editor.root / "a.txt").write_text(editor.text(uri))
    again = await start(own=True)
    (found,) = await again.ask("lido/review/list", {})
    assert [h["state"] for f in found["files"] for h in f["hunks"]] == ["pending", "accepted", "accepted"]


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
async def test_a_server_that_dies_before_the_editor_answers_finds_out_later(
    start: Start, applied: bool
) -> None:
    editor = await start()
    uri = editor.open()
    review = await editor.propose(uri)
    process = editor.client._server
    assert process is not None

    def dies(params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
        if applied:
            editor.apply(params)
        process.kill()
        return lsp.ApplyWorkspaceEditResult(applied)

    del editor.client.protocol.fm.features[lsp.WORKSPACE_APPLY_EDIT]
    editor.client.feature(lsp.WORKSPACE_APPLY_EDIT)(dies)
    accept = (await editor.lenses(uri))[3].command  # of the second hunk
    assert accept is not None
    answer = asyncio.ensure_future(editor.run(accept.command, *accept.arguments or []))
    await process.wait()
    answer.cancel()
    await editor.client.stop()
    (editor.root / "a.txt").write_text(editor.text(uri))
    again = await start()
    uri = again.open()
    await again.until(again.asked)
    (found,) = await again.ask("lido/review/list", {})
    states = [h["state"] for f in found["files"] for h in f["hunks"]]
    assert states == ["pending", "accepted" if applied else "pending", "pending"]
    await again.run("lido.review.acceptAll", review)
    assert "line 19\nline twenty\nand more\nline 21\n" in again.text(uri)
    await again.ask("lido/review/undo", {"reviewId": review})
    assert again.text(uri) == BEFORE


async def test_a_review_that_another_server_has_open_is_left_to_it(start: Start) -> None:
    first = await start(own=True)
    review = await first.propose(first.open())
    second = await start(own=True)
    assert await second.ask("lido/review/list", {}) == []
    await first.client.shutdown_async(None)  # not gone yet: an editor does not wait for that
    third = await start(own=True)
    assert [each["reviewId"] for each in await third.ask("lido/review/list", {})] == [review]
    first.client.exit(None)
    await first.client.stop()


# ---------------------------------------------------------------- documents without a file


async def test_a_document_that_was_never_saved_is_edited_in_the_editor_alone(
    start: Start, tmp_path: Path
) -> None:
    editor = await start()
    uri = editor.open(uri="untitled:Untitled-1", text=BEFORE)
    review = await editor.propose(uri)
    lenses = await editor.lenses(uri)
    assert [lens.range.start.line for lens in lenses[::3]] == [2, 19, 27]
    editor.swap(uri, "line 1\n", "line 0\nline 1\n")
    await editor.run("lido.review.acceptAll", review)
    (edit,) = editor.applied
    assert edit.document_changes
    assert isinstance(edit.document_changes[0], lsp.TextDocumentEdit)
    assert edit.document_changes[0].text_document.uri == uri
    assert "line twenty\nand more\n" in editor.text(uri)
    undone = await editor.ask("lido/review/undo", {"reviewId": review})
    assert (undone.restored, undone.failed) == ([uri], [])
    assert editor.text(uri) == "line 0\n" + BEFORE
    assert sorted(path.name for path in editor.root.iterdir()) == ["a.txt"]
    assert not list((tmp_path / "home" / "reviews").glob("*"))  # nothing to come back to
