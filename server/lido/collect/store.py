"""What the collector keeps: events, tokens, and who read or changed what. SQLite or PostgreSQL by URL."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import sqlalchemy as sa

from lido.events.metrics import DIMENSIONS, UnknownDimensionError
from lido.events.schema import COLUMNS, Event, utc

Role = Literal["writer", "reader", "admin"]
ROLES: tuple[Role, ...] = ("writer", "reader", "admin")
SCHEMA = 1

_NUMBERS: dict[str, Any] = {
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
    *(sa.Column(name, _NUMBERS.get(name, sa.Text)) for name in COLUMNS if name != "id"),
    sa.Column("received", sa.Text, nullable=False),
    sa.Index("events_time", "time"),
    sa.Index("events_team_time", "team", "time"),
)
tokens = sa.Table(
    "tokens",
    tables,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("revoked", sa.Text),
)
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
    """`team` "" is no team in particular: an admin's, or a writer's whose events name theirs."""

    name: str
    team: str
    role: Role


class Store:
    """Thread-safe; every method blocks. Raises sqlalchemy.exc.SQLAlchemyError."""

    def __init__(self, url: str) -> None:
        if url.startswith("postgresql://"):
            url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
        options: dict[str, Any] = {"pool_pre_ping": True}
        if url.startswith("sqlite"):
            options = {"connect_args": {"timeout": 30}}
        self.engine = sa.create_engine(url, **options)
        self.postgres = self.engine.dialect.name == "postgresql"
        if not self.postgres:
            sa.event.listen(self.engine, "connect", _durable)

    def prepare(self) -> None:
        """Makes the tables. Raises RuntimeError where a newer version made them."""
        with self.engine.begin() as connection:
            if self.postgres:  # two collectors may start at once
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7120426)"))
            tables.create_all(connection)
            known = connection.execute(sa.select(sa.func.max(meta.c.schema))).scalar()
            if known is None:
                connection.execute(meta.insert().values(schema=SCHEMA))
            elif known > SCHEMA:
                raise RuntimeError(f"the database was made by a newer Lido (schema {known}); update this one")

    def close(self) -> None:
        self.engine.dispose()

    # ------------------------------------------------------------------ tokens

    def add_token(self, name: str, role: Role, team: str = "") -> str:
        """A new token, shown this once; only its hash is kept. Raises ValueError for a name in use."""
        secret = f"lido_{secrets.token_urlsafe(32)}"
        row = {"hash": _hash(secret), "name": name, "team": team, "role": role, "created": utc(time.time())}
        try:
            with self.engine.begin() as connection:
                connection.execute(tokens.insert().values(**row))
        except sa.exc.IntegrityError:
            raise ValueError(f"there is a token called {name!r} already") from None
        self.note("command line", "token added", f"{name}: {role} of {team or 'all teams'}")
        return secret

    def list_tokens(self) -> list[dict[str, Any]]:
        columns = [column for column in tokens.c if column.name != "hash"]
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(*columns)).mappings()]

    def revoke(self, name: str) -> bool:
        change = tokens.update().where(tokens.c.name == name, tokens.c.revoked.is_(None))
        with self.engine.begin() as connection:
            found = connection.execute(change.values(revoked=utc(time.time()))).rowcount > 0
        if found:
            self.note("command line", "token revoked", name)
        return found

    def token(self, secret: str) -> Token | None:
        """Whose it is; None for an unknown or revoked one."""
        query = sa.select(tokens).where(tokens.c.hash == _hash(secret), tokens.c.revoked.is_(None))
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return Token(row["name"], row["team"], row["role"]) if row else None

    # ------------------------------------------------------------------ events

    def add(self, batch: Sequence[Event], team: str) -> int:
        """Stores what is not there yet, as of `team` where that is given; how many were new. Durable on
        return."""
        if not batch:
            return 0
        if self.postgres:
            from sqlalchemy.dialects.postgresql import insert
        else:
            from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
        received = utc(time.time())
        # Sorted: two batches with the same events must take their locks in the same order.
        rows = [
            asdict(event) | {"received": received} | ({"team": team} if team else {})
            for event in sorted({event.id: event for event in batch}.values(), key=lambda event: event.id)
        ]
        new = 0
        with self.engine.begin() as connection:
            for start in range(0, len(rows), 500):
                statement = insert(events).values(rows[start : start + 500]).on_conflict_do_nothing()
                new += len(connection.execute(statement.returning(events.c.id)).all())
        return new

    def metrics(
        self,
        by: Sequence[str] = (),
        begin: str = "",
        end: str = "",
        team: str = "",
        minimum_people: int = 0,
    ) -> list[dict[str, Any]]:
        """Rows as `lido metrics --format json` has them. Raises UnknownDimensionError."""
        unknown = [name for name in by if name not in DIMENSIONS]
        if unknown:
            known = ", ".join(DIMENSIONS)
            raise UnknownDimensionError(f"{', '.join(unknown)}: not a dimension. There are: {known}")
        c = events.c
        columns = [self._dimension(name).label(name) for name in by]
        keys: list[Any] = [sa.literal_column(str(number + 1)) for number in range(len(by))]
        where = [c.time >= begin, *([c.time < end] if end else []), *([c.team == team] if team else [])]

        def count(kind: str) -> Any:
            return sa.func.coalesce(sa.func.sum(sa.case((c.kind == kind, 1), else_=0)), 0)

        def total(column: Any, kind: str | None = "shown") -> Any:
            value = column if kind is None else sa.case((c.kind == kind, column))
            return sa.func.coalesce(sa.func.sum(value), 0)

        def kept(low: float, high: float) -> Any:
            between = sa.and_(c.kind == "retained", c.after_seconds >= low, c.after_seconds < high)
            return sa.func.avg(sa.case((between, c.retained_fraction)))

        counts = [
            *(
                count(kind).label(kind)
                for kind in ("shown", "accepted", "partially_accepted", "rejected", "ignored", "undone")
            ),
            count("error").label("errors"),
            count("requested").label("requests"),
            total(c.lines).label("lines"),
            total(c.characters).label("characters"),
            total(c.accepted_lines, None).label("accepted_lines"),
            total(c.accepted_characters, None).label("accepted_characters"),
            total(c.prompt_tokens).label("prompt_tokens"),
            total(c.completion_tokens).label("completion_tokens"),
            kept(0, 60).label("retained_30s"),
            kept(60, 300.001).label("retained_2min"),
            kept(300.001, 1e12).label("retained_10min"),
            sa.func.count(sa.distinct(sa.case((c.kind == "shown", c.user)))).label("active_people"),
        ]
        query = sa.select(*columns, *counts).where(*where).group_by(*keys)
        with self.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            latencies = self._latencies(connection, columns, keys, where)
        found = []
        for row in rows:
            if row["active_people"] < minimum_people or not any(
                row[name] for name in ("shown", "requests", "errors")
            ):
                continue
            for name, value in row.items():
                if name not in by and value is not None and not isinstance(value, (int, float)):
                    row[name] = float(value) if name.startswith("retained") else int(value)
            row |= latencies.get(tuple(row[name] for name in by), _NO_LATENCY)
            taken = row["accepted"] + row["partially_accepted"]
            row["acceptance_rate"] = taken / row["shown"] if row["shown"] else None
            row["open"] = row["shown"] - taken - row["rejected"] - row["ignored"]
            found.append(row)
        return sorted(found, key=lambda row: -row["shown"])

    def _dimension(self, name: str) -> Any:
        if name == "day":
            return sa.func.substr(events.c.time, 1, 10)
        if name == "week":
            if self.postgres:
                return sa.func.to_char(
                    sa.func.to_date(sa.func.substr(events.c.time, 1, 10), "YYYY-MM-DD"), 'IYYY-"W"IW'
                )
            return sa.literal_column(DIMENSIONS["week"])
        return events.c[name]

    def _latencies(
        self, connection: sa.Connection, columns: list[Any], keys: list[Any], where: list[Any]
    ) -> dict[tuple[Any, ...], dict[str, float | None]]:
        c = events.c
        where = [*where, c.kind == "shown", c.latency_ms.is_not(None)]
        names = list(_NO_LATENCY)
        if self.postgres:
            percentiles = [
                sa.func.percentile_disc(share).within_group(column)
                for column in (c.latency_ms, c.first_token_ms)
                for share in (0.5, 0.95)
            ]
            query = sa.select(*columns, *percentiles).where(*where).group_by(*keys)
            return {
                tuple(row[: len(columns)]): dict(zip(names, row[len(columns) :], strict=True))
                for row in connection.execute(query)
            }
        values: dict[tuple[Any, ...], tuple[list[float], list[float]]] = {}
        for *key, latency, first in connection.execute(
            sa.select(*columns, c.latency_ms, c.first_token_ms).where(*where)
        ):
            lists = values.setdefault(tuple(key), ([], []))
            lists[0].append(latency)
            if first is not None:
                lists[1].append(first)
        return {
            key: dict(
                zip(
                    names,
                    (_percentile(sorted(each), share) for each in lists for share in (50, 95)),
                    strict=True,
                )
            )
            for key, lists in values.items()
        }

    def people(self, begin: str, end: str, team: str) -> Iterable[dict[str, Any]]:
        """Counts by day, editor, model, language, feature and person, for shapes that count people at every
        level."""
        c = events.c
        keys = [self._dimension("day").label("day"), c.editor, c.model, c.language, c.feature, c.user]
        where = [c.time >= begin, *([c.time < end] if end else []), *([c.team == team] if team else [])]

        def count(*kinds: str) -> Any:
            return sa.func.sum(sa.case((c.kind.in_(kinds), 1), else_=0))

        query = sa.select(
            *keys,
            count("requested").label("requested"),
            count("shown").label("shown"),
            count("accepted", "partially_accepted").label("accepted"),
            sa.func.coalesce(sa.func.sum(sa.case((c.kind == "shown", c.lines))), 0).label("lines"),
            sa.func.coalesce(sa.func.sum(c.accepted_lines), 0).label("accepted_lines"),
        ).where(*where)
        query = query.group_by(*(sa.literal_column(str(n + 1)) for n in range(len(keys))))
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    # ------------------------------------------------------------------ audit

    def note(self, who: str, action: str, detail: str = "") -> None:
        row = {"time": utc(time.time()), "who": who, "action": action, "detail": detail[:1000]}
        with self.engine.begin() as connection:
            connection.execute(audit.insert().values(**row))

    def notes(self, limit: int = 200) -> list[dict[str, Any]]:
        """The latest first."""
        query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


_NO_LATENCY: dict[str, float | None] = {
    "latency_p50_ms": None,
    "latency_p95_ms": None,
    "first_token_p50_ms": None,
    "first_token_p95_ms": None,
}


def _percentile(values: list[float], percent: int) -> float | None:
    """Nearest rank, as PostgreSQL's percentile_disc."""
    return values[max(0, -(-len(values) * percent // 100) - 1)] if values else None


def _hash(secret: str) -> str:
    # Tokens are 256 random bits: a plain hash cannot be guessed back.
    return hashlib.sha256(secret.encode()).hexdigest()


def _durable(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
