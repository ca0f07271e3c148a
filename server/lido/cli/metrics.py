"""``lido metrics``"""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


WATCH_EVERY = 5.0
"""Seconds between two looks of ``--watch``."""


def command(
    by: Annotated[
        str,
        typer.Option(help="Dimensions: language, team, project, model, editor, feature, user, day, week."),
    ] = "",
    since: Annotated[str, typer.Option(help="A span (28d, 12h, 30m) or an ISO 8601 time.")] = "28d",
    until: Annotated[str, typer.Option(help="The same, for the end; now where not given.")] = "",
    output: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.TABLE,
    minimum_people: Annotated[
        int,
        typer.Option(
            "--min-people", "--minimum-people", min=0, help="Leave out groups of fewer people than this."
        ),
    ] = 0,
    out: Annotated[Path | None, typer.Option("--output", help="File to write; needed for parquet.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing the table as it changes.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show them as a page, on this machine alone.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; any free one where 0.")] = 0,
) -> None:
    """Show what people accepted and rejected, by any combination of dimensions."""
    import sqlite3

    from lido import settings as configuration
    from lido.events import metrics

    home = configuration.Home()
    prices = metrics.prices(configuration.load()[0])
    if serve:
        return _serve(home.events, port, prices)
    dimensions = [name.strip() for name in by.split(",") if name.strip()]

    def read() -> list[dict[str, Any]]:
        begin, end = metrics.since(since), metrics.since(until) if until else ""
        return metrics.rows(home.events, dimensions, begin, minimum_people, end=end, prices=prices)

    def trends() -> dict[tuple[Any, ...], list[int]]:
        """Of each group, what was shown day by day."""
        if "day" in dimensions:
            return {}
        begin, end = metrics.since(since), metrics.since(until) if until else ""
        days = metrics.rows(home.events, ["day", *dimensions], begin, end=end)
        every = sorted({row["day"] for row in days})
        found: dict[tuple[Any, ...], list[int]] = {}
        for row in days:
            line = found.setdefault(tuple(row[name] for name in dimensions), [0] * len(every))
            line[every.index(row["day"])] = row["shown"]
        return found

    try:
        rows = read()
        if output is Format.TABLE and watch:
            return _watch(lambda: _table(read(), dimensions, trends()))
        if output is Format.TABLE:
            if not rows or not any(row["shown"] for row in rows):
                print(
                    f"Nothing was shown since {since}. Use Lido in an editor, or run `lido try`.",
                    file=sys.stderr,
                )
                return None
            from rich.console import Console

            return Console().print(_table(rows, dimensions, trends()))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except sqlite3.Error as error:
        print(f"The log {home.events} cannot be read: {error}. See `lido doctor`.", file=sys.stderr)
        raise typer.Exit(1) from None
    if output is Format.PARQUET:
        return _parquet(rows, dimensions, out)
    text = _json(rows) if output is Format.JSON else _csv(rows)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return None


def _serve(path: Path, port: int, prices: dict[str, tuple[float, float]]) -> None:
    from lido.events import dashboard

    try:
        server = dashboard.serve(path, port, prices)
    except OSError as error:
        print(f"Port {port} cannot be used: {error}. Leave --port out for any free one.", file=sys.stderr)
        raise typer.Exit(1) from None
    print(
        f"Open {dashboard.address(server)}\n"
        "The address is the key: whoever has it sees the numbers. Ctrl-C ends."
    )
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


def _watch(draw: Callable[[], RenderableType]) -> None:
    import time

    from rich.live import Live

    try:
        with Live(draw(), auto_refresh=False, screen=False) as live:
            while True:
                time.sleep(WATCH_EVERY)
                live.update(draw(), refresh=True)
    except KeyboardInterrupt:
        return


def _json(rows: list[dict[str, Any]]) -> str:
    import json

    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _csv(rows: list[dict[str, Any]]) -> str:
    import csv
    import io

    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    # A name that begins like a formula is text, whatever a spreadsheet thinks.
    writer.writerows(
        {k: f"'{v}" if isinstance(v, str) and v[:1] in "=+-@" and v else v for k, v in r.items()}
        for r in rows
    )
    return text.getvalue()


def _parquet(rows: list[dict[str, Any]], dimensions: list[str], out: Path | None) -> None:
    if out is None:
        raise typer.BadParameter("parquet needs --output FILE")
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        print("Parquet needs an extra: pip install 'lido-lsp[columns]'", file=sys.stderr)
        raise typer.Exit(1) from None
    from lido.events import metrics

    # The same types whatever the numbers are: a column of nothing yet is still one of numbers.
    kinds = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    types = [(name, kinds[kind]) for name, kind in metrics.columns(dimensions).items()]
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(types)), out)


def sparkline(values: list[int], width: int = 14) -> str:
    """At most `width` bars, each the sum of as many days; "" for less than two values."""
    if len(values) < 2 or not any(values):
        return ""
    parts = min(width, len(values))
    cuts = [len(values) * n // parts for n in range(parts + 1)]
    sums = [sum(values[a:b]) / (b - a) for a, b in pairwise(cuts)]
    top = max(sums)
    return "".join("▁▂▃▄▅▆▇█"[min(7, int(value / top * 7.999))] for value in sums)


def _table(
    rows: list[dict[str, Any]], dimensions: list[str], trends: dict[tuple[Any, ...], list[int]]
) -> RenderableType:
    from rich.console import Console
    from rich.table import Table

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.0%}"

    def milliseconds(value: float | None) -> str:
        return "" if value is None else f"{value:.0f} ms"

    # Name, content, and whether it is left out where the terminal is narrow.
    columns: list[tuple[str, Callable[[dict[str, Any]], str], bool]] = [
        ("shown", lambda row: str(row["shown"]), False),
        ("accepted", lambda row: str(row["accepted"]), False),
        ("partly", lambda row: str(row["partially_accepted"]), False),
        ("rejected", lambda row: str(row["rejected"]), True),
        ("ignored", lambda row: str(row["ignored"]), True),
        ("rate", lambda row: share(row["acceptance_rate"]), False),
        ("", lambda row: "█" * round((row["acceptance_rate"] or 0) * 10), True),
        ("kept 2 min", lambda row: share(row["retained_2min"]), False),
        ("p50", lambda row: milliseconds(row["latency_p50_ms"]), False),
        ("p95", lambda row: milliseconds(row["latency_p95_ms"]), True),
        ("people", lambda row: str(row["active_people"]), True),
    ]
    if any(row["cost"] is not None for row in rows):
        columns.append(("cost", lambda row: "" if row["cost"] is None else f"{row['cost']:.2f}", False))
    if trends:
        columns.append(
            ("trend", lambda row: sparkline(trends.get(tuple(row[name] for name in dimensions), [])), True)
        )
    if Console().width < 100 + 12 * len(dimensions):
        columns = [column for column in columns if not column[2]]
    table = Table(box=None, pad_edge=False)
    for name in dimensions or ["all"]:
        table.add_column(name, no_wrap=True, min_width=len(name))
    for name, _, _ in columns:
        table.add_column(name, justify="left" if name in ("", "trend") else "right", no_wrap=True)
    for row in rows:
        names = [str(row[name]) for name in dimensions] or [""]
        table.add_row(*names, *(content(row) for _, content, _ in columns))
    return table
