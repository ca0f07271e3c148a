"""What an older collector left is brought up to date."""

from __future__ import annotations

from dataclasses import fields

import pytest
import sqlalchemy as sa

from lido.collect.store import Store, _hash
from lido.events.schema import COLUMNS, Event, uuid7


def old(url: str) -> None:
    """A database of schema 1 with a token and two events."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    kinds = {"float": "DOUBLE PRECISION", "int": "BIGINT"}
    columns = ", ".join(
        f'"{each.name}" {kinds.get(str(each.type).split(" ")[0], "TEXT")}'
        for each in fields(Event)
        if each.name != "id"
    )
    with engine.begin() as connection:
        for table in ("events", "daily", "tokens", "audit", "meta"):
            connection.execute(sa.text(f"DROP TABLE IF EXISTS {table}"))
        for made in (
            f"events (id TEXT PRIMARY KEY, {columns}, received TEXT NOT NULL)",
            "tokens (hash TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, team TEXT NOT NULL, role TEXT NOT NULL, "
            "created TEXT NOT NULL, revoked TEXT)",
            "meta (schema INTEGER PRIMARY KEY)",
        ):
            connection.execute(sa.text(f"CREATE TABLE {made}"))
        connection.execute(sa.text("INSERT INTO meta VALUES (1)"))
        for name, team in (("w", "core"), ("a", "")):
            row = {"hash": _hash(name), "name": name, "team": team, "role": "writer" if team else "admin"}
            connection.execute(
                sa.text(
                    "INSERT INTO tokens VALUES (:hash, :name, :team, :role, '2026-01-01T00:00:00.000Z', NULL)"
                ),
                row,
            )
        for kind in ("shown", "accepted"):
            event = Event(
                uuid7(), "2026-11-01T10:00:00.000Z", "s", kind, "completion", team="core", latency_ms=70.0
            )
            marks = ", ".join(f":{name}" for name in COLUMNS)
            connection.execute(
                sa.text(f"INSERT INTO events VALUES ({marks}, '2026-11-01')"),
                {name: getattr(event, name) for name in COLUMNS},
            )
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_tokens_and_counts_outlive_an_update(kind, request, tmp_path):
    url = f"sqlite:///{tmp_path / 'old.sqlite3'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres").database("old")
    old(url)
    store = Store(url)
    try:
        store.prepare()
        store.prepare()
        writer, admin = store.token("w"), store.token("a")
        assert (writer and writer.teams, admin and admin.teams) == (("core",), ())
        assert (
            store.add([Event(uuid7(), "2026-11-01T11:00:00.000Z", "t", "shown", "completion")], ["core"]) == 1
        )
        (row,) = store.metrics(["team"])
        assert (row["team"], row["shown"], row["accepted"]) == ("core", 2, 1)
        assert 60 < row["latency_p50_ms"] < 80
    finally:
        store.close()


def test_what_a_newer_lido_made_is_left_alone(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    store.prepare()
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE meta SET schema = 99"))
    with pytest.raises(RuntimeError, match="newer"):
        store.prepare()
    store.close()
