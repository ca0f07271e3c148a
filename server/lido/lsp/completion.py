"""Inline completion, its fallback as a completion list, and what became of each suggestion."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams

from lido.lsp import copilot
from lido.workspace.documents import column

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from lido.completion.engine import Completer, Suggestion, Trigger
    from lido.lsp.messages import CompletionOutcome
    from lido.lsp.server import LidoServer
    from lido.workspace.documents import Document
    from lido.workspace.index import Index
    from lido.workspace.recent import Recent

ACCEPTED = "lido.completion.accepted"
SEEN_AFTER = 0.75
"""Seconds after which a suggestion counts as shown where the editor does not say so itself."""

log = logging.getLogger(__name__)


def make(server: LidoServer) -> Completer:
    """The service, following the session's documents, with an index for each workspace root."""
    from lido.completion.cache import Cache
    from lido.completion.context import Elsewhere
    from lido.completion.engine import Completer
    from lido.workspace.index import shared
    from lido.workspace.recent import Recent

    indexes: dict[Path, Index] = {}

    def present() -> list[Index]:
        """The index of each root; each is brought up to date when that was a minute ago."""
        for root in server.roots:
            if root not in indexes:
                indexes[root] = shared(server.home.cache, root, server.settings.privacy.ignore)
        return [indexes[root] for root in server.roots if root in indexes]

    def refresh() -> None:
        for index in present():
            index.refresh(older_than=60)

    name = hashlib.sha256("\n".join(map(str, server.roots)).encode()).hexdigest()[:16]

    def files_changed() -> None:
        for index in present():
            index.refresh(older_than=5)

    server.file_listeners.append(files_changed)
    recent = Recent()
    elsewhere = Elsewhere(
        present,
        lambda: _latest_first(server, recent),
        recent.edits,
        server.files.name,
        server.privacy.blocked,
    )
    completer = Completer(
        server.models,
        server.tracker,
        lambda: server.settings.completion,
        lambda path: server.privacy.blocked(path),
        server.files.name,
        elsewhere,
        server.project,
        Cache(server.home.cache / "completions" / f"{name}.jsonl"),
        around=server.notebooks.around,
        on_request=refresh,
        on_close=lambda: [index.close() for index in indexes.values()],
    )
    server.documents.listen(recent.changed)
    server.documents.listen(completer.document_changed)
    server.documents.on_close(recent.closed)
    server.documents.on_close(lambda document: completer.document_closed(document.uri))
    return completer


def _latest_first(server: LidoServer, recent: Recent) -> list[Document]:
    used = recent.used()
    documents = server.documents.open_documents()
    order = {uri: place for place, uri in enumerate(used)}
    return sorted(documents, key=lambda document: order.get(document.uri, len(used)))


