"""Sums per day and group, kept by triggers in the transaction that records an event: counting ten million
events then reads some ten thousand rows. Whoever writes or deletes events, the sums stay exact.

Latencies are counted in classes that grow by `RATIO`, so percentiles are good to a few per cent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lido.events.schema import Event

KEYS = ("day", "language", "editor", "project", "team", "user", "model", "backend", "feature")
LEAST = 4.0
"""Milliseconds below which latencies are one class."""
RATIO = 1.3
CLASSES = 32

BOUNDS = tuple(LEAST * RATIO**number for number in range(CLASSES))
"""Upper bound of each class in milliseconds; the last holds what is longer, too."""


def _if(kind: str, value: str = "1") -> str:
    return f"CASE WHEN {{0}}kind = '{kind}' THEN {value} ELSE 0 END"


def _kept(when: str, value: str) -> str:
    return f"CASE WHEN {{0}}kind = 'retained' AND {when} THEN {value} ELSE 0 END"


_TIMES = {
    "30s": "{0}reason <> 'commit' AND {0}after_seconds < 60",
    "2min": "{0}reason <> 'commit' AND {0}after_seconds >= 60 AND {0}after_seconds <= 300",
    "10min": "{0}reason <> 'commit' AND {0}after_seconds > 300",
    "commit": "{0}reason = 'commit'",
}

MEASURES: dict[str, str] = {
    "events": "1",
    **{
        kind: _if(kind)
        for kind in ("shown", "accepted", "partially_accepted", "rejected", "ignored", "undone")
    },
    "errors": _if("error"),
    "requests": _if("requested"),
    **{
        name: _if("shown", f"coalesce({{0}}{name}, 0)")
        for name in ("lines", "characters", "prompt_tokens", "completion_tokens")
    },
    "accepted_lines": "coalesce({0}accepted_lines, 0)",
    "accepted_characters": "coalesce({0}accepted_characters, 0)",
    **{f"kept_{name}": _kept(when, "coalesce({0}retained_fraction, 0)") for name, when in _TIMES.items()},
    **{f"looks_{name}": _kept(when, "1") for name, when in _TIMES.items()},
}
"""What is added up, as an expression on one event; ``{0}`` is the row's name with a dot, or nothing."""


def _class(column: str, number: int) -> str:
    low = f" AND {{0}}{column} > {BOUNDS[number - 1]!r}" if number else ""
    high = f" AND {{0}}{column} <= {BOUNDS[number]!r}" if number < CLASSES - 1 else ""
    return f"CASE WHEN {{0}}kind = 'shown' AND {{0}}{column} IS NOT NULL{low}{high} THEN 1 ELSE 0 END"


LATENCIES: dict[str, str] = {
    f"{name}{number}": _class(column, number)
    for name, column in (("l", "latency_ms"), ("f", "first_token_ms"))
    for number in range(CLASSES)
}
_ALL = {**MEASURES, **LATENCIES}


def key_of(event: Event) -> tuple[str, ...]:
    """The values of `KEYS`."""
    return tuple(event.time[:10] if name == "day" else getattr(event, name) or "" for name in KEYS)


def add(sums: dict[str, float], event: Event) -> None:
    """Adds what `MEASURES` and `LATENCIES` say of one event, for where no trigger does."""

    def count(name: str, value: float | None = 1) -> None:
        if value:
            sums[name] = sums.get(name, 0) + value

    count("events")
    if event.kind != "retained":
        count({"error": "errors", "requested": "requests"}.get(event.kind, event.kind))
    count("accepted_lines", event.accepted_lines)
    count("accepted_characters", event.accepted_characters)
    if event.kind == "shown":
        for name in ("lines", "characters", "prompt_tokens", "completion_tokens"):
            count(name, getattr(event, name))
        for letter, value in (("l", event.latency_ms), ("f", event.first_token_ms)):
            if value is not None:
                count(f"{letter}{min(bisect_left(BOUNDS, value), CLASSES - 1)}")
    elif event.kind == "retained":
        after = event.after_seconds
        if event.reason == "commit":
            when = "commit"
        elif after is None:
            return
        else:
            when = "30s" if after < 60 else "2min" if after <= 300 else "10min"
        count(f"kept_{when}", event.retained_fraction)
        count(f"looks_{when}")


def key(name: str, row: str = "") -> str:
    """The value of one of `KEYS` on an event."""
    return f"substr({row}time, 1, 10)" if name == "day" else f"coalesce({row}\"{name}\", '')"


def _create() -> str:
    names = ", ".join(f'"{name}"' for name in KEYS)
    new = ", ".join(key(name, "new.") for name in KEYS)

    def update(row: str, sign: str) -> str:
        where = " AND ".join(f'"{name}" = {key(name, row)}' for name in KEYS)
        sums = ", ".join(f'"{name}" = "{name}" {sign} ({how.format(row)})' for name, how in MEASURES.items())
        classes = ", ".join(
            f'"{name}" = "{name}" {sign} ({how.format(row)})' for name, how in LATENCIES.items()
        )
        # Most events have no latency to count.
        return (
            f"UPDATE daily SET {sums} WHERE {where};"  # noqa: S608 - names of our own, here and below
            f"UPDATE daily SET {classes} WHERE {where} AND {row}kind = 'shown';"
        )

    measures = ", ".join(f'"{name}" NUMERIC NOT NULL DEFAULT 0' for name in _ALL)
    sums = ", ".join(f"sum({how.format('')})" for how in _ALL.values())
    keys = ", ".join(key(name) for name in KEYS)
    texts = ", ".join(f'"{name}" TEXT NOT NULL' for name in KEYS)
    groups = ", ".join(map(str, range(1, len(KEYS) + 1)))
    gone = " AND ".join(f'"{name}" = {key(name, "old.")}' for name in KEYS)
    # Grouping by one key reads in its index's order instead of sorting wide rows.
    indexes = "".join(
        f'CREATE INDEX "daily_{name}" ON daily ("{name}");' for name in KEYS if name != "backend"
    )
    return (
        f"CREATE TABLE daily ({texts}, {measures});"  # noqa: S608
        f"CREATE UNIQUE INDEX daily_keys ON daily ({names});{indexes}"
        f"INSERT INTO daily SELECT {keys}, {sums} FROM events GROUP BY {groups};"
        f"CREATE TRIGGER daily_add AFTER INSERT ON events BEGIN "
        f"INSERT OR IGNORE INTO daily ({names}) VALUES ({new}); {update('new.', '+')} END;"
        f"CREATE TRIGGER daily_take AFTER DELETE ON events BEGIN {update('old.', '-')} "
        f"DELETE FROM daily WHERE events <= 0 AND {gone}; END;"
    )


CREATE = _create()
"""The table, filled from the events that are there, and its triggers (SQLite)."""


def percentile(counts: Sequence[int], percent: float) -> float | None:
    """In milliseconds, from the count of each class; None where there is none. Within a class the latencies
    are taken as evenly spread."""
    total = sum(counts)
    if not total:
        return None
    rank, seen = total * percent / 100, 0
    for number, count in enumerate(counts):
        if count and seen + count >= rank:
            low = BOUNDS[number - 1] if number else 0.0
            return round(low + (BOUNDS[number] - low) * (rank - seen) / count, 1)
        seen += count
    return round(BOUNDS[-1], 1)
