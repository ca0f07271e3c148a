"""``lido serve``"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT, for example 127.0.0.1:7700 or just 7700")
    return host.strip("[]") or "127.0.0.1", int(port)


@contextmanager
def _token(port: int) -> Iterator[tuple[str, str]]:
    """The token that clients show, and where it is to be found: ``LIDO_SERVE_TOKEN``, else
    ``serve/PORT.token`` below `LIDO_HOME`, there as long as the server is. Raises OSError."""
    import secrets

    from lido.settings import Home

    if given := os.environ.get("LIDO_SERVE_TOKEN", ""):
        yield given, "LIDO_SERVE_TOKEN"
        return
    token = secrets.token_urlsafe(32)
    path = Home().root / "serve" / f"{port}.token"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)  # left by one that was killed
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token)
    try:
        yield token, str(path)
    finally:
        path.unlink(missing_ok=True)


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

    Over TCP and WebSocket each connection is a session of its own. A client shows a token as
    initializationOptions.token: the value of LIDO_SERVE_TOKEN, else one that is made and written to a file
    that only you can read; the file is named when the server is ready. What is said is not encrypted: keep
    it to this machine or behind a tunnel.
    """
    from lido.lsp import serve

    del stdio  # accepted because many editors add it
    if tcp and ws:
        raise typer.BadParameter("choose one of --tcp and --ws")

    opened = ExitStack()

    def ready(host: str, port: int) -> str:
        token, where = opened.enter_context(_token(port))
        kind = "TCP" if tcp else "WebSocket"
        print(
            f"Lido listens on {kind} {host}:{port}. Clients show the token of {where}. Stop it with Ctrl+C.",
            file=sys.stderr,
            flush=True,
        )
        return token

    try:
        if tcp or ws:
            with opened:
                listen = serve.serve_tcp if tcp else serve.serve_ws
                code = listen(*_address(tcp or ws), ready)
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
