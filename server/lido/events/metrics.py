"""What people accept, counted: by any combination of dimensions."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lido.events.schema import utc
from lido.events.store import connect

_THURSDAY = "date(substr(time, 1, 10), '-3 days', 'weekday 4')"

DIMENSIONS = {
    "language": "language",
    "team": "team",
    "project": "project",
    "model": "model",
    "editor": "editor",
    "feature": "feature",
    "user": '"user"',
    "day": "substr(time, 1, 10)",
    # ISO 8601: the week belongs to the year of its Thursday. SQLite knows %G and %V only since 3.46.
    "week": f"printf('%s-W%02d', strftime('%Y', {_THURSDAY}), (strftime('%j', {_THURSDAY}) - 1) / 7 + 1)",
}

_COUNTS = """
    sum(kind = 'shown') AS shown,
    sum(kind = 'accepted') AS accepted,
    sum(kind = 'partially_accepted') AS partially_accepted,
    sum(kind = 'rejected') AS rejected,
    sum(kind = 'ignored') AS ignored,
    sum(kind = 'undone') AS undone,
    sum(kind = 'error') AS errors,
    sum(kind = 'requested') AS requests,
    coalesce(sum(CASE WHEN kind = 'shown' THEN lines END), 0) AS lines,
    coalesce(sum(CASE WHEN kind = 'shown' THEN characters END), 0) AS characters,
    coalesce(sum(accepted_lines), 0) AS accepted_lines,
    coalesce(sum(accepted_characters), 0) AS accepted_characters,
    coalesce(sum(CASE WHEN kind = 'shown' THEN prompt_tokens END), 0) AS prompt_tokens,
    coalesce(sum(CASE WHEN kind = 'shown' THEN completion_tokens END), 0) AS completion_tokens,
    avg(CASE WHEN kind = 'retained' AND after_seconds < 60 THEN retained_fraction END) AS retained_30s,
    avg(CASE WHEN kind = 'retained' AND after_seconds BETWEEN 60 AND 300 THEN retained_fraction END)
        AS retained_2min,
    avg(CASE WHEN kind = 'retained' AND after_seconds > 300 THEN retained_fraction END) AS retained_10min,
    count(DISTINCT CASE WHEN kind = 'shown' THEN "user" END) AS active_people
"""


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


def rows(
    path: Path, by: Sequence[str] = (), begin: str = "", minimum_people: int = 0
) -> list[dict[str, Any]]:
    """One row for each group with anything in it, ordered by what was shown. Blocking.

    `begin` is a time as `since` gives it. Groups of fewer than `minimum_people` people are left out.
    Raises UnknownDimensionError, sqlite3.Error.
    """
    unknown = [name for name in by if name not in DIMENSIONS]
    if unknown:
        raise UnknownDimensionError(
            f"{', '.join(unknown)}: not a dimension. There are: {', '.join(DIMENSIONS)}"
        )
    if not path.exists():
        return []
    database = connect(path, readonly=True)
    try:
        return _rows(database, by, begin, minimum_people)
    finally:
        database.close()


def _rows(database: sqlite3.Connection, by: Sequence[str], begin: str, minimum: int) -> list[dict[str, Any]]:
    # Names in these queries come from DIMENSIONS alone; values are bound.
    columns = "".join(f'{DIMENSIONS[name]} AS "{name}", ' for name in by)
    group = f" GROUP BY {', '.join(str(n + 1) for n in range(len(by)))}" if by else ""
    query = f"SELECT {columns}{_COUNTS} FROM events WHERE time >= ?{group} ORDER BY shown DESC"  # noqa: S608
    found = [dict(row) for row in database.execute(query, (begin,))]
    found = [row for row in found if row["shown"] is not None and row["active_people"] >= minimum]
    latencies: dict[tuple[Any, ...], dict[str, list[float]]] = {}
    query = (
        f"SELECT {columns}latency_ms, first_token_ms FROM events "  # noqa: S608
        "WHERE kind = 'shown' AND latency_ms IS NOT NULL AND time >= ?"
    )
    for *key, latency, first in database.execute(query, (begin,)):
        group_of = latencies.setdefault(tuple(key), {"latency": [], "first_token": []})
        group_of["latency"].append(latency)
        if first is not None:
            group_of["first_token"].append(first)
    for row in found:
        seen = latencies.get(tuple(row[name] for name in by), {})
        for what in ("latency", "first_token"):
            values = sorted(seen.get(what, []))
            for percent in (50, 95):
                row[f"{what}_p{percent}_ms"] = _percentile(values, percent)
        taken = row["accepted"] + row["partially_accepted"]
        row["acceptance_rate"] = taken / row["shown"] if row["shown"] else None
        ended = taken + row["rejected"] + row["ignored"]
        row["open"] = row["shown"] - ended
    return found


def _percentile(values: list[float], percent: float) -> float | None:
    """Nearest-rank percentile of sorted values."""
    if not values:
        return None
    return round(values[max(0, -(-len(values) * int(percent) // 100) - 1)], 1)
