"""The collector's surface, described: OpenAPI 3.1."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter

import lido
from lido.collect import copilot
from lido.events import metrics
from lido.events.schema import Event

MAX_EVENTS = 5000
"""Events of one batch."""
MAX_WORD = 500
"""Characters of any member but `text`."""
MAX_TEXT = 100_000
"""Characters that are kept of `text`."""
MAX_NUMBER = 10**12
"""Of anything that is counted or measured; sums of millions of these are still exact."""
COOKIE = "lido"

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}


@cache
def described() -> bytes:
    """As JSON."""
    return json.dumps(_description()).encode()


def _object(members: Schema, *optional: str) -> Schema:
    """With these members and no others, all there but the `optional` ones."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": members, "required": required, "additionalProperties": False}


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _answer(text: str, schema: Schema | None, kind: str = "application/json") -> Schema:
    return {"description": text} | ({"content": {kind: {"schema": schema}}} if schema else {})


_ERROR = _object({"error": TEXT})
_TROUBLES = {
    400: "what is wrong with the request",
    401: "no valid token",
    403: "the token's role or teams do not allow it",
    411: "no Content-Length",
    413: "too large",
    415: "a Content-Encoding or Content-Type that is not known",
    429: "more requests than the token may make; Retry-After says in how many seconds to come again",
    503: "the database cannot be reached; try again",
}
_ALWAYS = (400, 401, 403, 429, 503)
_BODY = (*_ALWAYS, 411, 413, 415)


def _operation(
    summary: str,
    answer: Schema,
    parameters: Sequence[Schema] = (),
    troubles: tuple[int, ...] = _ALWAYS,
    **more: Any,
) -> Schema:
    answers = {str(status): _answer(_TROUBLES[status], _ERROR) for status in troubles}
    good = "200" if "content" in answer else "204"
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {good: answer, **answers},
        **more,
    }


def _parameter(name: str, schema: Schema, text: str = "", place: str = "query") -> Schema:
    made = {"name": name, "in": place, "required": place == "path", "schema": schema}
    return made | ({"description": text} if text else {})


def _event() -> Schema:
    made = TypeAdapter(Event).json_schema()
    made["additionalProperties"] = False
    for name, member in made["properties"].items():
        for kind in member.get("anyOf", [member]):
            if kind.get("type") == "string" and "enum" not in kind:
                if name != "text":
                    kind["maxLength"] = MAX_WORD
            elif kind.get("type") in ("integer", "number"):
                kind |= {"minimum": 0, "maximum": 1 if name == "retained_fraction" else MAX_NUMBER}
    made["properties"]["text"]["description"] = f"{MAX_TEXT} characters are kept"
    made["properties"]["id"]["minLength"] = 1
    made["properties"]["time"] |= {"format": "date-time", "description": "ISO 8601; kept in UTC"}
    return made


def _row() -> Schema:
    kinds: dict[type, Schema] = {str: TEXT, int: COUNT, float: {"type": ["number", "null"], "minimum": 0}}
    members = {name: kinds[kind] for name, kind in metrics.columns(tuple(metrics.DIMENSIONS)).items()}
    members["open"] = {"type": "integer"}
    return _object(members, *metrics.DIMENSIONS)


def _day() -> Schema:
    people = {"total_engaged_users": COUNT}

    def named(**members: Schema) -> Schema:
        return _list(_object({"name": TEXT, **people, **members}))

    def models(**members: Schema) -> Schema:
        fixed: Schema = {
            "is_custom_model": {"type": "boolean"},
            "custom_model_training_date": {"type": ["string", "null"]},
        }
        return named(**fixed, **members)

    counts = (
        "total_code_suggestions",
        "total_code_acceptances",
        "total_code_lines_suggested",
        "total_code_lines_accepted",
    )
    chats = ("total_chats", "total_chat_insertion_events", "total_chat_copy_events")
    by_language = models(languages=named(**dict.fromkeys(counts, COUNT)))
    return _object(
        {
            "date": {"type": "string", "format": "date"},
            "total_active_users": COUNT,
            **people,
            "copilot_ide_code_completions": _object(
                {**people, "languages": named(), "editors": named(models=by_language)}
            ),
            "copilot_ide_chat": _object(
                {**people, "editors": named(models=models(**dict.fromkeys(chats, COUNT)))}
            ),
            "copilot_dotcom_chat": _object({**people, "models": _list({})}),
            "copilot_dotcom_pull_requests": _object({**people, "repositories": _list({})}),
        }
    )


