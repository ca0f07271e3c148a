"""The dashboard: one page and its data, for whoever serves it (`lido metrics --serve`, the collector).

`file` gives the page and what it loads, `HEADERS` what each answer carries. The page asks
``v1/metrics?by=…&since=…&until=…&min_people=…`` beside itself, with ``language=…`` and the like to look
at one group, and takes ``{"rows": […]}`` as `lido.events.metrics.rows` gives them. Where it is answered 401,
it asks the person for a token, and posts that as ``{"token": …}`` to ``v1/session``, which sets a cookie;
``DELETE v1/session`` takes that back.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from lido.events.metrics import Prices

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "app.css": "text/css; charset=utf-8",
    "uPlot.iife.min.js": "text/javascript; charset=utf-8",
    "uPlot.min.css": "text/css; charset=utf-8",
}

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer. Charts set sizes as inline styles; scripts are files alone."""


def file(name: str = "index.html") -> tuple[bytes, str] | None:
    """Content and media type. The page loads the others as ``dashboard/NAME`` beside itself."""
    if name not in _TYPES:
        return None
    return (files(__package__) / "static" / name).read_bytes(), _TYPES[name]


def questions(begin: str, end: str) -> dict[str, dict[str, Any]]:
    """What the page asks on opening and when it is used, as arguments of `metrics.rows`."""
    span = {"begin": begin, "end": end}
    by: dict[str, dict[str, Any]] = {
        f"by {name}": {**span, "by": [name]}
        for name in ("language", "team", "project", "model", "editor", "feature", "user", "week")
    }
    return {
        "all": span,
        "by day": {**span, "by": ["day"]},
        **by,
        "by day, one language": {**span, "by": ["day"], "only": {"language": ["python"]}},
        "by team and language": {**span, "by": ["team", "language"]},
        "by model, one team": {**span, "by": ["model"], "only": {"team": ["team-03"]}},
    }


def answer(path: Path, query: str, prices: Prices | None = None) -> tuple[int, dict[str, Any]]:
    """Status and body for ``v1/metrics?QUERY`` on the log at `path`. Blocking."""
    from sqlite3 import Error

    from lido.events import metrics

    asked = parse_qs(query, keep_blank_values=True, max_num_fields=50)

    def one(name: str, default: str) -> str:
        return asked.get(name, [default])[-1] or default

    try:
        least = int(one("min_people", "0"))
        begin = metrics.since(one("since", "28d"))
        end = metrics.since(asked["until"][-1]) if "until" in asked else ""
        by = [name for name in one("by", "").split(",") if name]
        only = {name: asked[name] for name in metrics.FILTERS if name in asked}
        found = metrics.rows(path, by, begin, least, end=end, only=only, prices=prices)
    except (ValueError, OverflowError) as error:
        return 400, {"error": str(error)}
    except Error as error:
        return 503, {"error": f"the log cannot be read: {error}"}
    return 200, {"rows": found}


def serve(path: Path, port: int = 0, prices: Prices | None = None) -> ThreadingHTTPServer:
    """A server on loopback, bound and not yet running; `address` says where the page is. Raises OSError.

    Only who knows the address gets in: it holds a random token. Names other than loopback's are refused, so
    that no web page reaches it by a name of its own.
    """
    return _Server(path, port, prices)


def address(server: ThreadingHTTPServer) -> str:
    """The page of a server that `serve` made."""
    assert isinstance(server, _Server)
    return f"http://127.0.0.1:{server.server_port}/{server.token}/"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, path: Path, port: int, prices: Prices | None) -> None:
        self.path, self.prices, self.token = path, prices, secrets.token_urlsafe(24)
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "lido"
    sys_version = ""

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").partition(":")[0]
        parts = urlsplit(self.path)
        _, token, *rest = parts.path.split("/")
        known = secrets.compare_digest(token.encode(), self.server.token.encode())
        if host not in ("127.0.0.1", "localhost") or not known:
            return self._send(404, b"", "text/plain")
        name = "/".join(rest)
        if name == "v1/metrics":
            status, body = answer(self.server.path, parts.query, self.server.prices)
            return self._send(status, json.dumps(body).encode(), "application/json")
        found = file() if name == "" else file(name.removeprefix("dashboard/"))
        if found is None:
            return self._send(404, b"", "text/plain")
        return self._send(200, *found)

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """The address holds the token: nothing of it goes to a log."""
