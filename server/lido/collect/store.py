"""What the collector keeps: events, tokens, and who read or changed what. SQLite or PostgreSQL by URL."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

import sqlalchemy as sa

from lido.events import metrics, rollup
from lido.events.schema import COLUMNS, Event, utc

Role = Literal["writer", "reader", "admin"]
ROLES: tuple[Role, ...] = ("writer", "reader", "admin")
SCHEMA = 2

NUMBERS: dict[str, Any] = {
    "latency_ms": sa.Float,
    "first_token_ms": sa.Float,
    "retained_fraction": sa.Float,
    "after_seconds": sa.Float,
    "prompt_tokens": sa.BigInteger,
    "completion_tokens": sa.BigInteger,
    "lines": sa.BigInteger,
    "characters": sa.BigInteger,
    "accepted_lines": sa.BigInteger,
    "accepted_characters": sa.BigInteger,
}

tables = sa.MetaData()
events = sa.Table(
    "events",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    *(sa.Column(name, NUMBERS.get(name, sa.Text)) for name in COLUMNS if name != "id"),
    sa.Column("received", sa.Text, nullable=False),
    sa.Index("events_time", "time"),
    sa.Index("events_team_time", "team", "time"),
)
daily = sa.Table(
    "daily",
    tables,
    # Of all of `rollup.KEYS`: together they may be longer than an index takes.
    sa.Column("key", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in rollup.KEYS),
    # PostgreSQL adds up small numbers much faster than large ones.
    *(
        sa.Column(
            name, sa.Float if name.startswith("kept_") else NUMBERS.get(name, sa.Integer), nullable=False
        )
        for name in (*rollup.MEASURES, *rollup.LATENCIES)
    ),
    # SQLite reads a group after the other in its index's order, instead of sorting wide rows.
    *(sa.Index(f"daily_{name}", name) for name in rollup.KEYS if name != "backend"),
)
tokens = sa.Table(
    "tokens",
    tables,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("teams", sa.Text, nullable=False),  # JSON
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("expires", sa.Text),
    sa.Column("revoked", sa.Text),
)
_current = sa.and_(tokens.c.revoked.is_(None), tokens.c.expires.is_(None))
sa.Index("tokens_name", tokens.c.name, unique=True, sqlite_where=_current, postgresql_where=_current)
audit = sa.Table(
    "audit",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("time", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)
meta = sa.Table("meta", tables, sa.Column("schema", sa.Integer, primary_key=True))


@dataclass(frozen=True, slots=True)
class Token:
    """No `teams` are no teams in particular: an admin's, or a writer's whose events name theirs."""

    name: str
    teams: tuple[str, ...]
    role: Role


class Store:
    """Thread-safe; every method blocks. Raises sqlalchemy.exc.SQLAlchemyError."""

    def __init__(self, url: str, prices: metrics.Prices | None = None) -> None:
        if url.startswith("postgresql://"):
            url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
        options: dict[str, Any] = {"pool_pre_ping": True}
        if url.startswith("sqlite"):
            options = {"connect_args": {"timeout": 30}}
        self.prices = prices
        self.engine = sa.create_engine(url, **options)
        self.postgres = self.engine.dialect.name == "postgresql"
        if not self.postgres:
            sa.event.listen(self.engine, "connect", _durable)

    def prepare(self) -> None:
        """Makes the tables, or brings them up to date. Raises RuntimeError where a newer Lido made them."""
        with self.engine.begin() as connection:
            if self.postgres:  # two collectors may start at once
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7120426)"))
            else:
                connection.execute(sa.text("BEGIN IMMEDIATE"))
            meta.create(connection, checkfirst=True)
            known = connection.execute(sa.select(sa.func.max(meta.c.schema))).scalar()
            if known is not None and known > SCHEMA:
                raise RuntimeError(f"the database was made by a newer Lido (schema {known}); update this one")
            if known == 1:
                connection.execute(sa.text("ALTER TABLE tokens RENAME TO tokens_1"))
            tables.create_all(connection)
            if known == 1:
                self._from_1(connection)
            if known != SCHEMA:
                connection.execute(meta.delete())
                connection.execute(meta.insert().values(schema=SCHEMA))

    def _from_1(self, connection: sa.Connection) -> None:
        """Tokens had one team and were never replaced; there were no sums per day."""
        columns = "hash, name, team, role, created, revoked"
        for row in connection.execute(sa.text(f"SELECT {columns} FROM tokens_1")).mappings().all():  # noqa: S608
            old = dict(row)
            team = old.pop("team")
            connection.execute(tokens.insert().values(**old, teams=json.dumps([team] if team else [])))
        connection.execute(sa.text("DROP TABLE tokens_1"))
        fill(connection)

    def close(self) -> None:
        self.engine.dispose()

    # ------------------------------------------------------------------ tokens

    def add_token(self, name: str, role: Role, *teams: str) -> str:
        """A new token, shown this once; only its hash is kept. Raises ValueError for a name in use, and for a
        reader of no team."""
        teams = tuple(dict.fromkeys(team for team in teams if team))
        if role == "reader" and not teams:
            raise ValueError("a reader reads some teams' metrics; an admin reads all")
        try:
            with self.engine.begin() as connection:
                secret = _insert_token(connection, name, role, json.dumps(teams))
        except sa.exc.IntegrityError:
            raise ValueError(f"there is a token called {name!r} already") from None
        self.note("command line", "token added", f"{name}: {role} of {', '.join(teams) or 'all teams'}")
        return secret

    def rotate(self, name: str, grace: float) -> str:
        """A new secret of the same name, role and teams; the one before works for another `grace` seconds.
        Raises ValueError where there is no such token."""
        with self.engine.begin() as connection:
            change = tokens.update().where(tokens.c.name == name, _current)
            old = (
                connection.execute(
                    change.values(expires=utc(time.time() + grace)).returning(tokens.c.role, tokens.c.teams)
                )
                .mappings()
                .first()
            )
            if old is None:
                raise ValueError(f"no token called {name!r} is in use")
            secret = _insert_token(connection, name, old["role"], old["teams"])
        self.note("command line", "token rotated", f"{name}: the old one ends in {grace:.0f} s")
        return secret

    def list_tokens(self) -> list[dict[str, Any]]:
        columns = [column for column in tokens.c if column.name != "hash"]
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(*columns).order_by(tokens.c.created)).mappings()
            return [{**row, "teams": json.loads(row["teams"])} for row in rows]

    def revoke(self, name: str) -> bool:
        """All secrets of that name, at once; whether there were any."""
        change = tokens.update().where(tokens.c.name == name, tokens.c.revoked.is_(None))
        with self.engine.begin() as connection:
            found = connection.execute(change.values(revoked=utc(time.time()))).rowcount > 0
        if found:
            self.note("command line", "token revoked", name)
        return found

    def token(self, secret: str) -> Token | None:
        """Whose it is; None for one that is unknown, revoked or has expired."""
        query = sa.select(tokens).where(
            tokens.c.hash == _hash(secret),
            tokens.c.revoked.is_(None),
            sa.or_(tokens.c.expires.is_(None), tokens.c.expires > utc(time.time())),
        )
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return Token(row["name"], tuple(json.loads(row["teams"])), row["role"]) if row else None

    # ------------------------------------------------------------------ events

    def add(self, batch: Sequence[Event], teams: Sequence[str] = ()) -> int:
        """Stores what is not there yet; how many were new. Durable on return. Where `teams` are given, an
        event that names none of them is the first one's."""
        if not batch:
            return 0
        received = utc(time.time())
        # Sorted: two batches with the same events must take their locks in the same order.
        found = {
            event.id: event if not teams or event.team in teams else replace(event, team=teams[0])
            for event in sorted(batch, key=lambda event: event.id)
        }
        rows = [
            {**{name: getattr(event, name) for name in COLUMNS}, "received": received}
            for event in found.values()
        ]
        with self.engine.begin() as connection:
            stored = connection.scalars(self._insert_events, self._given(events, rows))
            new = [found[each] for each in stored]
            if new:
                connection.execute(self._add_to_daily, self._given(daily, _sums(new)))
        return len(new)

    @cached_property
    def _insert_events(self) -> Any:
        """What is not there yet; gives the ids of what is new."""
        return self._into(events).on_conflict_do_nothing().returning(events.c.id)

    @cached_property
    def _add_to_daily(self) -> Any:
        count = self._into(daily)
        names = (*rollup.MEASURES, *rollup.LATENCIES)
        more = {name: daily.c[name] + count.excluded[name] for name in names}
        return count.on_conflict_do_update(index_elements=["key"], set_=more)

    def _into(self, table: sa.Table) -> Any:
        """An insertion of many rows by one statement, which is compiled once; to be run with `_given`. In
        PostgreSQL each column is one array: thousands of parameters cost more than all the rest."""
        if not self.postgres:
            from sqlalchemy.dialects.sqlite import insert

            return insert(table)
        from sqlalchemy.dialects import postgresql

        columns = (
            sa.func.unnest(sa.bindparam(column.name, type_=postgresql.ARRAY(column.type)))
            for column in table.columns
        )
        return postgresql.insert(table).from_select(list(table.columns), sa.select(*columns))

    def _given(self, table: sa.Table, rows: list[dict[str, Any]]) -> Any:
        if not self.postgres:
            return rows

        def column(name: str, kind: type) -> list[Any]:  # all numbers of an array are of one kind
            return [None if (value := row[name]) is None else kind(value) for row in rows]

        return {each.name: column(each.name, each.type.python_type) for each in table.columns}

    def purge(self, user: str = "", before: str = "") -> int:
        """Deletes a person's events, those of the days (UTC) before the one of `before`, or that person's of
        these days, and what they add to any count; how many. Raises ValueError where neither is given."""
        if not user and not before:
            raise ValueError("a person, a time, or both are wanted")
        day = before[:10]
        with self.engine.begin() as connection:
            if self.postgres:  # what is being added waits, with its sums
                connection.execute(sa.text("LOCK TABLE daily IN EXCLUSIVE MODE"))
            else:
                connection.execute(sa.text("PRAGMA secure_delete=ON"))
            gone = events.delete()
            sums = daily.delete()
            if user:
                gone, sums = gone.where(events.c.user == user), sums.where(daily.c.user == user)
            if day:
                gone, sums = gone.where(events.c.time < day), sums.where(daily.c.day < day)
            count = connection.execute(gone).rowcount
            connection.execute(sums)
        whose = "a person" if user else "everybody"  # not who: that is to be forgotten
        self.note("command line", "purged", f"{count} events of {whose} before {day or 'now'}")
        return count

    def metrics(
        self,
        by: Sequence[str] = (),
        begin: str = "",
        end: str = "",
        teams: Sequence[str] = (),
        minimum_people: int = 0,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> list[dict[str, Any]]:
        """Rows as `lido metrics --format json` has them, of `teams` alone where any is named. Raises
        UnknownDimensionError."""
        sql, values = metrics.question(
            by, begin, end, _within(only, teams), self.prices, postgres=self.postgres
        )
        return metrics.answer(self._asked(sql, values), by, minimum_people)

    def people(self, begin: str, end: str, teams: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Counts by day, editor, model, language, feature and person, for shapes that count people at every
        level."""
        by = ("day", "editor", "model", "language", "feature", "user")
        return self._counts(
            by,
            ("requests", "shown", "accepted", "partially_accepted", "lines", "accepted_lines"),
            begin,
            end,
            teams,
        )

    def counters(
        self, by: Sequence[str], names: Sequence[str], teams: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Some of the counts since the beginning."""
        return self._counts(by, names, "", "", teams)

    def _counts(
        self, by: Sequence[str], names: Sequence[str], begin: str, end: str, teams: Sequence[str]
    ) -> list[dict[str, Any]]:
        only = _within(None, teams)
        sql, values = metrics.question(by, begin, end, only, measures=names, postgres=self.postgres)
        return [
            {name: row[name] for name in by} | {name: int(row[name]) for name in names}
            for row in self._asked(sql, values)
        ]

    def _asked(self, sql: str, values: Sequence[object]) -> list[dict[str, Any]]:
        names = iter(f":v{number}" for number in range(len(values)))
        statement = sa.text(re.sub(r"\?", lambda _: next(names), sql))
        with self.engine.connect() as connection:
            found = connection.execute(statement, {f"v{n}": value for n, value in enumerate(values)})
            # PostgreSQL adds whole numbers up to decimals.
            return [
                {name: float(v) if isinstance(v, Decimal) else v for name, v in row.items()}
                for row in found.mappings()
            ]

    # ------------------------------------------------------------------ audit

    def note(self, who: str, action: str, detail: str = "") -> None:
        row = {"time": utc(time.time()), "who": who, "action": action, "detail": detail[:1000]}
        row = {name: text.replace("\0", "\ufffd") for name, text in row.items()}  # PostgreSQL takes no NUL
        with self.engine.begin() as connection:
            connection.execute(audit.insert().values(**row))

    def notes(self, limit: int = 200) -> list[dict[str, Any]]:
        """The latest first."""
        query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _within(only: Mapping[str, Sequence[str]] | None, teams: Sequence[str]) -> dict[str, Sequence[str]]:
    """`only`, and no other team than `teams` where any is named."""
    found = dict(only or {})
    if teams:
        found["team"] = [team for team in found.get("team", teams) if team in teams]
    return found


def fill(connection: sa.Connection) -> None:
    """The sums of all events there are, into an empty `daily`."""
    keys = ", ".join(rollup.key(name) for name in rollup.KEYS)
    measures = {**rollup.MEASURES, **rollup.LATENCIES}
    sums = ", ".join(f"sum({how.format('')})" for how in measures.values())
    found = connection.execute(sa.text(f"SELECT {keys}, {sums} FROM events GROUP BY {keys}"))  # noqa: S608
    for part in found.partitions(1000):
        connection.execute(
            daily.insert(),
            [
                {
                    "key": _key(row[: len(rollup.KEYS)]),
                    **dict(zip((*rollup.KEYS, *measures), row, strict=True)),
                }
                for row in part
            ],
        )


def _sums(new: Sequence[Event]) -> list[dict[str, Any]]:
    """Rows of `daily` to be added to what is there, in the order in which all take their locks."""
    groups: dict[tuple[str, ...], dict[str, float]] = {}
    for event in new:
        rollup.add(groups.setdefault(rollup.key_of(event), {}), event)
    none = dict.fromkeys((*rollup.MEASURES, *rollup.LATENCIES), 0)
    rows = [
        {"key": _key(key), **dict(zip(rollup.KEYS, key, strict=True)), **none, **sums}
        for key, sums in groups.items()
    ]
    return sorted(rows, key=lambda row: str(row["key"]))


def _key(values: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(list(values)).encode()).hexdigest()


def _insert_token(connection: sa.Connection, name: str, role: str, teams: str) -> str:
    secret = f"lido_{secrets.token_urlsafe(32)}"
    row = {"hash": _hash(secret), "name": name, "teams": teams, "role": role, "created": utc(time.time())}
    connection.execute(tokens.insert().values(**row))
    return secret


def _hash(secret: str) -> str:
    # Tokens are 256 random bits: a plain hash cannot be guessed back.
    return hashlib.sha256(secret.encode()).hexdigest()


def _durable(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
