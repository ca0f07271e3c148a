"""What people accept, counted: by any combination of dimensions."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lido.events import rollup
from lido.events.schema import utc
from lido.events.store import SCHEMA, connect

if TYPE_CHECKING:
    from lido.settings import Settings


def _week(day: str) -> str:
    """ISO 8601: the week belongs to the year of its Thursday. SQLite knows %G and %V only since 3.46."""
    thursday = f"date({day}, '-3 days', 'weekday 4')"
    return f"printf('%s-W%02d', strftime('%Y', {thursday}), (strftime('%j', {thursday}) - 1) / 7 + 1)"


DIMENSIONS = {
    "language": "language",
    "team": "team",
    "project": "project",
    "model": "model",
    "editor": "editor",
    "feature": "feature",
    "user": '"user"',
    "day": "substr(time, 1, 10)",
    "week": _week("substr(time, 1, 10)"),
}
"""What can be grouped by, as an expression on an event (SQLite)."""
# Of `rollup`'s rows: what makes a group, and what it is called. Monday begins a week, and a Julian day that
# seven divides; naming each row's week would cost more than everything else.
_GROUPS = DIMENSIONS | {"day": "day", "week": "CAST(julianday(day) + 0.5 AS INTEGER) / 7"}
_LABELS = _GROUPS | {"week": _week("min(day)")}
_POSTGRES = {"week": "to_char(to_date(day, 'YYYY-MM-DD'), 'IYYY-\"W\"IW')"}
FILTERS = tuple(name for name in DIMENSIONS if name not in ("day", "week"))

Prices = Mapping[str, tuple[float, float]]
"""By model: the price of a million prompt tokens, and of a million generated ones."""

_TOTALS = (
    "shown",
    "accepted",
    "partially_accepted",
    "rejected",
    "ignored",
    "undone",
    "errors",
    "requests",
    "lines",
    "characters",
    "accepted_lines",
    "accepted_characters",
    "prompt_tokens",
    "completion_tokens",
)
_KEPT = ("30s", "2min", "10min", "commit")


class UnknownDimensionError(ValueError):
    """`by` names something that is no dimension; the text lists what there is."""


def since(text: str, now: float | None = None) -> str:
    """The beginning of a span (``90s``, ``15m``, ``12h``, ``28d``, ``4w``) or an ISO 8601 time, in UTC.

    Raises ValueError.
    """
    if match := re.fullmatch(r"\s*(\d{1,6})\s*([smhdw])\s*", text):
        unit = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[match[2]]
        return utc(max(0.0, (time.time() if now is None else now) - int(match[1]) * unit))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a span such as 28d, 12h or 30m nor an ISO 8601 time") from None
    return utc((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def prices(settings: Settings) -> dict[str, tuple[float, float]]:
    """Of the models that have one in the settings."""
    return {
        model.model: (model.prompt_price or 0.0, model.completion_price or 0.0)
        for model in settings.models.values()
        if model.prompt_price is not None or model.completion_price is not None
    }


def rows(
    path: Path,
    by: Sequence[str] = (),
    begin: str = "",
    minimum_people: int = 0,
    *,
    end: str = "",
    only: Mapping[str, Sequence[str]] | None = None,
    prices: Prices | None = None,
) -> list[dict[str, Any]]:
    """One row for each group with anything in it, ordered by what was shown. Blocking.

    `begin` and `end` are times as `since` gives them; `end` itself is left out. `only` names the values that
    count of each of `FILTERS`. Groups of fewer than `minimum_people` people are left out. `cost` is None
    where no model of the group has a price. Percentiles are good to a few per cent; see `rollup`.
    Raises UnknownDimensionError, sqlite3.Error.
    """
    sql, values = question(by, begin, end, only, prices)
    if not path.exists():
        return []
    database = _open(path)
    try:
        return answer(database.execute(sql, values), by, minimum_people)
    finally:
        database.close()


def _known(names: Iterable[str], known: Iterable[str]) -> None:
    if unknown := [name for name in names if name not in known]:
        raise UnknownDimensionError(f"{', '.join(unknown)}: not a dimension. There are: {', '.join(known)}")


def _open(path: Path) -> sqlite3.Connection:
    """To read; an older log is brought up to date first."""
    database = connect(path, readonly=True)
    if database.execute("PRAGMA user_version").fetchone()[0] < SCHEMA:
        database.close()
        connect(path).close()
        database = connect(path, readonly=True)
    return database


def _source(
    names: Sequence[str], measures: Mapping[str, str], begin: str, end: str, day: str
) -> tuple[str, list[str]]:
    """The sums of whole days, and the events of the days that the span cuts, as one table of sums.

    Compared are only texts of digits, which every collation orders alike.
    """
    columns = ", ".join(f'"{name}"' for name in [*names, *measures])
    first = begin[:10] if _whole(begin) else _next(begin[:10])
    parts = [f"SELECT {columns} FROM daily WHERE {day} >= ? AND {day} < ?"]  # noqa: S608 - names of our own
    bound = [first, end[:10] or "9999-12-31"]
    sums = ", ".join(
        [*(f'{rollup.key(name)} AS "{name}"' for name in names)]
        + [f'{how.format("")} AS "{name}"' for name, how in measures.items()]
    )
    cuts = []
    if not _whole(begin):
        cuts.append((begin, min(end or first, first)))
    if not _whole(end) and (_whole(begin) or end[:10] > begin[:10]):
        cuts.append((max(begin, end[:10]), end))
    for cut in cuts:
        parts.append(f"SELECT {sums} FROM events WHERE time >= ? AND time < ?")  # noqa: S608
        bound.extend(cut)
    return " UNION ALL ".join(parts), bound


def _whole(moment: str) -> bool:
    """Whether it is the beginning of a day (or no bound)."""
    return moment[10:].rstrip("Z") in ("", "T00:00:00", "T00:00:00.000")


def _next(day: str) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    except OverflowError:
        return day


def question(
    by: Sequence[str] = (),
    begin: str = "",
    end: str = "",
    only: Mapping[str, Sequence[str]] | None = None,
    prices: Prices | None = None,
    *,
    measures: Iterable[str] = (),
    postgres: bool = False,
) -> tuple[str, list[object]]:
    """SQL with ``?`` for its values, and these; `answer` makes rows of what it finds.

    It reads `rollup`'s table and the events beside it, for SQLite or PostgreSQL. `measures` names the ones to
    be added up, where not all are. Raises UnknownDimensionError.
    """
    _known(by, DIMENSIONS)
    _known(only or {}, FILTERS)
    # Names in these queries come from DIMENSIONS and rollup alone; values are bound.
    wanted = {"day", "user", *(only or {}), *by} - {"week"}
    if prices:
        wanted.add("model")
    names = [name for name in rollup.KEYS if name in wanted]
    counted = {**rollup.MEASURES, **rollup.LATENCIES}
    added = {name: counted[name] for name in measures or counted if name != "events"}
    # "+": the index of what is grouped by is worth more to SQLite than that of the days.
    source, bound = _source(names, added, begin, end, "day" if postgres else "+day")
    values: list[object] = [*bound]
    where = ""
    if only:
        where = " WHERE " + " AND ".join(
            f'"{name}" IN ({", ".join("?" * len(chosen))})' if chosen else "1 = 0"
            for name, chosen in only.items()
        )
        values += [value for chosen in only.values() for value in chosen]
    cost, costs = "NULL", []
    if prices:
        cases = " ".join("WHEN ? THEN prompt_tokens * ? + completion_tokens * ?" for _ in prices)
        cost = f"sum(CASE model {cases} END) / 1e6"
        costs = [value for model, pair in prices.items() for value in (model, *pair)]
    source = f"({source}) AS counted{where}"
    sums = ", ".join(f'sum("{name}") AS "{name}"' for name in added)
    groups = f" GROUP BY {', '.join(_GROUPS[name] for name in by)}" if by else ""
    if not postgres:
        columns = "".join(f'{_LABELS[name]} AS "{name}", ' for name in by)
        people = 'count(DISTINCT CASE WHEN shown > 0 THEN "user" END)'
    else:  # which sorts all of it to count what is distinct: so each person's sums come first
        columns = "".join(f'"{name}", ' for name in by)
        people = "count(CASE WHEN shown > 0 THEN 1 END)"
        one = "".join(f'{_POSTGRES.get(name, _GROUPS[name])} AS "{name}", ' for name in by)
        keys = ", ".join(map(str, range(1, len(by) + 2)))
        source = (
            f'(SELECT {one}"user" AS person, {sums}, {cost} AS cost FROM {source} GROUP BY {keys}) AS each'  # noqa: S608
        )
        groups = f" GROUP BY {', '.join(map(str, range(1, len(by) + 1)))}" if by else ""
        cost = "sum(cost)" if prices else "NULL"
    query = f"SELECT {columns}{sums}, {cost} AS cost, {people} AS active_people FROM {source}{groups}"  # noqa: S608
    return f"{query} ORDER BY shown DESC", [*costs, *values]


def answer(found: Iterable[Any], by: Sequence[str], minimum_people: int = 0) -> list[dict[str, Any]]:
    """`found` are mappings as the database gives them for `question`."""
    return [
        _row(row, by)
        for row in found
        if row["shown"] is not None
        and (row["shown"] or row["requests"] or row["errors"])
        and row["active_people"] >= minimum_people
    ]


def _row(row: sqlite3.Row | Mapping[str, Any], by: Sequence[str]) -> dict[str, Any]:
    made: dict[str, Any] = {name: row[name] for name in by} | {name: int(row[name]) for name in _TOTALS}
    taken = made["accepted"] + made["partially_accepted"]
    made["acceptance_rate"] = taken / made["shown"] if made["shown"] else None
    made["open"] = made["shown"] - taken - made["rejected"] - made["ignored"]
    for name in _KEPT:
        looks = row[f"looks_{name}"]
        made[f"retained_{name}"] = row[f"kept_{name}"] / looks if looks else None
    made["active_people"] = row["active_people"]
    for what, letter in (("latency", "l"), ("first_token", "f")):
        counts = [row[f"{letter}{number}"] for number in range(rollup.CLASSES)]
        for percent in (50, 95):
            made[f"{what}_p{percent}_ms"] = rollup.percentile(counts, percent)
    made["cost"] = row["cost"]
    return made


def columns(by: Sequence[str]) -> dict[str, type]:
    """Names and types of what `rows` gives, in its order."""
    empty = dict.fromkeys(
        ("shown", "requests", "active_people", "cost", *rollup.MEASURES, *rollup.LATENCIES), 0
    )
    whole = (*_TOTALS, "open", "active_people")
    made = _row({**empty, **dict.fromkeys(by, "")}, by)
    return {name: str if name in by else int if name in whole else float for name in made}
