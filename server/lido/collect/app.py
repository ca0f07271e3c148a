"""The collector's HTTP surface (Starlette): parse, one call of the store, encode."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import math
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import lido
from lido.collect import copilot, openapi
from lido.collect.openapi import COOKIE, MAX_EVENTS, MAX_NUMBER, MAX_TEXT, MAX_WORD
from lido.collect.store import NUMBERS, Role, Store, Token
from lido.events import dashboard
from lido.events.metrics import FILTERS, UnknownDimensionError, since
from lido.events.schema import COLUMNS, Event, utc

log = logging.getLogger(__name__)

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request as sent."""
MAX_PLAIN = 32 * 1024 * 1024
"""Bytes of a request unpacked."""
REQUESTS = 1200
"""Requests a minute that a token may make, unless told otherwise."""
STRANGERS = 60
"""Requests a minute without a valid token that an address is answered, and the audit log notes."""

_EVENT = TypeAdapter(Event)


class Refused(Exception):  # noqa: N818 - an answer, not a defect
    """Answered with `status` and `message`."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


READERS: tuple[Role, ...] = ("reader", "admin")
Handler = Callable[[Request, Store, Token], Awaitable[Response]]


class Limits:
    """At most `per_minute` requests of each name, or as many at once (a token bucket). For one thread."""

    def __init__(self, per_minute: int) -> None:
        self._most, self._rate = float(per_minute), per_minute / 60
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, name: str) -> float:
        """Seconds after which the next request is welcome; 0 where this one is, which then counts."""
        now = time.monotonic()
        if len(self._left) > 10_000:
            self._left = {
                each: (left, at)
                for each, (left, at) in self._left.items()
                if left + (now - at) * self._rate < self._most
            }
        left, at = self._left.get(name, (self._most, now))
        left = min(self._most, left + (now - at) * self._rate)
        self._left[name] = (left - 1 if left >= 1 else left, now)
        return 0.0 if left >= 1 else (1 - left) / self._rate


def build(store: Store, requests_per_minute: int = REQUESTS) -> Starlette:
    """The application on `store`, whose tables are there."""
    doors = _Doors(store, Limits(requests_per_minute), Limits(STRANGERS))

    def route(path: str, handler: Handler, roles: tuple[Role, ...], method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            token = await doors.authorised(request, _secret(request), roles)
            try:
                return await handler(request, store, token)
            except Refused as refused:
                detail = f"{refused.status} {request.method} {request.url.path}: {refused.message}"
                await asyncio.to_thread(store.note, token.name, "refused", detail)
                raise

        return Route(path, endpoint, methods=[method])

    async def sign_in(request: Request) -> Response:
        secret = await _offered(request)
        token = await doors.authorised(request, secret, READERS)
        # The token itself is the cookie: a revoked one is out at once, and nothing is kept here.
        await asyncio.to_thread(store.note, token.name, "signed in")
        answer = JSONResponse({"name": token.name, "role": token.role, "teams": token.teams})
        answer.set_cookie(COOKIE, secret, **_cookie(request))
        return answer

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(store.close)

    return Starlette(
        routes=[
            route("/v1/events", _post_events, ("writer", "admin"), "POST"),
            route("/v1/metrics", _get_metrics, READERS),
            route("/v1/audit", _get_audit, ("admin",)),
            route("/metrics", _get_prometheus, READERS),
            *(route(path, _get_copilot, READERS) for path in copilot.PATHS),
            Route("/v1/session", sign_in, methods=["POST"]),
            Route("/v1/session", _sign_out, methods=["DELETE"]),
            Route("/", _get_page),
            Route("/dashboard/{name}", _get_page),
            Route("/openapi.json", _get_openapi),
            Route("/healthz", _healthy(store)),
        ],
        middleware=[Middleware(_Headers)],
        exception_handlers={
            Refused: _refused,
            sa.exc.SQLAlchemyError: _unavailable,
            404: _missing,
            405: _missing,
        },
        lifespan=lifespan,
    )


class _Headers:
    """Every answer forbids what the page does not need."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(dashboard.HEADERS)
            await send(message)

        await self._app(scope, receive, sending)


