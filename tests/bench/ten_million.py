"""How quick the dashboard's questions are on ten million events, of a log and of a team's collector.

``python tests/bench/ten_million.py [--events 10000000] [--keep FILE]`` makes a log of a company's quarter (200
people, 12 teams, 90 days), copies it into collectors on SQLite and (where it is installed) PostgreSQL, then asks
each what the page asks and prints a table of milliseconds: of one processor, and (in brackets) on the clock.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lido.collect import copilot
from lido.collect.store import Store, fill
from lido.events import metrics, rollup
from lido.events.dashboard import questions
from lido.events.schema import COLUMNS
from lido.events.store import connect

sys.path.insert(0, str(Path(__file__).parents[1] / "collect"))
from conftest import Postgres

BEGIN, END = "2025-12-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"
DAYS, PEOPLE = 90, 200
LIMIT_MS = 500

EVENTS = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :events),
s AS (SELECT i, i / 5 AS s, i % 5 AS step, (i / 5) * 2654435761 % 4294967296 AS h FROM n)
INSERT INTO events (id, time, suggestion_id, kind, feature, language, editor, editor_version, project, team, "user",
  model, backend, latency_ms, first_token_ms, prompt_tokens, completion_tokens, lines, characters, accepted_lines,
  accepted_characters, retained_fraction, after_seconds, reason, server_version)
SELECT printf('%036d', i),
  strftime('%Y-%m-%dT%H:%M:%S.000Z', 1764547200 + (s * 1.0 / (:events / 5)) * 86400 * :days, 'unixepoch'),
  printf('s%011d', s),
  CASE step WHEN 0 THEN 'requested' WHEN 1 THEN 'shown'
    WHEN 2 THEN CASE WHEN h % 100 < 27 THEN 'accepted' WHEN h % 100 < 33 THEN 'partially_accepted'
                     WHEN h % 100 < 85 THEN 'rejected' ELSE 'ignored' END
    ELSE 'retained' END,
  CASE WHEN h % 50 = 0 THEN 'chat' WHEN h % 50 < 4 THEN 'plan' ELSE 'completion' END,
  CASE s % :people % 5 WHEN 0 THEN 'python' WHEN 1 THEN 'typescript' WHEN 2 THEN 'java' WHEN 3 THEN 'go' ELSE 'rust' END,
  CASE s % :people % 4 WHEN 0 THEN 'Visual Studio Code' WHEN 1 THEN 'Neovim' WHEN 2 THEN 'IntelliJ IDEA' ELSE 'Emacs' END,
  '1', printf('project-%02d', s % :people % 30), printf('team-%02d', s % :people % 12), printf('%016x', s % :people),
  CASE WHEN h % 7 < 5 THEN 'qwen2.5-coder-1.5b' ELSE 'qwen2.5-coder-32b' END, 'openai',
  CASE WHEN step = 1 THEN 60 + h % 900 END, CASE WHEN step = 1 THEN 30 + h % 400 END,
  CASE WHEN step = 1 THEN 900 END, CASE WHEN step = 1 THEN 20 END, 1 + h % 4, 12 + h % 150,
  CASE WHEN step = 2 AND h % 100 < 33 THEN 1 + h % 4 END, CASE WHEN step = 2 AND h % 100 < 33 THEN 12 + h % 150 END,
  CASE WHEN step > 2 THEN (h % 100) / 100.0 END, CASE step WHEN 3 THEN 30 WHEN 4 THEN 120 END, '', '0'
FROM s
"""


def make(path: Path, events: int) -> None:
    """Without triggers while it is filled: the sums are made once, as the migration makes them."""
    database = connect(path)
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA cache_size=-200000")
    database.executescript("DROP TABLE daily; DROP TRIGGER daily_add; DROP TRIGGER daily_take;")
    database.execute("BEGIN")
    database.execute(EVENTS, {"events": events, "days": DAYS, "people": PEOPLE})
    database.execute("COMMIT")
    database.executescript(f"BEGIN; {rollup.CREATE} COMMIT;")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def copy(log: Path, url: str) -> Store:
    """A collector's database with the events of `log`."""
    store = Store(url)
    store.prepare()
    if store.postgres:  # one processor is what is measured
        with store.engine.begin() as connection:
            connection.execute(sa.text("ALTER ROLE lido SET max_parallel_workers_per_gather = 0"))
        store.engine.dispose()
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    with store.engine.connect() as connection:
        if store.postgres:
            source = connect(log, readonly=True)
            raw: Any = connection.connection.driver_connection
            with raw.cursor() as cursor, cursor.copy(f"COPY events ({names}, received) FROM STDIN") as rows:
                for row in source.execute(f"SELECT {names} FROM events"):
                    rows.write_row((*row, ""))
            source.close()
        else:
            raw = connection.connection.driver_connection
            raw.execute("ATTACH ? AS log", (str(log),))
            raw.execute("PRAGMA synchronous=OFF")
            raw.execute(f"INSERT INTO main.events ({names}, received) SELECT {names}, '' FROM log.events")
        raw.commit()
    with store.engine.begin() as connection:
        fill(connection)
    tidy = "VACUUM ANALYZE" if store.postgres else "PRAGMA wal_checkpoint(TRUNCATE)"
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(tidy))  # as it does by itself, sooner or later
    return store


