"""The smallest honest LSP client: what `lido try` and the terminal commands drive the real server with.

It keeps documents as an editor does, applies workspace edits (checking versions, all or nothing), and hands
Lido's notifications to callbacks.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, cast

from lsprotocol import converters
from lsprotocol import types as lsp
from pygls import uris
from pygls.lsp._base_client import BaseLanguageClient

import lido
from lido.workspace.documents import Document, Documents

if TYPE_CHECKING:
    from cattrs import Converter

ENCODING = "utf-16"


class EditRefusedError(Exception):
    """A workspace edit that does not fit the documents; nothing of it was applied."""


class Client(BaseLanguageClient):
    """One session with ``lido serve`` as a child process. Use as an async context manager."""

    def __init__(self, root: Path, settings: dict[str, Any] | None = None, name: str = "lido try") -> None:
        super().__init__(name, lido.__version__, converter_factory=_converter)
        self.root = root
        self.settings = settings or {}
        self.documents = Documents()
        self.messages: list[str] = []
        self.edits: list[lsp.WorkspaceEdit] = []
        self.refuse_edits = False
        self.write_edits = True
        """False keeps applied edits in memory alone."""
        self.on_notification: dict[str, Callable[[Any], None]] = {}
        self._partial: dict[str | int, Callable[[Any], None]] = {}
        self._tokens = 0
        self._stderr: asyncio.Task[None] | None = None
        self.errors: list[str] = []
        self._register()

    # ------------------------------------------------------------------ life

    async def __aenter__(self) -> Client:
        await self.start_io(sys.executable, "-m", "lido", "serve", env=os.environ | {"PYTHONUTF8": "1"})
        self._stderr = asyncio.create_task(self._drain())
        result = await self.initialize_async(
            lsp.InitializeParams(
                process_id=os.getpid(),
                client_info=lsp.ClientInfo(self.name, self.version),
                root_uri=self.root.as_uri(),
                workspace_folders=[lsp.WorkspaceFolder(self.root.as_uri(), self.root.name)],
                initialization_options={"lido": self.settings},
                capabilities=capabilities(),
            )
        )
        self.server_capabilities = result.capabilities
        self.initialized(lsp.InitializedParams())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server and self._server.returncode is None:
            try:
                await asyncio.wait_for(self.shutdown_async(None), 10)
                self.exit(None)
                await asyncio.wait_for(self._server.wait(), 10)
            except (TimeoutError, ConnectionError, RuntimeError):
                self._server.kill()
                await self._server.wait()
        await self.stop()
        if self._stderr:
            self._stderr.cancel()

    async def _drain(self) -> None:
        """A full pipe would stop the server."""
        if self._server and self._server.stderr:
            async for line in self._server.stderr:
                self.errors.append(line.decode(errors="replace").rstrip())
                del self.errors[:-50]

    def report_server_error(self, error: Exception, source: Any) -> None:
        self.errors.append(f"{source}: {error}")

    # ------------------------------------------------------------------ what the server asks

    def _register(self) -> None:
        @self.feature(lsp.WINDOW_SHOW_MESSAGE)
        def show_message(params: lsp.ShowMessageParams) -> None:
            self.messages.append(params.message)
            self._notified("window/showMessage", params)

        @self.feature(lsp.WINDOW_LOG_MESSAGE)
        def log_message(params: lsp.LogMessageParams) -> None:
            pass

        @self.feature(lsp.WORKSPACE_APPLY_EDIT)
        def apply_edit(params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
            self.edits.append(params.edit)
            if self.refuse_edits:
                return lsp.ApplyWorkspaceEditResult(applied=False, failure_reason="refused by the person")
            try:
                self.apply(params.edit)
            except (EditRefusedError, OSError) as error:
                return lsp.ApplyWorkspaceEditResult(applied=False, failure_reason=str(error))
            return lsp.ApplyWorkspaceEditResult(applied=True)

        @self.feature(lsp.WORKSPACE_CONFIGURATION)
        def configuration(params: lsp.ConfigurationParams) -> list[Any]:
            return [self.settings if item.section == "lido" else None for item in params.items]

        @self.feature(lsp.WINDOW_WORK_DONE_PROGRESS_CREATE)
        def create_progress(params: lsp.WorkDoneProgressCreateParams) -> None:
            return None

        @self.feature(lsp.CLIENT_REGISTER_CAPABILITY)
        def register(params: lsp.RegistrationParams) -> None:
            return None

        @self.feature(lsp.PROGRESS)
        def progress(params: lsp.ProgressParams) -> None:
            if callback := self._partial.get(params.token):
                callback(params.value)
            self._notified("$/progress", params)

        for method in ("lido/status", "lido/plan/update"):
            self.feature(method)(self._forward(method))

    def _forward(self, method: str) -> Callable[[Any], None]:
        def forward(params: Any) -> None:
            self._notified(method, params)

        return forward

    def _notified(self, method: str, params: Any) -> None:
        if callback := self.on_notification.get(method):
            callback(params)

    # ------------------------------------------------------------------ what a person does

    def open(self, path: Path, language: str) -> Document:
        uri = path.as_uri()
        text = path.read_text(encoding="utf-8")
        document = self.documents.open(uri, language, 0, text, path)
        self.text_document_did_open(
            lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(uri, language, 0, text))
        )
        return document

    def replace(self, uri: str, start: int, end: int, text: str) -> Document:
        """Types: replaces code-point offsets [start, end) and tells the server."""
        before = self.documents.get(uri)
        if before is None:
            raise KeyError(uri)
        span = lsp.Range(
            lsp.Position(*before.position_at(start, ENCODING)),
            lsp.Position(*before.position_at(end, ENCODING)),
        )
        after = self.documents.replace(uri, before.version + 1, [(start, end, text)])
        self.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(after.version, uri),
                [lsp.TextDocumentContentChangePartial(span, text)],
            )
        )
        return after

    async def complete_inline(
        self, uri: str, offset: int, invoked: bool = False
    ) -> list[lsp.InlineCompletionItem]:
        document = self.documents.get(uri)
        if document is None:
            raise KeyError(uri)
        kind = lsp.InlineCompletionTriggerKind
        answer = await self.text_document_inline_completion_async(
            lsp.InlineCompletionParams(
                context=lsp.InlineCompletionContext(kind.Invoked if invoked else kind.Automatic),
                text_document=lsp.TextDocumentIdentifier(uri),
                position=lsp.Position(*document.position_at(offset, ENCODING)),
            )
        )
        return list(answer.items if isinstance(answer, lsp.InlineCompletionList) else answer or [])

    async def accept(self, uri: str, item: lsp.InlineCompletionItem) -> Document:
        """Inserts the item as an editor does on Tab, then runs its command."""
        document = self.documents.get(uri)
        if document is None or item.range is None:
            raise KeyError(uri)
        text = item.insert_text if isinstance(item.insert_text, str) else item.insert_text.value
        after = self.replace(uri, *self._offsets(document, item.range), text)
        if item.command:
            await self.workspace_execute_command_async(
                lsp.ExecuteCommandParams(item.command.command, item.command.arguments)
            )
        return after

    async def ask(
        self, method: str, params: dict[str, Any], on_partial: Callable[[Any], None] | None = None
    ) -> Any:
        """One of Lido's own requests; partial results go to `on_partial` as they come."""
        if on_partial:
            self._tokens += 1
            token = f"partial-{self._tokens}"
            self._partial[token] = on_partial
            params = {**params, "partialResultToken": token}
        return await self.protocol.send_request_async(method, params)

    # ------------------------------------------------------------------ workspace edits

    def _offsets(self, document: Document, span: lsp.Range) -> tuple[int, int]:
        return (
            document.offset_at(span.start.line, span.start.character, ENCODING),
            document.offset_at(span.end.line, span.end.character, ENCODING),
        )

    def apply(self, edit: lsp.WorkspaceEdit) -> None:
        """Applies the whole edit or nothing. Raises EditRefusedError."""
        planned: list[tuple[str, list[tuple[int, int, str]]]] = []
        creates: list[Path] = []
        deletes: list[Path] = []
        renames: list[tuple[Path, Path]] = []
        for change in edit.document_changes or []:
            match change:
                case lsp.TextDocumentEdit():
                    planned.append(self._plan(change, creates))
                case lsp.CreateFile():
                    creates.append(_path(change.uri))
                case lsp.DeleteFile():
                    deletes.append(_path(change.uri))
                case lsp.RenameFile():
                    renames.append((_path(change.old_uri), _path(change.new_uri)))
        for uri, edits in (edit.changes or {}).items():
            identifier = lsp.OptionalVersionedTextDocumentIdentifier(uri)
            planned.append(self._plan(lsp.TextDocumentEdit(identifier, list(edits)), creates))
        for path in creates:
            if self.write_edits:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        for uri, replacements in planned:
            open_document = self.documents.get(uri)
            if open_document:
                for start, end, text in replacements:
                    self.replace(uri, start, end, text)
                after = self.documents.get(uri)
                if self.write_edits and after:
                    _write(_path(uri), after.text)
            elif self.write_edits:
                path = _path(uri)
                text = _read(path)
                for start, end, new in replacements:
                    text = text[:start] + new + text[end:]
                _write(path, text)
        if self.write_edits:
            for old, new_path in renames:
                old.rename(new_path)
            for path in deletes:
                path.unlink()

    def _plan(
        self, edit: lsp.TextDocumentEdit, creates: list[Path]
    ) -> tuple[str, list[tuple[int, int, str]]]:
        """The edit as offset replacements, last first."""
        uri, version = edit.text_document.uri, edit.text_document.version
        document = self.documents.get(uri)
        if document is None:
            path = _path(uri)
            text = "" if path in creates else _read(path)
            document = Documents().open(uri, "", 0, text, path)
        elif version is not None and version != document.version:
            raise EditRefusedError(f"{uri} is at version {document.version}, the edit is for {version}")
        spans = []
        for item in edit.edits:
            if isinstance(item, lsp.SnippetTextEdit):
                raise EditRefusedError("snippets are not supported")
            spans.append((*self._offsets(document, item.range), item.new_text))
        spans.sort(key=lambda span: span[:2], reverse=True)
        for later, earlier in pairwise(spans):
            if earlier[1] > later[0]:
                raise EditRefusedError(f"edits of {uri} overlap")
        return uri, spans


