"""Running the server: on stdio for one editor, on TCP or WebSocket for several, one session each."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lido import settings as configuration

if TYPE_CHECKING:
    from lido.lsp.server import LidoServer

log = logging.getLogger(__name__)


def run(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Runs `main`, on uvloop where there is one, and keeps a log of it."""
    from lido.lsp import logs

    try:
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    except ImportError:
        factory = None
    with (
        logs.written(configuration.Home(), sys.stderr),
        asyncio.Runner(loop_factory=factory) as runner,
    ):
        return runner.run(main())


def build() -> LidoServer:
    """A server with every feature registered."""
    from lido.lsp import features

    return features.build()


def serve_stdio() -> int:
    """``lido serve``: exit code 0 after shutdown and exit, 1 where the client just went away."""
    return run(_stdio)


async def _stdio() -> int:
    from lido.lsp.transport import serve_stream, stdio

    server = build()
    reader, writer = await stdio()
    sys.stdout = sys.stderr  # whatever prints must not end up between messages
    server.protocol.set_writer(writer)
    _stop_on_signal(asyncio.current_task())
    try:
        await serve_stream(server, reader)
    except asyncio.CancelledError:
        server.exit_code = 0
    finally:
        await server.close()
        writer.close()
    return 1 if server.exit_code is None else server.exit_code


def _stop_on_signal(task: asyncio.Task[Any] | None) -> None:
    if task is None:
        return
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGINT"):
        with suppress(NotImplementedError, AttributeError):
            loop.add_signal_handler(getattr(signal, name), task.cancel)


def serve_tcp(host: str, port: int, ready: Callable[[str, int], str]) -> int:
    """Listens until interrupted; `ready` is told the address (port 0 takes a free one) and says which token
    clients must show: whoever is on this machine, or reaches the port, can connect."""

    async def main() -> int:
        from lido.lsp.transport import MAX_HEADER, serve_stream

        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server = build()
            server.protocol.set_writer(writer)
            try:
                await serve_stream(server, reader, token)
            except ConnectionError:
                log.info("the client went away")
            finally:
                await server.close()
                writer.close()

        token = ""
        listener = await asyncio.start_server(session, host, port, limit=MAX_HEADER)
        _stop_on_signal(asyncio.current_task())
        address = listener.sockets[0].getsockname()
        token = ready(address[0], address[1])
        with suppress(asyncio.CancelledError):
            await listener.serve_forever()
        return 0

    return run(main)


def serve_ws(host: str, port: int, ready: Callable[[str, int], str]) -> int:
    """Like :func:`serve_tcp`, one JSON-RPC message per WebSocket message."""

    async def main() -> int:
        from websockets.asyncio.server import ServerConnection, serve

        from lido.lsp.transport import FIRST_SECONDS, MAX_FIRST, MAX_MESSAGE, dispatch, refusal

        async def session(socket: ServerConnection) -> None:
            from pygls.io_ import WebSocketWriter

            server = build()
            server.protocol.set_writer(WebSocketWriter(socket), include_headers=False)
            admitted = False
            try:
                async with asyncio.timeout(FIRST_SECONDS) as patience:
                    async for data in socket:
                        body = data.encode() if isinstance(data, str) else data
                        if not admitted:
                            if len(body) > MAX_FIRST:
                                return
                            if refused := refusal(body, token):
                                await socket.send(json.dumps(refused))
                                return
                            admitted = True
                            patience.reschedule(None)
                        dispatch(server, body)
                        if server.exit_code is not None:
                            return
            except TimeoutError:
                return  # a stranger who says nothing
            finally:
                await server.close()

        token = ""
        # A page in a browser may open a WebSocket to loopback: only clients that send no Origin are let in.
        async with serve(session, host, port, max_size=MAX_MESSAGE, origins=[None]) as listener:
            _stop_on_signal(asyncio.current_task())
            address = next(iter(listener.sockets)).getsockname()
            token = ready(address[0], address[1])
            with suppress(asyncio.CancelledError):
                await listener.serve_forever()
        return 0

    return run(main)
