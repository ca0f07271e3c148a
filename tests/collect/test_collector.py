"""The collector as its clients meet it: over HTTP, as a process, on each database."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections import Counter
from datetime import date, timedelta
from typing import Any

import httpx
import jsonschema
import pytest

SINCE = "2026-01-01T00:00:00Z"


def post(collector: Any, token: str, body: Any, **headers: str) -> httpx.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(
        f"{collector.url}/v1/events",
        content=data,
        headers={"Authorization": f"Bearer {token}", **headers},
        timeout=30,
    )


def get(collector: Any, token: str, path: str, **params: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    url = httpx.URL(collector.url + path).copy_merge_params(params)
    return httpx.get(url, headers=headers, timeout=30)


def test_a_batch_counts_once_however_often_it_comes(collector, event):
    writer, reader = collector.token("w", team="core"), collector.token("r", "reader", "core")
    batch = [event(), event(kind="accepted", accepted_characters=40, accepted_lines=2), event(user="u2")]
    assert post(collector, writer, batch).json() == {"stored": 3, "duplicates": 0, "rejected": []}
    assert post(collector, writer, {"events": batch}).json()["duplicates"] == 3
    lines = b"\n".join(json.dumps(each).encode() for each in batch)
    packed = post(collector, writer, gzip.compress(lines), **{"Content-Encoding": "gzip"})
    assert packed.json()["stored"] == 0
    (row,) = get(collector, reader, "/v1/metrics", by="team,language", since=SINCE).json()["rows"]
    assert (row["team"], row["shown"], row["accepted"], row["active_people"]) == ("core", 2, 1, 2)
    assert row["acceptance_rate"] == 0.5
    assert row["accepted_characters"] == 40


def test_the_same_log_gives_the_same_rows_as_lido_metrics(collector, event, tmp_path):
    import sqlite3

    from lido.events import metrics
    from lido.events.schema import COLUMNS
    from lido.events.store import INSERT, connect

    writer, admin = collector.token("w"), collector.token("a", "admin")
    batch = [
        event(
            kind=kind, feature=feature, user=f"u{n % 3}", latency_ms=10.0 * n, first_token_ms=float(n),
            time=f"2026-11-{n + 1:02}T23:59:59.999Z", retained_fraction=0.5, after_seconds=30.0,
        )
        for n, (kind, feature) in enumerate(
            (kind, feature)
            for kind in ("requested", "shown", "accepted", "partially_accepted", "rejected", "retained", "error")
            for feature in ("completion", "plan")
        )
    ]  # fmt: skip
    assert post(collector, writer, batch).json()["stored"] == len(batch)
    path = tmp_path / "events.sqlite3"
    database = connect(path)
    defaults = dict.fromkeys(COLUMNS, "")
    with database:
        for each in batch:
            row = {**defaults, **each}
            database.execute(INSERT, tuple(row[name] for name in COLUMNS))
    database.close()
    sqlite3.connect(path).close()
    for by in ([], ["feature"], ["day", "feature"], ["week"], ["user", "language"]):
        ours = metrics.rows(path, by, "2026-01-01T00:00:00.000Z")
        theirs = get(collector, admin, "/v1/metrics", by=",".join(by), since=SINCE).json()["rows"]
        ours, theirs = (
            sorted(found, key=lambda row, by=by: [str(row[name]) for name in by]) for found in (ours, theirs)
        )
        assert ours
        assert ours == theirs
    # A span that cuts its first and its last day, and one within a day.
    for since, until in (
        ("2026-11-02T12:00:00Z", "2026-11-05T23:59:59.999Z"),
        ("2026-11-03T20:00:00Z", "2026-11-03T21:00:00Z"),
    ):
        ours = metrics.rows(path, ["feature"], metrics.since(since), end=metrics.since(until))
        theirs = get(collector, admin, "/v1/metrics", by="feature", since=since, until=until).json()["rows"]
        assert sorted(ours, key=str) == sorted(theirs, key=str)


def test_a_span_that_is_no_whole_days_and_one_group_alone(collector, event):
    writer, admin = collector.token("w"), collector.token("a", "admin")
    post(
        collector,
        writer,
        [event(time=f"2026-11-{day:02}T{hour:02}:00:00.000Z", language=language)
         for day in range(1, 5) for hour in range(24) for language in ("go", "python", "java")],
    )  # fmt: skip
    span = {"since": "2026-11-01T22:00:00Z", "until": "2026-11-03T06:00:00Z"}
    (row,) = get(collector, admin, "/v1/metrics", **span).json()["rows"]
    assert row["shown"] == 3 * (2 + 24 + 6)
    path = "/v1/metrics?language=go&language=java"
    (row,) = get(collector, admin, path + "&since=2026-11-03T20:00:00Z&until=2026-11-03T21:00:00Z").json()[
        "rows"
    ]
    assert row["shown"] == 2
    assert get(collector, admin, f"{path}&team=none&since=2026-01-01").json()["rows"] == []


def test_times_of_any_zone_count_on_their_day_in_utc(collector, event):
    writer, admin = collector.token("w"), collector.token("a", "admin")
    # Two hours that a wall clock shows twice and never in a year: days are UTC's, whatever it shows.
    times = [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
        "2026-03-29T00:30:00+01:00",
        "2026-11-01T23:30:00-05:00",
    ]
    assert post(collector, writer, [event(time=time) for time in times]).json()["stored"] == 4
    answer = post(collector, writer, [event(time="5d")]).json()
    assert answer["rejected"][0]["reason"] == "time is not ISO 8601"
    rows = get(collector, admin, "/v1/metrics", by="day", since=SINCE).json()["rows"]
    assert {row["day"]: row["shown"] for row in rows} == {"2026-10-25": 2, "2026-03-28": 1, "2026-11-02": 1}
    weeks = get(collector, admin, "/v1/metrics", by="week", since=SINCE).json()["rows"]
    assert {row["week"]: row["shown"] for row in weeks} == {"2026-W43": 2, "2026-W13": 1, "2026-W45": 1}


def test_weeks_are_those_of_iso_8601_in_every_database(collector, event, tmp_path):
    from lido.events import metrics
    from lido.events.schema import Event
    from lido.events.store import EventLog

    days = [
        date(year, 1, 1) + timedelta(days=number) for year in range(2015, 2034) for number in range(-8, 9)
    ]
    batch = [event(time=f"{day}T{hour}") for day in days for hour in ("00:00:00.000Z", "23:59:59.999Z")]
    writer, admin = collector.token("w"), collector.token("a", "admin")
    assert post(collector, writer, batch).json()["stored"] == len(batch)
    rows = get(collector, admin, "/v1/metrics", by="week", since="2000-01-01").json()["rows"]
    expected = Counter(day.strftime("%G-W%V") for day in days for _ in range(2))
    assert {row["week"]: row["shown"] for row in rows} == expected
    log = EventLog(tmp_path / "events.sqlite3", retention_days=10_000)
    for each in batch:
        log.record(Event(**each))
    log.close()
    assert {row["week"]: row["shown"] for row in metrics.rows(log.path, ["week"])} == expected


def test_what_is_purged_leaves_every_count(collector, event):
    writer, admin = collector.token("w"), collector.token("a", "admin")
    batch = [
        event(user=user, time=f"2026-11-0{day}T12:00:00.000Z")
        for user in ("ann", "bob")
        for day in (1, 2, 3, 4)
    ]
    post(collector, writer, batch)

    def counts() -> dict[str, int]:
        rows = get(collector, admin, "/v1/metrics", by="user,day", since=SINCE).json()["rows"]
        return {f"{row['user']} {row['day'][-2:]}": row["shown"] for row in rows}

    collector.lido("purge", "--user", "ann", "--before", "2026-11-02T18:00:00Z", "--yes")
    assert sorted(counts()) == ["ann 02", "ann 03", "ann 04", "bob 01", "bob 02", "bob 03", "bob 04"]
    collector.lido("purge", "--before", "2026-11-03", "--yes")
    assert sorted(counts()) == ["ann 03", "ann 04", "bob 03", "bob 04"]
    (row,) = get(collector, admin, "/v1/metrics", since="2026-11-02T06:00:00Z").json()["rows"]
    assert row["shown"] == 4, "nor among the events"
    collector.lido("purge", "--user", "bob", "--yes")
    assert sorted(counts()) == ["ann 03", "ann 04"]
    with pytest.raises(subprocess.CalledProcessError):
        collector.lido("purge", "--yes")
    notes = get(collector, admin, "/v1/audit").json()["rows"]
    assert (
        next(note["detail"] for note in notes if note["action"] == "purged")
        == "2 events of a person before now"
    )


def test_a_token_may_have_several_teams(collector, event):
    writer, reader = (
        collector.token("w", "writer", "core", "web"),
        collector.token("r", "reader", "web", "data"),
    )
    admin, data = collector.token("a", "admin"), collector.token("d", team="data")
    post(collector, writer, [event(team="web"), event(team="core"), event(team="data"), event()])
    post(collector, data, [event()])
    counts = {
        row["team"]: row["shown"]
        for row in get(collector, admin, "/v1/metrics", by="team", since=SINCE).json()["rows"]
    }
    assert counts == {"core": 3, "web": 1, "data": 1}
    seen = {
        row["team"]: row["shown"]
        for row in get(collector, reader, "/v1/metrics", by="team", since=SINCE).json()["rows"]
    }
    assert seen == {"web": 1, "data": 1}
    assert get(collector, reader, "/v1/metrics?team=core", since=SINCE).json()["rows"] == []
    assert get(collector, reader, "/orgs/o/team/core/copilot/metrics").status_code == 403
    assert (
        get(collector, reader, "/orgs/o/team/data/copilot/metrics", since=SINCE).json()[0][
            "total_active_users"
        ]
        == 1
    )


def test_a_token_is_replaced_without_a_gap(collector, event):
    old = collector.token("w", team="core")
    new = collector.lido("token", "rotate", "w", "--grace", "1h")
    assert post(collector, old, [event()]).status_code == post(collector, new, [event()]).status_code == 200
    newest = collector.lido("token", "rotate", "w", "--grace", "0s")
    assert [post(collector, each, []).status_code for each in (old, new, newest)] == [200, 401, 200]
    collector.lido("token", "revoke", "w")
    assert [post(collector, each, []).status_code for each in (old, new, newest)] == [401, 401, 401]
    assert post(collector, collector.token("w"), []).status_code == 200, "a name can be used again"
    with pytest.raises(subprocess.CalledProcessError):
        collector.lido("token", "rotate", "nobody")


def test_wrong_tokens_and_roles_are_refused_and_noted(collector, event):
    writer, reader = collector.token("w", team="core"), collector.token("r", "reader", "core")
    admin = collector.token("a", "admin")
    assert post(collector, "wrong", [event()]).status_code == 401
    assert post(collector, reader, [event()]).status_code == 403
    assert get(collector, writer, "/v1/metrics").status_code == 403
    assert get(collector, reader, "/v1/audit").status_code == 403
    assert httpx.get(f"{collector.url}/metrics").status_code == 401
    collector.lido("token", "revoke", "w")
    assert post(collector, writer, [event()]).status_code == 401
    notes = get(collector, admin, "/v1/audit").json()["rows"]
    assert {"refused", "token added", "token revoked", "read audit"} <= {note["action"] for note in notes}
    assert not any(writer in str(note) for note in notes)


def test_a_reader_sees_its_team_alone_and_a_writer_writes_for_its_own(collector, event):
    core, web = collector.token("c", team="core"), collector.token("w", team="web")
    reader = collector.token("r", "reader", "core")
    post(collector, core, [event(team="web")])  # says so, but its token says otherwise
    post(collector, web, [event(), event()])
    (row,) = get(collector, reader, "/v1/metrics", by="team", since=SINCE).json()["rows"]
    assert (row["team"], row["shown"]) == ("core", 1)
    assert get(collector, reader, "/orgs/acme/team/web/copilot/metrics").status_code == 403
    assert 'team="web"' not in get(collector, reader, "/metrics").text


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"\xff\xfe garbage", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"42", {}, 400),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400),
        (b"[]", {"Content-Encoding": "br"}, 415),
        (gzip.compress(b"[" + b" " * 40_000_000 + b"]"), {"Content-Encoding": "gzip"}, 413),
        (json.dumps([{}] * 5001).encode(), {}, 413),
        (b"[" + b" " * 9_000_000 + b"]", {}, 413),
    ],
    ids=["empty", "garbage", "deep", "number", "not gzip", "br", "bomb", "many", "large"],
)
def test_what_is_no_batch_is_refused_with_a_reason(collector, body, headers, status):
    writer = collector.token("w")
    answer = post(collector, writer, body, **headers)
    assert answer.status_code == status
    assert answer.json()["error"]
    (note,) = (
        each
        for each in get(collector, collector.token("a", "admin"), "/v1/audit").json()["rows"]
        if each["action"] == "refused"
    )
    assert (note["who"], note["detail"].partition(":")[0]) == ("w", f"{status} POST /v1/events")
    assert post(collector, writer, []).status_code == 200


def test_bad_rows_are_refused_one_by_one_and_sql_is_only_text(collector, event):
    writer, admin = collector.token("w"), collector.token("a", "admin")
    sql = "'; DROP TABLE events; --"
    words = ("language", "editor", "project", "model", "user", "reason", "backend", "server_version", "team")
    bad = [
        event(kind="nonsense"), event(extra=1), event(lines="many"), event(id=""), event(time="yesterday"),
        event(language="x" * 501), event(model="a\0b"), event(lines=1e300), event(lines=True), [], None, "x",
        event(editor="\ud800"), {},
    ]  # fmt: skip
    good = [event(**{word: sql}) for word in words]
    answer = post(collector, writer, [*bad, *good]).json()
    assert answer["stored"] == len(good)
    assert [each["index"] for each in answer["rejected"]] == list(range(len(bad)))
    rows = get(collector, admin, "/v1/metrics", by="language", since=SINCE).json()["rows"]
    assert sum(row["shown"] for row in rows) == len(good)
    assert sql in {row["language"] for row in rows}
    for query in ({"by": sql}, {"since": sql}, {"min_people": "-1"}, {"until": "99999999999999999999d"}):
        assert get(collector, admin, "/v1/metrics", **query).status_code == 400


def test_whatever_a_model_wrote_the_event_counts(collector, event):
    writer, admin = collector.token("w"), collector.token("a", "admin")
    texts = ["a\0b", "\ud83d", "x" * 300_000, ""]
    answer = post(collector, writer, [event(text=text) for text in texts]).json()
    assert (answer["stored"], answer["rejected"]) == (4, [])
    (row,) = get(collector, admin, "/v1/metrics", since=SINCE).json()["rows"]
    assert row["shown"] == 4


def test_small_groups_are_left_out_when_asked(collector, event):
    writer, admin = collector.token("w"), collector.token("a", "admin")
    post(collector, writer, [event(language="go"), *(event(user=f"u{n}") for n in range(5))])
    rows = get(collector, admin, "/v1/metrics", by="language", since=SINCE, min_people="5").json()["rows"]
    assert [row["language"] for row in rows] == ["python"]


def test_prometheus_reads_the_counters(collector, event):
    writer, admin = collector.token("w", team='a"b\\c\nd'), collector.token("a", "admin")
    post(collector, writer, [event(), event(kind="accepted", accepted_characters=7)])
    text = get(collector, admin, "/metrics").text
    line = 'lido_suggestions_shown_total{team="a\\"b\\\\c\\nd",feature="completion",language="python",model="qwen"} 1'
    assert line in text.splitlines()
    assert "# TYPE lido_accepted_characters_total counter" in text


NUMBER = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}


def shape(**members: Any) -> dict[str, Any]:
    """An object with just these members, all of them there."""
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def several(**members: Any) -> dict[str, Any]:
    return {"type": "array", "items": shape(**members)}


def by_editor(**inner: Any) -> dict[str, Any]:
    model = {
        "name": TEXT, "is_custom_model": {"type": "boolean"}, "custom_model_training_date": {"type": ["string", "null"]},
        "total_engaged_users": NUMBER, **inner,
    }  # fmt: skip
    return several(name=TEXT, total_engaged_users=NUMBER, models=several(**model))


# The facts of `copilot-usage-metrics-day` in GitHub's OpenAPI description (github/rest-api-description, API version
# 2022-11-28, in the form of August 2025; later ones have reports to download instead), and stricter: there only
# `date` must be there, and the four parts may be null. Lido always has them all.
COPILOT = several(
    date={"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
    total_active_users=NUMBER,
    total_engaged_users=NUMBER,
    copilot_ide_code_completions=shape(
        total_engaged_users=NUMBER,
        languages=several(name=TEXT, total_engaged_users=NUMBER),
        editors=by_editor(
            languages=several(
                name=TEXT, total_engaged_users=NUMBER, total_code_suggestions=NUMBER, total_code_acceptances=NUMBER,
                total_code_lines_suggested=NUMBER, total_code_lines_accepted=NUMBER,
            )
        ),
    ),
    copilot_ide_chat=shape(
        total_engaged_users=NUMBER,
        editors=by_editor(total_chats=NUMBER, total_chat_insertion_events=NUMBER, total_chat_copy_events=NUMBER),
    ),
    copilot_dotcom_chat=shape(total_engaged_users=NUMBER, models={"type": "array"}),
    copilot_dotcom_pull_requests=shape(total_engaged_users=NUMBER, repositories={"type": "array"}),
)  # fmt: skip


def test_dashboards_made_for_copilot_read_the_numbers(collector, event):
    writer, admin = collector.token("w", team="core"), collector.token("a", "admin")
    post(
        collector,
        writer,
        [
            event(), event(user="u2"), event(kind="accepted", accepted_lines=2),
            event(language="go", editor="neovim"),
            event(feature="chat", kind="requested", user="u3"), event(feature="chat", user="u3"),
            event(feature="chat_apply", kind="accepted", user="u3"),
            event(time="2026-11-02T10:00:00.000Z"),
        ],
    )  # fmt: skip
    for path in ("/orgs/acme/copilot/metrics", "/orgs/acme/team/core/copilot/metrics"):
        days = get(collector, admin, path, since=SINCE).json()
        jsonschema.validate(days, COPILOT)
        first = days[0]
        assert [day["date"] for day in days] == ["2026-11-01", "2026-11-02"]
        assert (first["total_active_users"], first["total_engaged_users"]) == (3, 2)
        editors = {each["name"]: each for each in first["copilot_ide_code_completions"]["editors"]}
        python = editors["vscode"]["models"][0]["languages"][0]
        assert (python["total_code_suggestions"], python["total_code_acceptances"]) == (2, 1)
        assert (python["total_code_lines_suggested"], python["total_code_lines_accepted"]) == (4, 2)
        chat = first["copilot_ide_chat"]["editors"][0]["models"][0]
        assert (chat["total_chats"], chat["total_chat_insertion_events"]) == (1, 1)
    assert get(collector, admin, "/orgs/acme/team/other/copilot/metrics", since=SINCE).json() == []


def test_copilots_days_come_in_pages(collector, event):
    writer, admin = collector.token("w"), collector.token("a", "admin")
    post(collector, writer, [event(time=f"2026-10-{day:02}T10:00:00.000Z") for day in range(1, 32)])

    def page(**params: str) -> list[str]:
        answer = get(collector, admin, "/orgs/acme/copilot/metrics", since="2026-09-01T00:00:00Z", **params)
        return [day["date"][-2:] for day in answer.json()]

    assert page() == [f"{day:02}" for day in range(1, 29)]
    assert page(page="2") == ["29", "30", "31"]
    assert page(page="3") == []
    assert page(page="4", per_page="10") == ["31"]
    assert len(page(per_page="100")) == 31
    for wrong in ({"page": "0"}, {"per_page": "101"}, {"per_page": "x"}):
        assert get(collector, admin, "/orgs/acme/copilot/metrics", **wrong).status_code == 400
    # As GitHub's older clients say it.
    answer = httpx.get(
        f"{collector.url}/enterprises/acme/copilot/metrics?since=2026-01-01",
        headers={"Authorization": f"token {admin}"},
    )
    assert len(answer.json()) == 28


def test_what_was_acknowledged_outlives_a_kill(collector, event):
    writer, admin = collector.token("w"), collector.token("a", "admin")
    post(collector, writer, [event() for _ in range(50)])
    collector.stop(kill=True)
    collector.start()
    (row,) = get(collector, admin, "/v1/metrics", since=SINCE).json()["rows"]
    assert row["shown"] == 50


# ---------------------------------------------------------------------- the page


def test_a_browser_signs_in_with_a_readers_token_and_out_again(collector, event):
    writer, reader = collector.token("w", team="core"), collector.token("r", "reader", "core")
    admin = collector.token("a", "admin")
    post(collector, writer, [event()])
    with httpx.Client(base_url=collector.url) as browser:
        page = browser.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "script-src 'self'" in page.headers["content-security-policy"]
        for name in ("app.js", "app.css", "uPlot.iife.min.js", "uPlot.min.css"):
            assert f"dashboard/{name}" in page.text
            assert browser.get(f"/dashboard/{name}").status_code == 200
        assert browser.get("/dashboard/../../../../etc/passwd").status_code == 404
        assert browser.get("/dashboard/__init__.py").status_code == 404
        assert browser.get("/v1/metrics").status_code == 401
        notes = get(collector, admin, "/v1/audit").json()["rows"]
        assert "refused" not in {note["action"] for note in notes}, "to look is no attempt"
        for wrong, status in (("nonsense", 401), (writer, 403), ("é", 401), ("", 401)):
            assert browser.post("/v1/session", json={"token": wrong}).status_code == status
        for body in (b"", b"[]", b"{", b'{"token": 1}'):
            headers = {"Content-Type": "application/json"}
            assert browser.post("/v1/session", content=body, headers=headers).status_code == 400
        assert browser.post("/v1/session", json={"token": "x" * 5000}).status_code == 413
        form = browser.post("/v1/session", data={"token": reader})
        assert form.status_code == 415, "another site's form could send this"
        assert "cookie" not in str(form.headers)

        answer = browser.post("/v1/session", json={"token": reader})
        assert answer.json() == {"name": "r", "role": "reader", "teams": ["core"]}
        cookie = answer.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
        (row,) = browser.get("/v1/metrics", params={"since": SINCE, "by": "team"}).json()["rows"]
        assert (row["team"], row["shown"]) == ("core", 1)
        assert browser.get("/v1/audit").status_code == 403

        assert browser.delete("/v1/session").status_code == 204
        assert browser.get("/v1/metrics").status_code == 401
        browser.post("/v1/session", json={"token": admin})
        assert browser.post("/v1/events", json=[event()]).status_code == 401, "a cookie only reads"
        assert browser.get("/v1/metrics").status_code == 200
        collector.lido("token", "revoke", "a")
        assert browser.get("/v1/metrics").status_code == 401


def test_no_answer_is_kept_or_framed(collector):
    reader = collector.token("r", "reader", "core")
    for answer in (
        get(collector, reader, "/v1/metrics"),
        get(collector, "wrong", "/metrics"),
        get(collector, reader, "/no"),
    ):
        assert answer.json().keys() & {"rows", "error"}
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
async def test_a_cookie_from_tls_stays_on_tls(tmp_path, scheme, secure):
    from lido.collect.app import build
    from lido.collect.store import Store

    store = Store(f"sqlite:///{tmp_path / 'collector.sqlite3'}")
    store.prepare()
    token = store.add_token("a", "admin")
    transport = httpx.ASGITransport(build(store))
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://collector.example") as browser:
        answer = await browser.post("/v1/session", json={"token": token})
        assert ("Secure" in answer.headers["set-cookie"]) == secure
        assert (await browser.get("/v1/audit")).status_code == 200
        gone = await browser.delete("/v1/session")
        assert ("Secure" in gone.headers["set-cookie"]) == secure
        assert (await browser.get("/v1/audit")).status_code == 401
    store.close()
