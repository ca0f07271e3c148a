"""Code actions, for any LSP client: explain, fix a diagnostic, write tests, document, do what a comment asks,
begin such a comment.

What changes code begins a plan, so that it ends in a review like everything else. An explanation is written
as a conversation (``*.lido.md``) in Lido's own folder and opened; asking on there is chat.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lsprotocol import types as lsp

from lido.lsp import messages as m
from lido.lsp import plan
from lido.lsp.server import RequestFailed, decode, to_uri

if TYPE_CHECKING:
    from pathlib import Path

    from lido.lsp.server import LidoServer
    from lido.workspace.documents import Document

DO = "lido.action.plan"
"""Arguments: URI, range, instruction."""
EXPLAIN = "lido.action.explain"
"""Arguments: URI, range."""

_ASKED = re.compile(
    r"^\s*(?:#|//|--|/\*|<!--|;|%)\s*(?:lido|todo|fixme)\b[:\s]\s*(?P<what>\S.*?)\s*(?:\*/|-->)?\s*$", re.I
)


def register(server: LidoServer) -> None:
    kinds = [lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.RefactorRewrite, lsp.CodeActionKind.Empty]

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=kinds, resolve_provider=True)
    )
    def actions(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        offered = [action for provider in server.code_actions for action in provider(params)]
        document = server.document(params.text_document.uri)
        if document is not None and not offered:
            offered = offer(document, params)
            if (stub := ask_here(document, params.range.start.line, server)) is not None:
                offered.append(stub)
        wanted = params.context.only
        if wanted:
            offered = [a for a in offered if any(_within(a.kind, kind) for kind in wanted)]
        return offered

    @server.feature(lsp.CODE_ACTION_RESOLVE)
    def resolve(action: lsp.CodeAction) -> lsp.CodeAction:
        """Actions are whole as offered: what they do needs a model, and a review, not an edit in advance."""
        return action

    @server.command(DO)
    async def do(uri: str, span: Any, instruction: str) -> str:
        await server.configured.wait()
        where = {"kind": "selection", "uri": uri, "range": span}
        params = decode(m.PlanStart, {"instruction": instruction, "attachments": [where]}, DO)
        return (await plan.begin(server, params)).plan_id

    @server.command(EXPLAIN)
    async def explain(uri: str, span: Any) -> str:
        await server.configured.wait()
        where = decode(m.Range, span, EXPLAIN)
        document = server.document(uri)
        if document is None or document.path is None:
            raise RequestFailed("Open the file first.")
        return await _explain(server, document, where)


def offer(document: Document, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """What can be done at a place of a document."""
    uri, span = document.uri, params.range
    plain = {
        "start": {"line": span.start.line, "character": span.start.character},
        "end": {"line": span.end.line, "character": span.end.character},
    }

    def planned(
        title: str, instruction: str, kind: lsp.CodeActionKind, *solved: lsp.Diagnostic
    ) -> lsp.CodeAction:
        command = lsp.Command(title, DO, arguments=[uri, plain, instruction])
        return lsp.CodeAction(f"Lido: {title}", kind=kind, diagnostics=list(solved) or None, command=command)

    name = document.path.name if document.path else "this file"
    lines = f"line {span.start.line + 1}"
    if span.end.line > span.start.line:
        lines = f"lines {span.start.line + 1} to {span.end.line + (span.end.character > 0)}"
    found = [
        planned(
            f"fix “{_short(diagnostic.message)}”",
            f"Fix this problem at line {diagnostic.range.start.line + 1} of {name}: {diagnostic.message}",
            lsp.CodeActionKind.QuickFix,
            diagnostic,
        )
        for diagnostic in params.context.diagnostics[:5]
    ]
    if span.start.line < document.line_count and (asked := _ASKED.match(document.line_text(span.start.line))):
        what = asked["what"]
        found.append(
            planned(
                f"do “{_short(what)}”",
                f"{what} (asked for in the comment at line {span.start.line + 1} of {name}; "
                "remove that comment)",
                lsp.CodeActionKind.RefactorRewrite,
            )
        )
    rewrite = lsp.CodeActionKind.RefactorRewrite
    title = "explain this"
    return [
        *found,
        lsp.CodeAction(
            f"Lido: {title}",
            kind=lsp.CodeActionKind.Empty,
            command=lsp.Command(title, EXPLAIN, arguments=[uri, plain]),
        ),
        planned("document this", f"Document the code at {lines} of {name}: change comments alone.", rewrite),
        planned("write tests for this", f"Write tests for the code at {lines} of {name}.", rewrite),
    ]


_NO_LINE_COMMENTS = frozenset(
    [
        "bibtex",
        "css",
        "html",
        "json",
        "latex",
        "less",
        "markdown",
        "plaintext",
        "restructuredtext",
        "scss",
        "tex",
        "xml",
        "xsl",
    ]
)


def ask_here(document: Document, line: int, server: LidoServer) -> lsp.CodeAction | None:
    """A comment above the line that says what to do, to be filled in: then it is itself an action. In editors
    with snippets the words to replace are selected; others get the comment's beginning."""
    from lido.completion.prompt import comment
    from lido.lsp.review import abilities

    client = abilities(server.client_capabilities)
    if (
        not client.document_changes
        or document.language in _NO_LINE_COMMENTS
        or not 0 <= line < document.line_count
        or _ASKED.match(text := document.line_text(line))
    ):
        return None
    content = text.rstrip("\r\n")
    ending = text[len(content) :] or "\n"
    indent = content[: len(content) - len(content.lstrip())]
    start = f"{indent}{comment(document.language)} Lido: "
    at = lsp.Range(lsp.Position(line, 0), lsp.Position(line, 0))
    edit: lsp.TextEdit | lsp.SnippetTextEdit = lsp.TextEdit(at, start + ending)
    if client.snippets:
        edit = lsp.SnippetTextEdit(at, lsp.StringValue(f"{start}${{1:what to do}}{ending}"))
    target = lsp.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    change = lsp.WorkspaceEdit(document_changes=[lsp.TextDocumentEdit(target, [edit])])
    return lsp.CodeAction("Lido: say here what to do", kind=lsp.CodeActionKind.RefactorRewrite, edit=change)