# ---------------------------------------------------------------------- who asks


def _secret(request: Request) -> str:
    """From the header; a browser that signed in has it in its cookie, which only reads."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "token"):  # GitHub's clients say either
        return secret.strip()
    return request.cookies.get(COOKIE, "") if request.method == "GET" else ""


@dataclass(frozen=True, slots=True)
class _Doors:
    store: Store
    tokens: Limits
    strangers: Limits

    async def authorised(self, request: Request, secret: str, roles: tuple[Role, ...]) -> Token:
        token = None
        if 0 < len(secret) < 200:
            token = await asyncio.to_thread(self.store.token, secret)
        address = request.client.host if request.client else "?"
        wait = self.tokens.wait(token.name) if token else self.strangers.wait(address)
        if wait:
            seconds = str(math.ceil(wait))
            raise Refused(429, f"Too many requests; again in {seconds} s.", {"Retry-After": seconds})
        # A page that is opened before signing in offers nothing: that is no attempt.
        if (token is None and secret) or (token and token.role not in roles):
            detail = f"{request.method} {request.url.path} from {address}"
            who = token.name if token else "unknown"
            await asyncio.to_thread(self.store.note, who, "refused", detail)
        if token is None:
            raise Refused(
                401, "A valid token is needed: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"}
            )
        if token.role not in roles:
            raise Refused(403, f"A {token.role} may not do this; it takes: {', '.join(roles)}.")
        return token


async def _offered(request: Request) -> str:
    """The token of ``{"token": …}``. JSON alone: no other site's form can send that."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "Content-Type application/json is wanted.")
    try:
        asked = await asyncio.to_thread(json.loads, await _body(request, most=4096))
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not JSON.") from None
    secret = asked.get("token") if isinstance(asked, dict) else None
    if not isinstance(secret, str):
        raise Refused(400, '{"token": "…"} is wanted.')
    return secret.strip() if secret.isascii() else ""


async def _sign_out(request: Request) -> Response:
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, **_cookie(request))
    return answer


def _cookie(request: Request) -> Any:
    return {"httponly": True, "samesite": "strict", "secure": request.url.scheme == "https", "path": "/"}


async def _get_page(request: Request) -> Response:
    """The page holds no numbers; it asks for them."""
    found = await asyncio.to_thread(dashboard.file, request.path_params.get("name", "index.html"))
    return Response(found[0], media_type=found[1]) if found else await _missing(request, KeyError())


# ---------------------------------------------------------------------- events in


async def _post_events(request: Request, store: Store, token: Token) -> Response:
    body = await _body(request)
    found, rejected = await asyncio.to_thread(_events, body)
    new = await asyncio.to_thread(store.add, found, token.teams)
    if rejected:
        await asyncio.to_thread(store.note, token.name, "events rejected", str(len(rejected)))
    return JSONResponse({"stored": new, "duplicates": len(found) - new, "rejected": rejected})


async def _body(request: Request, most: int = MAX_BODY) -> bytes:
    """The request's body, unpacked, within limits; `most` is in bytes as sent."""
    if (
        request.headers.get("transfer-encoding") is None
        and not request.headers.get("content-length", "").isdigit()
    ):
        raise Refused(411, "Content-Length is needed.")
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise Refused(413, f"This request may have {most:,} bytes; send less at once.")
            parts.append(part)
    except ClientDisconnect:
        raise Refused(400, "The request ended early.") from None
    body = b"".join(parts)
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return body
    if encoding != "gzip":
        raise Refused(415, f"Content-Encoding {encoding!r} is not known; gzip is.")
    try:
        plain = await asyncio.to_thread(lambda: gzip.GzipFile(fileobj=io.BytesIO(body)).read(MAX_PLAIN + 1))
    except (OSError, EOFError, zlib.error):
        raise Refused(400, "The body is not gzip.") from None
    if len(plain) > MAX_PLAIN:
        raise Refused(413, f"A request may unpack to {MAX_PLAIN:,} bytes.")
    return plain


