"""Status: one calm line about whether Lido is ready, and what to do where it is not."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from lido.lsp import review

if TYPE_CHECKING:
    from lido.lsp.server import LidoServer


def register(server: LidoServer) -> None:
    @server.feature(lsp.INITIALIZED)
    async def initialized(params: lsp.InitializedParams) -> None:
        await server.configure()
        server.spawn(review.recover(server), "recover")
        watch(server)
        gc.freeze()  # what start-up made lives on: looking through it again would hold up a keystroke

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_watched_files(params: lsp.DidChangeWatchedFilesParams) -> None:
        server.files_changed()

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def did_save(params: lsp.DidSaveTextDocumentParams) -> None:
        server.files_changed()

    @server.feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: lsp.DidChangeConfigurationParams) -> None:
        server.editor_changed_settings(params.settings)
        await server.configure()

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def did_change_workspace_folders(params: lsp.DidChangeWorkspaceFoldersParams) -> None:
        server.folders_changed(params.event)
        await server.configure()


def watch(server: LidoServer) -> None:
    """Asks the editor to tell of files that change on disk, where it can."""
    workspace = server.client_capabilities.workspace
    watched = workspace and workspace.did_change_watched_files
    if not watched or not watched.dynamic_registration:
        return
    options = lsp.DidChangeWatchedFilesRegistrationOptions([lsp.FileSystemWatcher("**/*")])
    registration = lsp.Registration("lido-files", lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
    server.client_register_capability(lsp.RegistrationParams([registration]))
