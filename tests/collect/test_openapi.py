"""What the collector answers is what its description says, whatever it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest

from lido.events.schema import COLUMNS

SQL = (
    "'; DROP TABLE events; --",
    '" OR 1=1 --',
    "1); DELETE FROM tokens; --",
    "%' UNION SELECT hash FROM tokens --",
)
GARBAGE = (
    *SQL,
    "",
    "\0",
    "é\u202e😀",
    "-1",
    "1e99",
    "9" * 400,
    "x" * 3000,
    "../../etc/passwd",
    "28d",
    "None",
    "²",
)


class Described:
    """Requests whose answers are held against the description."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=30)
        self.openapi = self.client.get("/openapi.json").json()
        self.seen: set[tuple[str, str, int]] = set()

    def ask(self, method: str, path: str, token: str = "", /, **request: Any) -> httpx.Response:
        headers = request.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token.strip() else {})
        answer = self.client.request(method, path, headers=headers, **request)
        template = next(
            each
            for each in self.openapi["paths"]
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]*", each), path.partition("?")[0])
        )
        answers = self.openapi["paths"][template][method.lower()]["responses"]
        status = str(answer.status_code)
        assert status in answers, f"{method} {path}: {status} {answer.text[:300]}"
        self.seen.add((method, template, answer.status_code))
        for kind, content in answers[status].get("content", {}).items():
            assert answer.headers["content-type"].partition(";")[0] == kind
            if kind == "application/json":
                schema = content["schema"] | {"components": self.openapi["components"]}
                jsonschema.validate(answer.json(), schema, jsonschema.Draft202012Validator)
        return answer


@pytest.fixture
def described(collector: Any) -> Iterator[Described]:
    made = Described(collector.url)
    yield made
    made.client.close()


def test_the_description_is_sound_and_complete(described: Described, collector: Any) -> None:
    openapi = described.openapi
    assert openapi["openapi"] == "3.1.0"
    for schema in openapi["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            placed = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert placed == set(re.findall(r"\{(\w+)\}", path))
            answer = described.ask(method.upper(), re.sub(r"\{\w+\}", "x", path))
            open_to_all = operation.get("security") == []
            assert (answer.status_code == 401) != open_to_all, path
    assert set(openapi["components"]["schemas"]["Event"]["properties"]) == set(COLUMNS)


def test_good_answers_are_as_described(
    described: Described, collector: Any, event: Callable[..., dict[str, object]]
) -> None:
    writer, admin = collector.token("w", team="core"), collector.token("a", "admin")
    batch = [
        event(kind=kind, feature=feature, editor=editor, latency_ms=12.5, first_token_ms=3.0, prompt_tokens=9,
              retained_fraction=0.5, after_seconds=30.0, accepted_lines=1, text="x", user=user)
        for kind in ("requested", "shown", "accepted", "partially_accepted", "rejected", "ignored", "retained", "undone", "error")
        for feature in ("completion", "next_edit", "chat", "chat_apply", "plan", "code_action")
        for editor, user in (("vscode", "u1"), ("", ""))
    ]  # fmt: skip
    validator = jsonschema.Draft202012Validator(described.openapi["components"]["schemas"]["Event"])
    for each in batch:
        validator.validate(each)
    assert described.ask("POST", "/v1/events", writer, json=[*batch, {}]).json()["stored"] == len(batch)
    dimensions = "language,team,project,model,editor,feature,user,day,week"
    for by in ("", *dimensions.split(","), dimensions):
        rows = described.ask("GET", f"/v1/metrics?since=2026-01-01&by={by}", admin).json()["rows"]
        assert sum(row["requests"] for row in rows) == 12
    for path in described.openapi["paths"]:
        if "copilot" in path:
            days = described.ask(
                "GET", f"{path.format(org='acme', team='core')}?since=2026-01-01", admin
            ).json()
            assert [day["date"] for day in days] == ["2026-11-01"]
    assert described.ask("GET", "/v1/audit", admin).json()["rows"]
    described.ask("GET", "/metrics", admin)
    described.ask("GET", "/healthz")
    described.ask("POST", "/v1/session", json={"token": admin})
    described.ask("DELETE", "/v1/session")
    good = {(method, path) for method, path, status in described.seen if status in (200, 204)}
    assert good == {
        (method.upper(), path) for path, methods in described.openapi["paths"].items() for method in methods
    }


def test_no_question_breaks_it(
    described: Described, collector: Any, event: Callable[..., dict[str, object]]
) -> None:
    writer, admin = collector.token("w", team="core"), collector.token("a", "admin")
    described.ask("POST", "/v1/events", writer, json=[event()])
    for path, methods in described.openapi["paths"].items():
        names = [
            each["name"] for each in methods.get("get", {}).get("parameters", []) if each["in"] == "query"
        ]
        for garbage in GARBAGE:
            place = quote(garbage.replace("/", "") or "x", safe="")
            asked = path.replace("{org}", place).replace("{team}", place)
            if "get" in methods and "{" in path:
                described.ask("GET", asked, admin)
            plain = path.format(org="o", team="t")
            for name in [*names, "unknown"]:
                if "get" in methods:
                    described.ask("GET", f"{plain}?{name}={quote(garbage, safe='')}", admin)
    for garbage in GARBAGE:
        if garbage.isascii() and "\0" not in garbage:
            described.ask("GET", "/v1/metrics", garbage)
            described.ask("GET", "/v1/metrics", headers={"Cookie": f"lido={garbage}"})
        described.ask("POST", "/v1/session", json={"token": garbage})
        described.ask("POST", "/v1/session", json=garbage)
        described.ask("POST", "/v1/events", writer, content=garbage.encode())
    (row,) = described.ask("GET", "/v1/metrics?since=2026-01-01", admin).json()["rows"]
    assert row["shown"] == 1, "everything is still there"


def test_no_field_breaks_it(
    described: Described, collector: Any, event: Callable[..., dict[str, object]]
) -> None:
    writer, admin = collector.token("w"), collector.token("a", "admin")
    values = (*GARBAGE, "\ud800", 10**400, -1, 1.5, 10**12, True, None, [], {}, float("nan"), float("inf"), 0)
    batch = [event(**{name: value}) for name in COLUMNS for value in values]
    batch += [event(**{str(value): "x"}) for value in values]
    body = json.dumps(batch).encode()
    answer = described.ask("POST", "/v1/events", writer, content=body).json()
    assert answer["stored"] + answer["duplicates"] + len(answer["rejected"]) == len(batch)
    assert answer["stored"] > 100
    schema = jsonschema.Draft202012Validator(described.openapi["components"]["schemas"]["Event"])
    refused = {each["index"] for each in answer["rejected"]}
    for index, each in enumerate(batch):
        if index not in refused:
            schema.validate(each)
    dimensions = "language,team,project,model,editor,feature,user,day,week"
    rows = described.ask("GET", f"/v1/metrics?since=0001-01-01&by={dimensions}", admin).json()["rows"]
    stored = [each for number, each in enumerate(batch) if number not in refused]
    assert sum(row["shown"] for row in rows) == answer["stored"] == len({each["id"] for each in stored})
    assert set(SQL) <= {row["language"] for row in rows}
    for path in ("/metrics", "/orgs/o/copilot/metrics?since=0001-01-01", "/v1/audit"):
        assert described.ask("GET", path, admin).status_code == 200
