"""The log: durable, shared, and never in the way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lido.events import metrics, store
from lido.events.schema import Event, utc, uuid7
from lido.events.store import EventLog, NewerLogError, connect


def event(kind: str = "shown", at: float = 1_700_000_000.0, **fields: object) -> Event:
    made = Event(uuid7(), utc(at), uuid7(), kind, "completion", language="python")  # type: ignore[arg-type]
    return replace(made, **fields)  # type: ignore[arg-type]


def count(path: Path) -> int:
    with sqlite3.connect(path) as database:
        return int(database.execute("SELECT count(*) FROM events").fetchone()[0])


def test_ids_are_uuids_of_version_7_ordered_by_time() -> None:
    ids = [uuid7(ms) for ms in (1, 2, 3_000_000_000_000)]
    assert all(uuid.UUID(identifier).version == 7 for identifier in ids)
    assert all(uuid.UUID(identifier).variant == uuid.RFC_4122 for identifier in ids)
    assert ids == sorted(ids)


async def test_what_was_flushed_is_on_disk_and_private(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "a" / "events.sqlite3")
    for _ in range(1200):
        log.record(event())
    await log.flush()
    assert count(log.path) == 1200
    assert log.path.stat().st_mode & 0o077 == 0
    log.close()


def test_the_same_event_twice_counts_once(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e")
    one = event()
    log.record(one)
    log.record(one)
    log.close()
    assert count(log.path) == 1


def test_several_servers_write_to_one_log_at_once(tmp_path: Path) -> None:
    path = tmp_path / "e"
    code = (
        "import sys; from pathlib import Path; from lido.events.store import EventLog\n"
        "from lido.events.schema import Event, utc, uuid7\n"
        "log = EventLog(Path(sys.argv[1]), print)\n"
        "for n in range(200): log.record(Event(uuid7(), utc(n), uuid7(), 'shown', 'completion')); n % 20 or log.flush_sync()\n"
        "log.close(); sys.exit(log.dropped)"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(4)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0, 0]
    assert count(path) == 800


def test_a_log_that_cannot_be_written_is_said_once_and_counted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told: list[str] = []
    log = EventLog(tmp_path / "file" / "events.sqlite3", told.append)
    for _ in range(3):
        log.record(event())
        log.flush_sync()
    log.close()
    assert log.dropped == 3
    assert len(told) == 1
    assert "lido doctor" in told[0]


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    told: list[str] = []
    log = EventLog(tmp_path / "e", told.append)
    (tmp_path / "e").symlink_to("/dev/full")
    log.record(event())
    log.close()
    assert log.dropped == 1
    assert told


def test_a_corrupt_log_is_said_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_bytes(b"this is no database" * 100)
    told: list[str] = []
    log = EventLog(path, told.append)
    log.record(event())
    log.close()
    assert told
    assert path.read_bytes() == b"this is no database" * 100


def test_a_log_of_a_newer_lido_is_left_alone(tmp_path: Path) -> None:
    database = connect(tmp_path / "e")
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(NewerLogError, match="newer"):
        connect(tmp_path / "e")


def test_switched_off_nothing_is_written(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e", enabled=False)
    log.record(event())
    log.close()
    assert not (tmp_path / "e").exists()
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- metrics


def filled(path: Path) -> Path:
    log = EventLog(path)
    for number in range(10):
        shown = event(
            at=1_700_000_000 + number * 86_400,
            latency_ms=float(number + 1),
            user=f"u{number % 2}",
            team="a" if number < 6 else "b",
        )
        log.record(shown)
        log.record(replace(shown, id=uuid7(), kind="accepted" if number < 4 else "rejected", latency_ms=None))
    log.close()
    # Whether the log has looked at what is old by now depends on its thread.
    with closing(connect(path)) as database:
        database.execute("DELETE FROM upkeep")
    return path


def test_counts_rates_and_percentiles(tmp_path: Path) -> None:
    (row,) = metrics.rows(filled(tmp_path / "e"))
    assert (row["shown"], row["accepted"], row["rejected"], row["open"]) == (10, 4, 6, 0)
    assert row["acceptance_rate"] == 0.4
    assert row["latency_p50_ms"] == pytest.approx(5.0, rel=0.1)
    assert row["latency_p95_ms"] == pytest.approx(10.0, rel=0.1)
    assert row["active_people"] == 2


def test_groups_by_any_dimensions_and_since(tmp_path: Path) -> None:
    path = filled(tmp_path / "e")
    rows = {(row["team"], row["language"]): row["shown"] for row in metrics.rows(path, ["team", "language"])}
    assert rows == {("a", "python"): 6, ("b", "python"): 4}
    assert len(metrics.rows(path, ["day"])) == 10
    assert {row["week"] for row in metrics.rows(path, ["week"])} == {"2023-W46", "2023-W47"}
    assert metrics.rows(path, [], metrics.since("2023-11-20"))[0]["shown"] == 4


def test_small_groups_can_be_left_out(tmp_path: Path) -> None:
    path = filled(tmp_path / "e")
    assert metrics.rows(path, ["user"], minimum_people=2) == []
    assert len(metrics.rows(path, ["team"], minimum_people=2)) == 2


def test_an_unknown_dimension_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(metrics.UnknownDimensionError, match="language"):
        metrics.rows(filled(tmp_path / "e"), ["colour; DROP TABLE events"])


@pytest.mark.parametrize("text", ["yesterday", "28", "d28", "-1d", ""])
def test_a_span_that_is_none_says_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="28d"):
        metrics.since(text)


def test_spans_and_times() -> None:
    now = 1_700_000_000.0
    assert metrics.since("1d", now) == utc(now - 86_400)
    assert metrics.since("2023-11-14T23:13:20+01:00") == utc(now)


# ---------------------------------------------------------------- limits, migrations, clocks


def test_what_is_too_old_goes_and_sums_go_with_it(tmp_path: Path) -> None:
    path = filled(tmp_path / "e")
    database = connect(path)
    now = 1_700_000_000 + 9.5 * 86_400
    assert store.keep_within(database, 5, 512, now) == 10
    database.close()
    assert sum(row["shown"] for row in metrics.rows(path, ["day"])) == 5
    assert metrics.rows(path)[0]["shown"] == 5


def test_a_clock_that_jumps_ahead_costs_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "e")
    database = connect(path)
    now = 1_700_000_000 + 9.5 * 86_400
    assert store.keep_within(database, 30, 512, now) == 0
    for _ in range(15):  # ten years ahead, for a night
        assert store.keep_within(database, 30, 512, now + 3650 * 86_400) == 0
    assert store.keep_within(database, 30, 512, now) == 0
    database.close()


def test_the_size_is_kept_and_the_newest_stay(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e")
    for number in range(6000):
        log.record(event(at=1_700_000_000 + number, reason="x" * 100))
    log.close()
    database = connect(log.path)
    gone = store.keep_within(database, 400, 1, 1_700_010_000)
    assert 0 < gone < 6000
    newest, oldest = database.execute("SELECT max(time), min(time) FROM events").fetchone()
    assert newest == utc(1_700_005_999)
    assert oldest == utc(1_700_000_000 + gone)
    database.close()
    assert metrics.rows(log.path)[0]["shown"] == 6000 - gone


def test_a_server_keeps_within_its_settings(tmp_path: Path) -> None:
    path = filled(tmp_path / "e")
    log = EventLog(path, retention_days=1)
    log.record(event(at=time.time()))
    log.flush_sync()
    log.record(event(at=time.time()))
    log.close()
    assert metrics.rows(path)[0]["shown"] == 2


def test_a_log_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "e"
    database = sqlite3.connect(path)
    database.executescript(f"{store._MIGRATIONS[0]} PRAGMA user_version=1;")
    for number in range(3):
        database.execute(store.INSERT, store.values(event(at=1_700_000_000 + number, user="u")))
    database.commit()
    database.close()
    assert metrics.rows(path)[0]["shown"] == 3, "reading is enough"
    log = EventLog(path)
    log.record(event())
    log.close()
    assert metrics.rows(path)[0]["shown"] == 4


def test_sums_are_those_of_the_events_at_any_bounds(tmp_path: Path) -> None:
    path = filled(tmp_path / "e")
    moments = [1_700_000_000 + hours * 3600 for hours in (-30, 0, 11, 20, 24, 47, 100, 300)]
    with sqlite3.connect(path) as database:
        for low in moments:
            for high in moments:
                begin, end = utc(low), utc(high)
                true = database.execute(
                    "SELECT count(*) FROM events WHERE kind = 'shown' AND time >= ? AND time < ?",
                    (begin, end),
                ).fetchone()[0]
                found = metrics.rows(path, begin=begin, end=end)
                assert (found[0]["shown"] if found else 0) == true, (begin, end)
            (since,) = metrics.rows(path, begin=utc(low)) or [{"shown": 0}]
            assert (
                since["shown"]
                == database.execute(
                    "SELECT count(*) FROM events WHERE kind = 'shown' AND time >= ?", (utc(low),)
                ).fetchone()[0]
            )


def test_the_day_a_clock_is_put_back_has_each_event_once(tmp_path: Path) -> None:
    """02:30 local time comes twice when summer time ends; the log knows UTC alone."""
    log = EventLog(tmp_path / "e")
    for minute in range(0, 180, 30):
        log.record(event(at=1_761_435_000 + minute * 60, user="u"))  # 2025-10-25T23:30Z and on
    log.close()
    assert {row["day"]: row["shown"] for row in metrics.rows(log.path, ["day"])} == {
        "2025-10-25": 1,
        "2025-10-26": 5,
    }


def test_one_group_can_be_looked_at_and_has_a_cost(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e")
    for model, tokens in (("a", 1000), ("b", 500)):
        log.record(event(model=model, prompt_tokens=tokens, completion_tokens=10, user="u"))
    log.close()
    prices = {"a": (2.0, 100.0)}
    rows = {row["model"]: row["cost"] for row in metrics.rows(log.path, ["model"], prices=prices)}
    assert rows == {"a": pytest.approx(0.003), "b": None}
    (only,) = metrics.rows(log.path, [], only={"model": ["b"]})
    assert only["prompt_tokens"] == 500
    with pytest.raises(metrics.UnknownDimensionError):
        metrics.rows(log.path, [], only={"1=1 --": ["b"]})
