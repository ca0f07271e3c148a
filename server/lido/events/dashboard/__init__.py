"""The dashboard: one page and its data, for whoever serves it (`lido metrics --serve`, the collector).

`file` gives the page and what it loads, `HEADERS` what each answer carries. The page asks
``v1/metrics?by=…&since=…&until=…&min_people=…`` beside itself, with ``language=…`` and the like to look
at one group, and takes ``{"rows": […]}`` as `lido.events.metrics.rows` gives them. Where it is answered 401,
it asks the person for a token and sends that as ``Authorization: Bearer``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

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
