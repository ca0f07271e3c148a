"""``lido metrics`` and ``lido events`` as scripts use them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lido.cli.app import app
from lido.cli.metrics import sparkline
from lido.events.schema import COLUMNS, Event, utc, uuid7
from lido.events.store import EventLog
from lido.settings import Home


def fill(*, users: int = 4) -> None:
    log = EventLog(Home().events)
    for number in range(40):
        at = utc(1_700_000_000 + number * 43_200)
        one = Event(
            uuid7(), at, uuid7(), "shown", "completion", language="python" if number % 4 else "go",
            user=f"u{number % users}" if number % 4 else "u0", model="m", prompt_tokens=1000, completion_tokens=10,
            latency_ms=100.0,
        )  # fmt: skip
        log.record(one)
        log.record(replace(one, id=uuid7(), kind="accepted" if number % 2 else "rejected"))
    log.close()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_json_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    parquet = pytest.importorskip("pyarrow.parquet")
    fill()
    asked = ("metrics", "--by", "language,week", "--since", "2023-11-01", "--format")
    rows = json.loads(run(*asked, "json"))
    lines = list(csv.DictReader(io.StringIO(run(*asked, "csv"))))
    file = tmp_path / "m.parquet"
    run(*asked, "parquet", "--output", str(file))
    assert [line["shown"] for line in lines] == [str(row["shown"]) for row in rows]
    assert parquet.read_table(file).to_pylist() == rows
    total = duckdb.sql(f"SELECT sum(shown), sum(accepted) FROM '{file}'").fetchall()
    assert total == [(40, 20)]
    kinds = {field.name: str(field.type) for field in parquet.read_schema(file)}
    assert (kinds["shown"], kinds["cost"], kinds["retained_commit"]) == ("int64", "double", "double")


def test_cost_where_prices_are_set() -> None:
    fill()
    Path(os.environ["LIDO_CONFIG"]).write_text(
        '[models.local]\nmodel = "m"\nprompt_price = 2.0\ncompletion_price = 10.0\n'
    )
    (row,) = json.loads(run("metrics", "--since", "2023-11-01", "--format", "json"))
    assert row["cost"] == pytest.approx(40 * (2000 + 100) / 1e6)


def test_until_and_small_groups() -> None:
    fill()
    asked = ("metrics", "--since", "2023-11-01", "--format", "json")
    (first,) = json.loads(run(*asked, "--until", "2023-11-20"))
    assert first["shown"] == 11
    rows = json.loads(run(*asked, "--by", "language", "--min-people", "2"))
    assert [row["language"] for row in rows] == ["python"], "one person alone wrote go"


def test_a_table_has_trends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    fill()
    said = run("metrics", "--by", "language", "--since", "2023-11-01")
    assert "trend" in said
    assert "▇" in said or "█" in said
    assert sparkline([0, 1, 2, 4]) == "▁▂▄█"
    assert sparkline([5]) == ""
    assert len(sparkline(list(range(400)))) == 14


def test_following_tells_each_event_once_as_recorded_whatever_the_clock_does() -> None:
    fill()
    process = subprocess.Popen(
        [sys.executable, "-m", "lido", "events", "--since", "2023-12-03", "--follow"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUTF8": "1"},
    )
    assert process.stdout
    try:
        before = json.loads(process.stdout.readline())
        log = EventLog(Home().events)
        back = Event(uuid7(), utc(1_500_000_000), "s", "shown", "chat", language="python", latency_ms=1.5)
        ahead = replace(back, id=uuid7(), time=utc(1_900_000_000), kind="accepted")
        for event in (ahead, back):
            log.record(event)
            log.flush_sync()
        told = []
        while len(told) < 2:
            row = json.loads(process.stdout.readline())
            if row["id"] in (ahead.id, back.id):
                told.append(row)
        log.close()
    finally:
        process.terminate()
        process.wait()
    assert before["time"] >= "2023-12-03"
    for event, row in zip((ahead, back), told, strict=True):
        whole = {name: getattr(event, name) for name in COLUMNS}
        assert row == {name: value for name, value in whole.items() if value not in (None, "")}
