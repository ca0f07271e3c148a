"""``lido events``"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import Annotated, Any

import typer

app = typer.Typer(invoke_without_command=True, help="Show the raw log, or purge parts of it.")


@app.callback()
def events(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="A span (28d, 12h, 30m) or an ISO 8601 time.")] = "1d",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is recorded from now.")
    ] = False,
    output: Annotated[str, typer.Option("--format", help="jsonl: one JSON object a line.")] = "jsonl",
) -> None:
    """Print every event exactly as it is recorded, oldest first."""
    if context.invoked_subcommand:
        return
    import sqlite3
    import time

    from lido.events import metrics
    from lido.events.store import connect
    from lido.settings import Home

    if output != "jsonl":
        raise typer.BadParameter("the only format is jsonl")
    try:
        begin = metrics.since(since)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    path = Home().events
    seen = 0
    where, bound = "time >= ? ORDER BY time, id", begin
    try:
        while True:
            if path.exists():
                with closing(connect(path)) as database:
                    # What comes is told in the order in which it was recorded: clocks jump, sequences don't.
                    last = database.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
                    query = f"SELECT * FROM events WHERE seq > ? AND seq <= ? AND {where}"  # noqa: S608
                    for row in database.execute(query, (seen, last, bound)):
                        print(json.dumps(_lean(dict(row)), ensure_ascii=False), flush=follow)
                seen = last
                where, bound = "? <> '' ORDER BY seq", "all"
            if not follow:
                return
            time.sleep(0.5)
    except sqlite3.Error as error:
        print(f"The log {path} cannot be read: {error}. See `lido doctor`.", file=sys.stderr)
        raise typer.Exit(1) from None
    except (KeyboardInterrupt, BrokenPipeError):
        raise typer.Exit(0) from None


def _lean(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in (None, "") and name != "seq"}


@app.command()
def purge(
    user: Annotated[str, typer.Option(help="Delete this person's events (name or hash as in the log).")] = "",
    before: Annotated[str, typer.Option(help="Delete what is older than this span or time.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete events of a person, or older ones; what is deleted is gone from the file too."""
    from lido.events import metrics
    from lido.events.store import connect
    from lido.settings import Home

    if not user and not before:
        raise typer.BadParameter("say which: --user, --before, or both")
    conditions, values = [], []
    if user:
        conditions.append('"user" = ?')
        values.append(user)
    if before:
        try:
            values.append(metrics.since(before))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        conditions.append("time < ?")
    where = " AND ".join(conditions)
    if not Home().events.exists():
        print("There is no log.", file=sys.stderr)
        return
    database = connect(Home().events)
    try:
        count = database.execute(f"SELECT count(*) FROM events WHERE {where}", values).fetchone()[0]  # noqa: S608
        if count and not yes:
            typer.confirm(f"Delete {count} events?", abort=True, err=True)
        database.execute("PRAGMA secure_delete=ON")
        database.execute(f"DELETE FROM events WHERE {where}", values)  # noqa: S608
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        database.close()
    print(f"Deleted {count} events.", file=sys.stderr)
