"""Chat in any editor, without a plugin: a ``*.lido.md`` document is a conversation. The command
``lido.chat.document`` (argument: the document's URI) answers its last question at its end, as edits that
move along while the person types; the same command stops it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from lido.lsp.server import RequestFailed

if TYPE_CHECKING:
    from lido.lsp.server import LidoServer
    from lido.workspace.documents import Document, Edit

COMMAND = "lido.chat.document"


def register(server: LidoServer) -> None:
    running: dict[str, asyncio.Task[None]] = {}

    @server.command(COMMAND)
    async def ask(uri: str) -> None:
        from lido.chat import notebook

        await server.configured.wait()
        if (task := running.get(uri)) is not None:
            task.cancel()
            return
        document = server.documents.get(uri)
        if document is None:
            raise RequestFailed("Open the document first.")
        found = notebook.read(document.text)
        if not found.ends_with_question:
            raise RequestFailed(f"Write a question at the end, below a line `{notebook.QUESTION}`.")
        folder = document.path.parent if document.path else (server.roots or [Path.cwd()])[0]
        root = server.roots[0] if server.roots else folder
        attached = notebook.attachments(found.turns[-1][1], folder, root)
        if far := notebook.outside(attached, server.roots or [folder]):
            raise RequestFailed(f"{far.name} is outside the workspace; link only what is in it.")
        writer = _Writer(server, document)
        task = server.spawn(_answer(server, writer, found.turns, attached), f"chat in {uri}")
        running[uri] = task
        writer.task = task

        def ended(_: Any) -> None:
            running.pop(uri, None)
            writer.close()

        task.add_done_callback(ended)

    def actions(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        from lido.chat.notebook import SUFFIX

        uri = params.text_document.uri
        if not uri.endswith(SUFFIX):
            return []
        title = "Stop the answer" if uri in running else "Ask Lido"
        return [
            lsp.CodeAction(
                title, kind=lsp.CodeActionKind.Empty, command=lsp.Command(title, COMMAND, arguments=[uri])
            )
        ]

    server.code_actions.append(actions)


async def _answer(server: LidoServer, writer: _Writer, turns: Sequence[Any], attached: Sequence[Any]) -> None:
    """Streams the answer into the document."""
    from lido.chat import notebook
    from lido.models.base import ModelError

    await writer.write(f"\n\n{notebook.ANSWER}\n\n")
    end = f"\n\n{notebook.QUESTION}\n\n"
    try:
        async with aclosing(server.chat.reply(turns, attached)) as pieces:
            async for piece in pieces:
                if isinstance(piece, str):
                    writer.put(piece)
                else:
                    end = "".join(f"\n\n> {note}" for note in piece.notes) + end
    except ModelError as error:
        end = f"\n\n> {error}{end}"
    except asyncio.CancelledError:
        end = f"\n\n> Stopped.{end}"
        if not writer.lost:
            await asyncio.shield(writer.finish(end))
        raise
    await writer.finish(end)


class _Writer:
    """Appends text at a place in a document that moves along with the person's edits. One edit is under way
    at a time; what comes meanwhile goes with the next."""

    def __init__(self, server: LidoServer, document: Document) -> None:
        self._server = server
        self._uri = document.uri
        self._at = len(document.text.rstrip())
        self._waiting: list[str] = []
        self._flushing: asyncio.Task[None] | None = None
        self._sent = ""
        self._landed = asyncio.Event()
        self.lost = False
        """The person removed the place; nothing more is written."""
        self.task: asyncio.Task[None] | None = None
        self._open = True
        server.documents.listen(self._changed)

    def close(self) -> None:
        self._open = False

    def put(self, text: str) -> None:
        """Queues text; does not wait."""
        self._waiting.append(text)
        if self._flushing is None or self._flushing.done():
            self._flushing = self._server.spawn(self._flush(), "chat document")

    async def write(self, text: str) -> None:
        self.put(text)
        if self._flushing:
            await self._flushing

    async def finish(self, text: str) -> None:
        await self.write(text)
        while self._waiting and not self.lost:
            await self.write("")

    async def _flush(self) -> None:
        refused = 0
        while self._waiting and not self.lost:
            document = self._server.documents.get(self._uri)
            if document is None:
                self.lost = True
                break
            taken = len(self._waiting)
            text = self._sent = "".join(self._waiting)
            self._landed.clear()
            if not text:
                self._waiting.clear()
                break
            place = self._server.position(document, self._at)
            edit = lsp.TextDocumentEdit(
                lsp.OptionalVersionedTextDocumentIdentifier(self._uri, document.version),
                [lsp.TextEdit(lsp.Range(place, place), text)],
            )
            answer = await self._server.workspace_apply_edit_async(
                lsp.ApplyWorkspaceEditParams(lsp.WorkspaceEdit(document_changes=[edit]), "Lido's answer")
            )
            if answer.applied:
                refused = 0
                del self._waiting[:taken]
                # The editor's own report of it may come after its answer; only then is the place known.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._landed.wait(), 5)
            else:
                # The person typed meanwhile; with the new version the place is known again.
                refused += 1
                if refused > 20:
                    self.lost = True
                await asyncio.sleep(0.05 * refused)
        if self.lost and self.task:
            self.task.cancel()

    def _changed(self, before: Document, after: Document, edits: Sequence[Edit]) -> None:
        if not self._open or after.uri != self._uri:
            return
        for start, end, text in edits:
            mine = start == end == self._at and text.replace("\r\n", "\n") == self._sent
            if mine:
                self._sent = ""
                self._landed.set()
            if start < self._at < end:
                self.lost = True
            elif end < self._at or (end == self._at and (mine or start < end)):
                self._at += len(text) - (end - start)
            # else it is behind the place, or typed exactly there: the person's text follows the answer
