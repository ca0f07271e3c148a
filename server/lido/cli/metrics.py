"""``lido metrics``"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def command(
    by: Annotated[
        str,
        typer.Option(help="Dimensions: language, team, project, model, editor, feature, user, day, week."),
    ] = "",
    since: Annotated[str, typer.Option(help="A span (28d, 12h, 30m) or an ISO 8601 time.")] = "28d",
    output: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.TABLE,
    minimum_people: Annotated[
        int, typer.Option(min=0, help="Leave out groups of fewer people than this.")
    ] = 0,
    out: Annotated[Path | None, typer.Option("--output", help="File to write; needed for parquet.")] = None,
) -> None:
    """Show what people accepted and rejected, by any combination of dimensions."""
    import sqlite3

    from lido.events import metrics
    from lido.settings import Home

    dimensions = [name.strip() for name in by.split(",") if name.strip()]
    try:
        begin = metrics.since(since)
        rows = metrics.rows(Home().events, dimensions, begin, minimum_people)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except sqlite3.Error as error:
        print(f"The log {Home().events} cannot be read: {error}. See `lido doctor`.", file=sys.stderr)
        raise typer.Exit(1) from None
    if output is Format.PARQUET:
        _parquet(rows, out)
    elif output is Format.TABLE:
        _table(rows, dimensions, since)
    else:
        text = _json(rows) if output is Format.JSON else _csv(rows)
        if out:
            out.write_text(text, encoding="utf-8")
        else:
            sys.stdout.write(text)


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
    writer.writerows(rows)
    return text.getvalue()


def _parquet(rows: list[dict[str, Any]], out: Path | None) -> None:
    if out is None:
        raise typer.BadParameter("parquet needs --output FILE")
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        print("Parquet needs an extra: pip install 'lido-lsp[columns]'", file=sys.stderr)
        raise typer.Exit(1) from None
    pq.write_table(pa.Table.from_pylist(rows), out)


def _table(rows: list[dict[str, Any]], dimensions: list[str], since: str) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows or not any(row["shown"] for row in rows):
        print(f"Nothing was shown since {since}. Use Lido in an editor, or run `lido try`.", file=sys.stderr)
        return
    table = Table(box=None, pad_edge=False)
    for name in dimensions or ["all"]:
        table.add_column(name)
    for name in (
        "shown",
        "accepted",
        "partly",
        "rejected",
        "ignored",
        "rate",
        "",
        "kept 2 min",
        "p50",
        "p95",
    ):
        table.add_column(name, justify="left" if not name else "right")
    for row in rows:
        rate, kept = row["acceptance_rate"], row["retained_2min"]
        table.add_row(
            *([str(row[name]) for name in dimensions] or [""]),
            *(str(row[k]) for k in ("shown", "accepted", "partially_accepted", "rejected", "ignored")),
            "" if rate is None else f"{rate:.0%}",
            "" if rate is None else "█" * round(rate * 10),
            "" if kept is None else f"{kept:.0%}",
            *("" if row[k] is None else f"{row[k]:.0f} ms" for k in ("latency_p50_ms", "latency_p95_ms")),
        )
    Console().print(table)
