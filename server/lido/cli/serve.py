"""``lido serve``"""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT, for example 127.0.0.1:7700 or just 7700")
    return host.strip("[]") or "127.0.0.1", int(port)


def command(
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak over standard input and output (default).")
    ] = True,
    tcp: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Listen on TCP; a port alone means this machine only.")
    ] = "",
    ws: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="Listen on WebSocket; a port alone means this machine only."),
    ] = "",
) -> None:
    """Run the language server. Editors start it so; you rarely need to.

    Over TCP and WebSocket each connection is a session of its own. There is no password on them:
    whoever reaches the port can use your models, so keep it to this machine or behind a tunnel.
    """
    from lido.lsp import serve

    del stdio  # accepted because many editors add it
    if tcp and ws:
        raise typer.BadParameter("choose one of --tcp and --ws")

    def ready(host: str, port: int) -> None:
        kind = "TCP" if tcp else "WebSocket"
        print(f"Lido listens on {kind} {host}:{port}. Stop it with Ctrl+C.", file=sys.stderr, flush=True)

    try:
        if tcp:
            code = serve.serve_tcp(*_address(tcp), ready)
        elif ws:
            code = serve.serve_ws(*_address(ws), ready)
        else:
            if sys.stdin.isatty():
                print(
                    "Waiting for an editor on standard input; see `lido serve --help`. Stop with Ctrl+C.",
                    file=sys.stderr,
                )
            code = serve.serve_stdio()
    except OSError as error:
        print(
            f"Cannot listen on {tcp or ws}: {error.strerror or error}. Choose another port.", file=sys.stderr
        )
        code = 1
    raise typer.Exit(code)
