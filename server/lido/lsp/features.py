"""Which features a server has: one file per family, each registering itself."""

from __future__ import annotations

from importlib import import_module

from lido.lsp.server import LidoServer

FAMILIES = (
    "status",
    "notebooks",
    "completion",
    "chat",
    "chat_document",
    "models",
    "plan",
    "actions",
    "review",
    "events",
)


def build() -> LidoServer:
    """A server with every feature registered and no service started."""
    server = LidoServer()
    for family in FAMILIES:
        import_module(f"lido.lsp.{family}").register(server)
    return server
