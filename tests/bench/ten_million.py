"""How quick the dashboard's questions are on a log of ten million events.

``python tests/bench/ten_million.py [--events 10000000] [--keep FILE]`` makes a log of a company's quarter (200
people, 12 teams, 90 days), then asks what the page asks and prints milliseconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from lido.events import metrics, rollup
from lido.events.dashboard import questions
from lido.events.store import connect

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


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=10_000_000)
    arguments.add_argument("--keep", type=Path)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.keep or Path(folder) / "events.sqlite3"
        if not path.exists():
            began = time.perf_counter()
            make(path, chosen.events)
            print(
                f"made in {time.perf_counter() - began:.0f} s, {path.stat().st_size / 1e9:.1f} GB",
                file=sys.stderr,
            )
        database = connect(path, readonly=True)
        for table in ("events", "daily"):
            print(f"{table:8} {database.execute(f'SELECT count(*) FROM {table}').fetchone()[0]:>11,} rows")
        database.close()
        slow = 0
        for name, question in questions("2025-12-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z").items():
            times, busy = [], []
            for _ in range(3):
                began, worked = time.perf_counter(), time.process_time()
                found = metrics.rows(path, **question)
                times.append((time.perf_counter() - began) * 1000)
                busy.append((time.process_time() - worked) * 1000)
            slow += min(times) > LIMIT_MS
            print(
                f"{name:24} {len(found):5} rows {min(times):6.0f} ms (first {times[0]:.0f}; processor {min(busy):.0f})"
            )
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
