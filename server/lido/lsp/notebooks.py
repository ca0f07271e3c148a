"""Notebooks: each cell is a document of its own; for a completion the other code cells stand around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from lido.lsp.server import to_path

if TYPE_CHECKING:
    from pathlib import Path

    from lido.lsp.server import LidoServer
    from lido.workspace.documents import Document, Documents


@dataclass
class Notebooks:
    """The open notebooks' cells, in order. LSP 3.18, "Notebook Document Synchronization"."""

    documents: Documents
    _cells: dict[str, list[lsp.NotebookCell]] = field(default_factory=dict)
    _of: dict[str, str] = field(default_factory=dict)
    """Cell URI → notebook URI."""

    def open(self, notebook: str, cells: list[lsp.NotebookCell], texts: list[lsp.TextDocumentItem]) -> None:
        self._cells[notebook] = list(cells)
        self._open(notebook, texts)

    def _open(self, notebook: str, texts: list[lsp.TextDocumentItem]) -> None:
        # A cell may leave the machine where its file may.
        path: Path | None = to_path(notebook)
        for item in texts:
            self._of[item.uri] = notebook
            self.documents.open(item.uri, str(item.language_id), item.version, item.text, path)

    def change(self, notebook: str, structure: lsp.NotebookDocumentCellChangeStructure) -> None:
        array = structure.array
        cells = self._cells.setdefault(notebook, [])
        cells[array.start : array.start + array.delete_count] = array.cells or []
        for closed in structure.did_close or []:
            self._close(closed.uri)
        self._open(notebook, list(structure.did_open or []))

    def _close(self, uri: str) -> None:
        self._of.pop(uri, None)
        self.documents.close(uri)

    def close(self, notebook: str) -> None:
        self._cells.pop(notebook, None)
        for uri in [uri for uri, owner in self._of.items() if owner == notebook]:
            self._close(uri)

    def around(self, document: Document) -> tuple[str, str]:
        """The text of the code cells before and after the one that `document` is; "" for any other."""
        cells = self._cells.get(self._of.get(document.uri, ""), [])
        parts: tuple[list[str], list[str]] = ([], [])
        side = 0
        for cell in cells:
            if cell.document == document.uri:
                side = 1
            elif cell.kind == lsp.NotebookCellKind.Code:
                other = self.documents.get(cell.document)
                if other is not None and other.language == document.language and other.text.strip():
                    parts[side].append(other.text.rstrip() + "\n\n")
        return "".join(parts[0]), "\n\n" + "".join(parts[1]) if parts[1] else ""


def register(server: LidoServer) -> None:
    notebooks = server.notebooks

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_OPEN)
    def did_open(params: lsp.DidOpenNotebookDocumentParams) -> None:
        notebook = params.notebook_document
        notebooks.open(notebook.uri, list(notebook.cells), list(params.cell_text_documents))

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def did_change(params: lsp.DidChangeNotebookDocumentParams) -> None:
        cells = params.change.cells
        if cells is None:
            return
        if cells.structure is not None:
            notebooks.change(params.notebook_document.uri, cells.structure)
        for change in cells.text_content or []:
            server.apply_changes(lsp.DidChangeTextDocumentParams(change.document, change.changes))

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def did_close(params: lsp.DidCloseNotebookDocumentParams) -> None:
        notebooks.close(params.notebook_document.uri)
