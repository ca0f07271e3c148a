"""``lido export``"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The log as training data for a model of your own.")


class Shape(StrEnum):
    DPO = "trl-dpo"
    KTO = "trl-kto"
    SFT = "sft"


@app.callback()
def export() -> None:
    """The log as training data for a model of your own."""


@app.command()
def preferences(
    shape: Annotated[Shape, typer.Option("--format", help="What a record holds; see TRL.")] = Shape.DPO,
    since: Annotated[str, typer.Option(help="A span (28d, 12h, 30m) or an ISO 8601 time.")] = "3650d",
    project: Annotated[str, typer.Option(help="Of this project alone.")] = "",
    template: Annotated[
        str,
        typer.Option(
            help="How the prompt is made, e.g. '<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>'."
        ),
    ] = "{prefix}",
    split: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of projects for test.jsonl; the rest is train.jsonl."),
    ] = 0.0,
    output: Annotated[
        Path | None, typer.Option(help="File to write; with --split, a folder. Else standard output.")
    ] = None,
) -> None:
    """Accepted against rejected suggestions, as JSON lines that TRL reads."""
    import sqlite3

    from lido.events import export, metrics
    from lido.settings import Home

    if split and output is None:
        raise typer.BadParameter("--split needs --output FOLDER")
    if "{prefix}" not in template:
        raise typer.BadParameter("--template needs {prefix}")
    try:
        begin = metrics.since(since)
        found = list(export.records(export.judged(Home().events, begin, project), shape.value, template))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except (export.NothingStoredError, sqlite3.Error) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    if not found:
        print(
            "There are judged suggestions, but none that fit: trl-dpo needs an accepted and a rejected one "
            "at the same place; trl-kto takes each by itself.",
            file=sys.stderr,
        )
        raise typer.Exit(1)
    parts: dict[Path | None, list[str]] = {}
    for name, record in found:
        file = output
        if split and output:
            file = output / ("test.jsonl" if export.held_out(name, split) else "train.jsonl")
        parts.setdefault(file, []).append(json.dumps(record, ensure_ascii=False) + "\n")
    for file, lines in parts.items():
        if file is None:
            sys.stdout.writelines(lines)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(lines), encoding="utf-8")
            print(f"{len(lines)} records in {file}", file=sys.stderr)