def register(server: LidoServer) -> None:
    converter = server.protocol._converter
    explicit: set[str] = set()
    """Methods by which this editor has said what was shown: then nothing is guessed."""
    warmed: list[bool] = []

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def first_keystroke(params: lsp.DidChangeTextDocumentParams) -> None:
        """The engine loads while the person still types; reading alone starts nothing."""
        if not warmed and server.configured.is_set() and server.settings.completion.enabled:
            warmed.append(True)
            server.spawn(server.models.warm_up("completion"), "warm up")

    @server.feature(lsp.TEXT_DOCUMENT_INLINE_COMPLETION, lsp.InlineCompletionOptions())
    async def inline_completion(params: lsp.InlineCompletionParams) -> lsp.InlineCompletionList:
        document = server.document(params.text_document.uri)
        if document is None:
            return lsp.InlineCompletionList([])
        offset = server.offset(document, params.position)
        invoked = params.context.trigger_kind == lsp.InlineCompletionTriggerKind.Invoked
        info = params.context.selected_completion_info
        selected = None
        if info is not None:
            start, end = server.offset(document, info.range.start), server.offset(document, info.range.end)
            selected = (start, end, info.text)
        found = await suggest(document, offset, "invoked" if invoked else "automatic", selected)
        return lsp.InlineCompletionList([item(document, suggestion) for suggestion in found])

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(resolve_provider=False))
    async def completion(params: lsp.CompletionParams) -> lsp.CompletionList:
        await server.configured.wait()
        document = server.document(params.text_document.uri)
        if document is None or not wanted_as_items():
            return lsp.CompletionList(is_incomplete=False, items=[])
        offset = server.offset(document, params.position)
        invoked = params.context is None or params.context.trigger_kind == lsp.CompletionTriggerKind.Invoked
        found = await suggest(document, offset, "invoked" if invoked else "automatic", None)
        items = [list_item(document, suggestion, offset) for suggestion in found]
        return lsp.CompletionList(is_incomplete=True, items=items)

    @server.command(ACCEPTED)
    async def accepted(identifier: str) -> None:
        server.tracker.accepted(identifier)
        await server.tracker.flush()

    @server.own("lido/completion/shown")
    def shown(params: CompletionOutcome) -> None:
        explicit.add("shown")
        server.tracker.shown(params.id)

    @server.own("lido/completion/partiallyAccepted")
    def partially_accepted(params: CompletionOutcome) -> None:
        partly(params.id, params.accepted_length or 0, server.encoding)

    @server.own("lido/completion/dismissed")
    def dismissed(params: CompletionOutcome) -> None:
        server.tracker.rejected(params.id, params.reason or "dismissed")

    # Copilot's clients say the same in their own words.

    @server.feature("textDocument/didShowCompletion")
    def did_show(params: Any) -> None:
        explicit.add("shown")
        server.tracker.shown(copilot_id(params))

    @server.feature("textDocument/didPartiallyAcceptCompletion")
    def did_partially_accept(params: Any) -> None:
        length = params.get("acceptedLength", 0) if isinstance(params, dict) else 0
        partly(copilot_id(params), length if isinstance(length, int) else 0, "utf-16")

    @server.feature("textDocument/copilotPanelCompletion")
    async def panel_completion(params: Any) -> dict[str, Any]:
        document, offset = where(params)
        if document is None:
            return {"items": []}
        found = await suggest(document, offset, "invoked", None, several=True)
        return {"items": [converter.unstructure(item(document, suggestion)) for suggestion in found]}

    @server.feature("textDocument/copilotInlineEdit")
    async def inline_edit(params: Any) -> dict[str, Any]:
        from lido.models.base import ModelError

        await server.configured.wait()
        document, offset = where(params)
        if document is None:
            return {"edits": []}
        try:
            found = await server.completer.next_edits(document, offset)
        except ModelError as error:
            server.model_failed(error, tell=False)
            return {"edits": []}
        return {
            "edits": [
                {
                    "uuid": identifier,
                    "text": edit.text,
                    "range": converter.unstructure(server.range(edit.document, edit.start, edit.end)),
                    "textDocument": {"uri": edit.document.uri, "version": edit.document.version},
                    "command": {"title": "Accepted", "command": ACCEPTED, "arguments": [identifier]},
                }
                for identifier, edit in found
                if server.document(edit.document.uri) is edit.document
            ]
        }

    @server.feature("textDocument/didShowInlineEdit")
    def did_show_edit(params: Any) -> None:
        server.tracker.shown(copilot_id(params))

    @server.feature("textDocument/didFocus")
    def did_focus(params: Any) -> None:
        return None

    @server.feature("checkStatus")
    def check_status(params: Any) -> dict[str, str]:
        return {"status": "OK", "user": "lido"}

    @server.feature("signIn")
    def sign_in(params: Any) -> dict[str, str]:
        return {"status": "AlreadySignedIn", "user": "lido"}

    def by_copilot(document: Document, offset: int, *, several: bool) -> Awaitable[list[Suggestion]]:
        return suggest(document, offset, "invoked" if several else "automatic", None, several=several)

    def copilot_shown(identifier: str) -> None:
        explicit.add("shown")
        server.tracker.shown(identifier)

    copilot.register(server, by_copilot, copilot_shown, lambda *said: partly(*said))

    def where(params: Any) -> tuple[Document | None, int]:
        """The document and the offset in a Copilot client's message."""
        try:
            document = server.document(str(params["textDocument"]["uri"]))
            line, character = int(params["position"]["line"]), int(params["position"]["character"])
        except (KeyError, TypeError, ValueError):
            raise JsonRpcInvalidParams("textDocument.uri and position are needed") from None
        return document, server.offset(document, lsp.Position(line, character)) if document else 0

    def partly(identifier: str, length: int, encoding: str) -> None:
        """`length` in code units of `encoding`."""
        text = server.tracker.text(identifier)
        server.tracker.partially_accepted(identifier, column(text, length, encoding))

    def wanted_as_items() -> bool:
        chosen = server.settings.completion.as_completion_items
        if chosen is not None:
            return chosen
        able = server.client_capabilities.text_document
        return not (able and able.inline_completion)

    def reads_markdown() -> bool:
        """Kate and ALE would show the fences of a code block."""
        able = server.client_capabilities.text_document
        item = able.completion.completion_item if able and able.completion else None
        return bool(item and lsp.MarkupKind.Markdown in (item.documentation_format or []))

    async def suggest(
        document: Document,
        offset: int,
        trigger: Trigger,
        selected: tuple[int, int, str] | None,
        *,
        several: bool = False,
    ) -> list[Suggestion]:
        from lido.models.base import ModelError

        await server.configured.wait()
        try:
            found = await server.completer.complete(document, offset, trigger, selected, several=several)
        except ModelError as error:
            server.model_failed(error, tell=trigger == "invoked")
            return []
        if found and not explicit:
            asyncio.get_running_loop().call_later(SEEN_AFTER, seen, document, found[0].id)
        return found

    def seen(document: Document, identifier: str) -> None:
        if not explicit and server.document(document.uri) is document:
            server.tracker.shown(identifier)

    def item(document: Document, suggestion: Suggestion) -> lsp.InlineCompletionItem:
        return lsp.InlineCompletionItem(
            insert_text=suggestion.text,
            filter_text=suggestion.text,
            range=server.range(document, suggestion.start, suggestion.end),
            command=lsp.Command("Accepted", ACCEPTED, arguments=[suggestion.id]),
        )

    def list_item(document: Document, suggestion: Suggestion, offset: int) -> lsp.CompletionItem:
        """A whole line in the list, the way people read it: what they have typed, then what would come."""
        line = document.line_at(offset)
        typed = document.slice(document.line_start(line), offset)
        word = typed[len(typed.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")) :]
        first = suggestion.text.split("\n", 1)[0]
        shown = f"{typed.strip()}{suggestion.text}"
        documentation = lsp.MarkupContent(lsp.MarkupKind.PlainText, shown)
        if reads_markdown():
            documentation = lsp.MarkupContent(
                lsp.MarkupKind.Markdown, f"```{document.language}\n{shown}\n```"
            )
        return lsp.CompletionItem(
            label=(word + first).strip() or "…",
            label_details=lsp.CompletionItemLabelDetails(description="Lido"),
            kind=lsp.CompletionItemKind.Text,
            detail="Lido",
            documentation=documentation,
            filter_text=word + first,
            sort_text="~",
            text_edit=lsp.TextEdit(
                server.range(document, offset - len(word), offset), word + suggestion.text
            ),
            command=lsp.Command("Accepted", ACCEPTED, arguments=[suggestion.id]),
        )


def copilot_id(params: Any) -> str:
    """The suggestion in a Copilot client's message: the item's command carries it."""
    try:
        return str(params["item"]["command"]["arguments"][0])
    except (KeyError, TypeError, IndexError):
        return ""