def _converter() -> Converter:
    """lsprotocol's converter, which takes every code action that has a command for a bare command."""
    converter = converters.get_converter()

    def structure(value: dict[str, Any], _: object) -> lsp.Command | lsp.CodeAction:
        kind = lsp.Command if isinstance(value.get("command"), str) else lsp.CodeAction
        return cast("lsp.Command | lsp.CodeAction", converter.structure(value, kind))

    # The Union is the type that lsprotocol registered its own hook for.
    converter.register_structure_hook(Union[lsp.Command, lsp.CodeAction], structure)  # noqa: UP007
    return converter


def _path(uri: str) -> Path:
    return Path(uris.to_fs_path(uri) or "")


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))


def capabilities() -> lsp.ClientCapabilities:
    """What this client can do, said as an editor says it."""
    return lsp.ClientCapabilities(
        general=lsp.GeneralClientCapabilities(position_encodings=[lsp.PositionEncodingKind.Utf16]),
        workspace=lsp.WorkspaceClientCapabilities(
            apply_edit=True,
            configuration=True,
            workspace_folders=True,
            workspace_edit=lsp.WorkspaceEditClientCapabilities(
                document_changes=True,
                resource_operations=[
                    lsp.ResourceOperationKind.Create,
                    lsp.ResourceOperationKind.Rename,
                    lsp.ResourceOperationKind.Delete,
                ],
                failure_handling=lsp.FailureHandlingKind.Transactional,
                change_annotation_support=lsp.ChangeAnnotationsSupportOptions(),
            ),
        ),
        text_document=lsp.TextDocumentClientCapabilities(
            synchronization=lsp.TextDocumentSyncClientCapabilities(),
            inline_completion=lsp.InlineCompletionClientCapabilities(),
        ),
        window=lsp.WindowClientCapabilities(work_done_progress=True),
    )
