"""The messages of Copilot's older clients (copilot.vim before 1.40, copilot.el before 0.3, LSP-copilot).

They ask for completions by requests of their own, and are answered in those shapes. Newer ones speak LSP: see
`lido.lsp.completion`.
"""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams

import lido

if TYPE_CHECKING:
    from lido.completion.engine import Suggestion
    from lido.lsp.server import LidoServer
    from lido.workspace.documents import Document


class Suggest(Protocol):
    def __call__(self, document: Document, offset: int, *, several: bool) -> Awaitable[list[Suggestion]]: ...


def register(
    server: LidoServer,
    suggest: Suggest,
    shown: Callable[[str], None],
    partly: Callable[[str, int, str], None],
) -> None:
    converter = server.protocol._converter

    @server.feature("getVersion")
    def get_version(params: Any) -> dict[str, str]:
        runtime = f"python/{platform.python_version()}"
        return {"version": lido.__version__, "buildType": "prod", "runtimeVersion": runtime}

    @server.feature("setEditorInfo")
    def set_editor_info(params: Any) -> str:
        who = params.get("editorInfo") if isinstance(params, dict) else None
        if isinstance(who, dict) and not server.editor:
            server.editor, server.editor_version = str(who.get("name", "")), str(who.get("version", ""))
        return "OK"

    @server.feature("signInInitiate")
    @server.feature("signInConfirm")
    def signed_in(params: Any) -> dict[str, str]:
        """There is nobody to sign in with."""
        return {"status": "AlreadySignedIn", "user": "lido"}

    @server.feature("getCompletions")
    async def get_completions(params: Any) -> dict[str, Any]:
        return {"completions": await completions(params, several=False)}

    @server.feature("getCompletionsCycling")
    async def get_completions_cycling(params: Any) -> dict[str, Any]:
        return {"completions": await completions(params, several=True)}

    @server.feature("getPanelCompletions")
    async def get_panel_completions(params: Any) -> dict[str, int]:
        panel = str(params.get("panelId", "")) if isinstance(params, dict) else ""
        found = await completions(params, several=True)
        server.spawn(solutions(panel, found), "panel solutions")
        return {"solutionCountTarget": len(found)}

    async def solutions(panel: str, found: list[dict[str, Any]]) -> None:
        for place, each in enumerate(found):
            solution = {
                "panelId": panel,
                "solutionId": each["uuid"],
                "completionText": each["text"],
                "displayText": each["displayText"],
                "range": each["range"],
                "score": len(found) - place,
            }
            server.protocol.notify("PanelSolution", solution)
        server.protocol.notify("PanelSolutionsDone", {"panelId": panel, "status": "OK"})

    @server.feature("notifyShown")
    def notify_shown(params: Any) -> str:
        for identifier in named(params):
            shown(identifier)
        return "OK"

    @server.feature("notifyAccepted")
    async def notify_accepted(params: Any) -> str:
        length = params.get("acceptedLength") if isinstance(params, dict) else None
        for identifier in named(params):
            if isinstance(length, int) and length < len(server.tracker.text(identifier)):
                partly(identifier, length, "utf-16")
            else:
                server.tracker.accepted(identifier)
        await server.tracker.flush()
        return "OK"

    @server.feature("notifyRejected")
    def notify_rejected(params: Any) -> str:
        for identifier in named(params):
            server.tracker.rejected(identifier, "dismissed")
        return "OK"

    async def completions(params: Any, *, several: bool) -> list[dict[str, Any]]:
        try:
            document = server.document(str(params["doc"]["uri"]))
            line, character = (int(params["doc"]["position"][key]) for key in ("line", "character"))
        except (KeyError, TypeError, ValueError):
            raise JsonRpcInvalidParams("doc.uri and doc.position are needed") from None
        if document is None:
            return []
        here = lsp.Position(line, character)
        offset = server.offset(document, here)
        return [
            completion(document, each, offset) for each in await suggest(document, offset, several=several)
        ]

    def completion(document: Document, suggestion: Suggestion, offset: int) -> dict[str, Any]:
        """These clients take a text for the whole line from its beginning, and nothing else."""
        begin = document.line_start(document.line_at(suggestion.start))
        span = server.range(document, begin, suggestion.end)
        return {
            "uuid": suggestion.id,
            "text": document.slice(begin, suggestion.start) + suggestion.text,
            "displayText": suggestion.text[offset - suggestion.start :],
            "position": converter.unstructure(server.range(document, offset, offset).start),
            "range": converter.unstructure(span),
            "docVersion": document.version,
        }


def named(params: Any) -> list[str]:
    """The suggestions that ``notify…`` is about."""
    if not isinstance(params, dict):
        return []
    many = params.get("uuids")
    return [str(each) for each in many] if isinstance(many, list) else [str(params.get("uuid", ""))]