def _events(body: bytes) -> tuple[list[Event], list[dict[str, Any]]]:
    """The events of a JSON list, of ``{"events": [...]}`` or of JSON lines; what is wrong with the rest."""
    if not body.strip():
        raise Refused(400, "The body is empty.")
    try:
        raw: Any = json.loads(body)
    except (ValueError, RecursionError):
        try:
            raw = [json.loads(line) for line in body.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise Refused(400, "The body is neither JSON nor JSON lines.") from None
    if isinstance(raw, dict):
        raw = raw.get("events", [raw])
    if not isinstance(raw, list):
        raise Refused(400, "A list of events is wanted.")
    if len(raw) > MAX_EVENTS:
        raise Refused(413, f"A batch may have {MAX_EVENTS:,} events.")
    found, rejected = [], []
    for index, item in enumerate(raw):
        try:
            found.append(_event(item))
        except ValueError as error:
            # What it says of unknown members may hold half a character.
            reason = str(error)[:300].encode("utf-8", "replace").decode()
            rejected.append({"index": index, "reason": reason})
    return found, rejected


def _event(item: Any) -> Event:
    """Raises ValueError saying what is wrong, without quoting it."""
    if not isinstance(item, dict):
        raise ValueError("an event is an object")
    if unknown := [str(name)[:40] for name in item if name not in COLUMNS]:
        raise ValueError(f"unknown members: {', '.join(sorted(unknown)[:5])}")
    if isinstance(text := item.get("text"), str):  # a model's: whatever it is, the event counts
        item = item | {"text": text[:MAX_TEXT].replace("\0", "\ufffd").encode("utf-8", "replace").decode()}
    for name, value in item.items():
        if isinstance(value, str) and name != "text":
            if name in NUMBERS:
                raise ValueError(f"{name} is not a number")
            if len(value) > MAX_WORD:
                raise ValueError(f"{name} is too long")
            if "\0" in value:
                raise ValueError(f"{name} has a NUL character")
            if value.encode("utf-8", "replace").decode() != value:
                raise ValueError(f"{name} is not Unicode text")
        elif isinstance(value, bool) or not isinstance(value, (int, float, str, type(None))):
            raise ValueError(f"{name} is neither text nor a number")
        elif isinstance(value, (int, float)) and not 0 <= value <= (
            1 if name == "retained_fraction" else MAX_NUMBER
        ):
            raise ValueError(f"{name} is out of bounds")
    try:
        event = _EVENT.validate_python(item)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if not event.id:
        raise ValueError("id is empty")
    try:  # One form and one zone: days are cut out of it.
        moment = datetime.fromisoformat(event.time)
        return replace(event, time=utc((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))
    except (ValueError, OverflowError, OSError):
        raise ValueError("time is not ISO 8601") from None


# ---------------------------------------------------------------------- counts out


def _span(request: Request) -> tuple[str, str]:
    query = request.query_params
    try:
        return since(query.get("since", "28d")), since(query["until"]) if "until" in query else ""
    except (ValueError, OverflowError) as error:
        raise Refused(400, str(error)) from None


def _only(request: Request) -> dict[str, list[str]]:
    """What the question's filters, such as ``language=go``, leave."""
    query = request.query_params
    only = {name: query.getlist(name)[:100] for name in FILTERS if name in query}
    if any("\0" in value for values in only.values() for value in values):
        raise Refused(400, "No name has a NUL character.")
    return only


async def _get_metrics(request: Request, store: Store, token: Token) -> Response:
    begin, end = _span(request)
    by = [name for name in request.query_params.get("by", "").split(",") if name]
    least = _number(request, "min_people", 0, 999_999, 0)
    try:
        rows = await asyncio.to_thread(store.metrics, by, begin, end, token.teams, least, _only(request))
    except UnknownDimensionError as error:
        raise Refused(400, str(error)) from None
    await asyncio.to_thread(store.note, token.name, "read metrics", str(request.url.query))
    return JSONResponse({"rows": rows})


async def _get_audit(_: Request, store: Store, token: Token) -> Response:
    await asyncio.to_thread(store.note, token.name, "read audit")
    return JSONResponse({"rows": await asyncio.to_thread(store.notes)})


async def _get_copilot(request: Request, store: Store, token: Token) -> Response:
    begin, end = _span(request)
    page, size = _number(request, "page", 1, 10**6), _number(request, "per_page", 28, 100)
    team = request.path_params.get("team", "")
    if "\0" in team:
        raise Refused(400, "No name has a NUL character.")
    if token.teams and team and team not in token.teams:
        raise Refused(403, "This token reads other teams.")
    rows = await asyncio.to_thread(store.people, begin, end, [team] if team else token.teams)
    await asyncio.to_thread(store.note, token.name, "read copilot metrics", f"{team} {request.url.query}")
    days = await asyncio.to_thread(copilot.days, rows)
    return JSONResponse(days[(page - 1) * size : page * size])


def _number(request: Request, name: str, default: int, most: int, least: int = 1) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise Refused(400, f"{name} is a number from {least} to {most}.")
    return int(text)


_COUNTERS = {
    "lido_suggestions_shown_total": ("shown", "Suggestions that people saw."),
    "lido_suggestions_accepted_total": ("accepted", "Suggestions accepted whole."),
    "lido_suggestions_partially_accepted_total": ("partially_accepted", "Suggestions accepted in part."),
    "lido_suggestions_rejected_total": ("rejected", "Suggestions rejected."),
    "lido_suggestions_ignored_total": ("ignored", "Suggestions that passed unnoticed."),
    "lido_requests_total": ("requests", "Questions to a model."),
    "lido_errors_total": ("errors", "Questions that failed."),
    "lido_accepted_characters_total": ("accepted_characters", "Characters accepted."),
    "lido_prompt_tokens_total": ("prompt_tokens", "Tokens read by models."),
    "lido_completion_tokens_total": ("completion_tokens", "Tokens written by models."),
}


async def _get_prometheus(_: Request, store: Store, token: Token) -> Response:
    """Counters since the beginning, by team, feature, language and model. Exposition format 0.0.4."""
    labels = ("team", "feature", "language", "model")
    names = [name for name, _ in _COUNTERS.values()]
    rows = await asyncio.to_thread(store.counters, labels, names, token.teams)
    lines = []
    for name, (key, text) in _COUNTERS.items():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} counter"]
        for row in rows:
            marks = ",".join(f'{label}="{_escaped(row[label] or "")}"' for label in labels)
            lines.append(f"{name}{{{marks}}} {row[key]}")
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


# ---------------------------------------------------------------------- around


def _healthy(store: Store) -> Callable[[Request], Awaitable[Response]]:
    def ask() -> None:
        with store.engine.connect() as connection:
            connection.execute(sa.select(1))

    async def endpoint(_: Request) -> Response:
        await asyncio.to_thread(ask)
        return JSONResponse({"status": "ok", "version": lido.__version__})

    return endpoint


async def _get_openapi(_: Request) -> Response:
    return Response(await asyncio.to_thread(openapi.described), media_type="application/json")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"error": error.message}, error.status, error.headers)


async def _unavailable(_: Request, error: Exception) -> Response:
    # The error's text quotes statements and values.
    log.error("database: %s", type(error).__name__)
    return JSONResponse({"error": "The database cannot be reached; try again."}, 503, {"Retry-After": "5"})


async def _missing(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return JSONResponse({"error": "There is nothing here; see /openapi.json."}, status)