def _description() -> Schema:
    span = [
        _parameter("since", {**TEXT, "default": "28d"}, "28d, 12h, or ISO 8601"),
        _parameter("until", TEXT, "the same; the end itself is left out"),
    ]
    by = _parameter("by", TEXT, f"any of {', '.join(metrics.DIMENSIONS)}, with commas")
    least = _parameter("min_people", {**COUNT, "maximum": 999_999}, "leave out groups of fewer people")
    only = [
        _parameter(name, _list(TEXT, maxItems=100), f"count this {name} alone; may be repeated")
        for name in metrics.FILTERS
    ]
    pages = [
        _parameter("page", {"type": "integer", "minimum": 1, "maximum": 10**6, "default": 1}),
        _parameter("per_page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 28}),
    ]
    events = {"$ref": "#/components/schemas/Event"}
    several = _list(events, maxItems=MAX_EVENTS)
    note = _object({"id": {"type": "integer"}, "time": TEXT, "who": TEXT, "action": TEXT, "detail": TEXT})
    rejected = _object({"index": COUNT, "reason": TEXT})
    copilots = {
        path: {
            "get": _operation(
                "The shape of GitHub's Copilot Metrics API",
                _answer("days", _list({"$ref": "#/components/schemas/CopilotDay"})),
                [_parameter(name, TEXT, "", "path") for name in ("org", "team") if f"{{{name}}}" in path]
                + [*span, *pages],
            )
        }
        for path in copilot.PATHS
    }
    healthy = _answer("it works", _object({"status": {"const": "ok"}, "version": TEXT}))
    session = _object({"name": TEXT, "role": {"enum": ["reader", "admin"]}, "teams": _list(TEXT)})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lido collector", "version": lido.__version__},
        "security": [{"token": []}],
        "paths": {
            "/v1/events": {
                "post": _operation(
                    "Store events; those that are there already are left alone",
                    _answer(
                        "durable",
                        _object({"stored": COUNT, "duplicates": COUNT, "rejected": _list(rejected)}),
                    ),
                    troubles=_BODY,
                    requestBody={
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": {"anyOf": [several, _object({"events": several}), events]}
                            },
                            "application/jsonl": {"schema": TEXT},
                        },
                    },
                )
            },
            "/v1/metrics": {
                "get": _operation(
                    "Counts by any dimensions",
                    _answer("groups", _object({"rows": _list({"$ref": "#/components/schemas/Row"})})),
                    [by, *span, least, *only],
                    security=[{"token": []}, {"session": []}],
                )
            },
            "/v1/audit": {
                "get": _operation(
                    "Who read or changed what, the latest first",
                    _answer("notes", _object({"rows": _list(note)})),
                )
            },
            "/v1/session": {
                "post": _operation(
                    "Sign a browser in: sets a cookie with which it may read",
                    _answer("whose token it is", session),
                    troubles=_BODY,
                    security=[],
                    requestBody={
                        "required": True,
                        "content": {"application/json": {"schema": _object({"token": TEXT})}},
                    },
                ),
                "delete": _operation(
                    "Sign out", _answer("the cookie is gone", None), troubles=(), security=[]
                ),
            },
            "/metrics": {
                "get": _operation(
                    "Prometheus counters", _answer("exposition format 0.0.4", TEXT, "text/plain")
                )
            },
            **copilots,
            "/healthz": {"get": _operation("Whether it works", healthy, troubles=(503,), security=[])},
        },
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
            "schemas": {"Event": _event(), "Row": _row(), "CopilotDay": _day()},
        },
    }