def _within(kind: lsp.CodeActionKind | str | None, wanted: lsp.CodeActionKind | str) -> bool:
    """Kinds are hierarchical: ``refactor`` asks for ``refactor.rewrite`` too."""
    mine, asked = (str(getattr(k, "value", k) or "") for k in (kind, wanted))
    return not asked or mine == asked or mine.startswith(asked + ".")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 50 else line[:49] + "…"


async def _explain(server: LidoServer, document: Document, where: m.Range) -> str:
    """Writes the question and its answer as a conversation, and shows it; its path."""
    from lido.chat import notebook
    from lido.chat.service import Answer
    from lido.models.base import ModelError

    assert document.path is not None
    first, last = where.start.line + 1, where.end.line + (where.end.character > 0 or where.end == where.start)
    last = max(first, last)
    root = next((r for r in server.roots if document.path.is_relative_to(r)), document.path.parent)
    relative = quote(document.path.relative_to(root).as_posix())
    question = f"/explain [{document.path.name}](/{relative}#L{first}-L{last})"
    attached = notebook.attachments(question, root, root)
    answer = ""
    try:
        async for piece in server.chat.reply([("user", question)], attached):
            if isinstance(piece, Answer):
                answer = piece.text
    except ModelError as error:
        raise RequestFailed(str(error)) from None
    text = f"{notebook.QUESTION}\n\n{question}\n\n{notebook.ANSWER}\n\n{answer}\n\n{notebook.QUESTION}\n\n"
    folder = server.home.root / "chats"
    path = await asyncio.to_thread(_write, folder, f"explain-{document.path.stem}", notebook.SUFFIX, text)
    window = server.client_capabilities.window
    if window and window.show_document:
        await server.window_show_document_async(lsp.ShowDocumentParams(to_uri(path), take_focus=True))
    else:
        server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Info, answer))
    return str(path)


def _write(folder: Path, stem: str, suffix: str, text: str) -> Path:
    """A new private file; never one that is there."""
    import os
    import tempfile

    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix, f"{stem}-", folder)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return folder / name
