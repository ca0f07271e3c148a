"""Status: one calm line about whether Lido is ready, and what to do where it is not."""

from __future__ import annotations

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

    @server.feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: lsp.DidChangeConfigurationParams) -> None:
        server.editor_changed_settings(params.settings)
        await server.configure()

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def did_change_workspace_folders(params: lsp.DidChangeWorkspaceFoldersParams) -> None:
        server.folders_changed(params.event)
        await server.configure()