def asked(store: Store) -> dict[str, Callable[[], list[Any]]]:
    """What is asked of a collector: the page's questions, Prometheus' and the ones in Copilot's shape."""

    def ask(
        begin: str, end: str, by: Sequence[str] = (), only: dict[str, list[str]] | None = None
    ) -> list[Any]:
        return store.metrics(by, begin, end, only=only)

    made: dict[str, Callable[[], list[Any]]] = {
        name: partial(ask, **question) for name, question in questions(BEGIN, END).items()
    }
    made["Prometheus: everything"] = partial(
        store.counters, ("team", "feature", "language", "model"), ("shown", "accepted", "prompt_tokens")
    )
    made["Copilot's shape, 28 days"] = lambda: copilot.days(store.people("2026-02-01T00:00:00.000Z", END))
    return made


def measured(name: str, ask: Callable[[], list[Any]], busy: Callable[[], float]) -> tuple[int, float, float]:
    """Rows, and the least of five times in milliseconds: on the clock, and of the processor. The latter is what
    the former would be if the machine did nothing else."""
    clock, processor = [], []
    for _ in range(5):
        began, worked = time.perf_counter(), busy()
        found = ask()
        clock.append((time.perf_counter() - began) * 1000)
        processor.append((busy() - worked) * 1000)
    print(
        f"{name:48} {len(found):5} rows {min(clock):6.0f} ms, processor {min(processor):.0f}", file=sys.stderr
    )
    return len(found), min(clock), min(processor)


def backend(store: Store) -> Callable[[], float]:
    """Seconds of the processor that this process and its PostgreSQL backend have used."""
    with store.engine.connect() as connection:  # the pool's only one
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))

    def busy() -> float:
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return time.process_time() + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    return busy


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=10_000_000)
    arguments.add_argument("--keep", type=Path)
    chosen = arguments.parse_args()
    postgres: Postgres | None = None
    folder = Path(tempfile.mkdtemp(prefix="lido-ten-million-"))
    folder.chmod(0o755)
    try:
        path = chosen.keep or folder / "events.sqlite3"
        if not path.exists():
            began = time.perf_counter()
            make(path, chosen.events)
            size = path.stat().st_size / 1e9
            print(f"log: {time.perf_counter() - began:.0f} s, {size:.1f} GB", file=sys.stderr)
        clocks: dict[str, Callable[[], float]] = {}
        columns = {
            "log": {
                name: partial(metrics.rows, path, **question)
                for name, question in questions(BEGIN, END).items()
            }
        }
        urls = {"collector, SQLite": f"sqlite:///{folder / 'collector.sqlite3'}"}
        if places := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
            (folder / "postgres").mkdir(mode=0o755)
            postgres = Postgres(folder / "postgres", places[-1].parent)
            postgres.start()
            urls["collector, PostgreSQL"] = postgres.url
        for name, url in urls.items():
            began = time.perf_counter()
            store = copy(path, url)
            columns[name] = asked(store)
            if store.postgres:
                clocks[name] = backend(store)
            print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        results = {
            where: {
                name: measured(f"{where}: {name}", ask, clocks.get(where, time.process_time))
                for name, ask in asks.items()
            }
            for where, asks in columns.items()
        }
    finally:
        if postgres:
            postgres.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
    print(f"| question | rows | {' | '.join(results)} |\n|---|{'---:|' * (len(results) + 1)}")
    for name in results["collector, SQLite"]:
        cells = [
            "{2:.0f} ({1:.0f})".format(*results[where][name]) if name in results[where] else "–"
            for where in results
        ]
        print(f"| {name} | {results['collector, SQLite'][name][0]} | {' | '.join(cells)} |")
    return int(any(busy > LIMIT_MS for each in results.values() for *_, busy in each.values()))


if __name__ == "__main__":
    sys.exit(main())
