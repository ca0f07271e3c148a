"""Attachments on the wire ↔ attachments of the services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lido.lsp import messages as m
from lido.lsp.server import to_path
from lido.workspace.attachments import Attachment

if TYPE_CHECKING:
    from lido.lsp.server import LidoServer


def decode(server: LidoServer, attachments: Sequence[m.Attachment]) -> list[Attachment]:
    """Ranges become whole lines; a document that is no file (untitled, remote) brings its text along."""
    return [_decode(server, item) for item in attachments]


def _decode(server: LidoServer, item: m.Attachment) -> Attachment:
    path = to_path(item.uri) if item.uri else None
    text = item.text
    if item.uri and path is None and text is None and (document := server.documents.get(item.uri)):
        text = document.text
    lines = None
    if item.range:
        start, end = item.range.start, item.range.end
        lines = (start.line, end.line + (end.character > 0 or end.line == start.line))
    return Attachment(item.kind, path, lines, text, item.name)
