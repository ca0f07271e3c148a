"""``lido collect``: the team's collector."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

app = typer.Typer(help="Collect a team's events and give out its metrics.", no_args_is_help=False)
token = typer.Typer(help="Who may write events and read metrics.", no_args_is_help=True)
app.add_typer(token, name="token")

Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="LIDO_COLLECT_DATABASE",
        help="sqlite:///FILE or postgresql://…; by default collector.sqlite3 in LIDO_HOME.",
    ),
]


class RoleName(StrEnum):
    WRITER = "writer"
    READER = "reader"
    ADMIN = "admin"


def _store(database: str) -> Any:
    try:
        import sqlalchemy as sa

        from lido import settings as configuration
        from lido.collect.store import Store
        from lido.events import metrics
    except ImportError:
        sys.exit("The collector is an extra: pip install 'lido-lsp[collect]'.")
    if not database:
        from lido.settings import Home

        home = Home().root
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = home / "collector.sqlite3"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        database = f"sqlite:///{path}"
    try:
        store = Store(database, metrics.prices(configuration.load()[0]))
        store.prepare()
    except (sa.exc.SQLAlchemyError, ImportError, RuntimeError) as error:
        # Without the statement and the URL, which may hold a password.
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip()
        sys.exit(f"The database cannot be used: {reason}")
    return store


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Where to listen; this machine alone unless told.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8377,
    database: Database = "",
    certificate: Annotated[str, typer.Option(help="TLS certificate, PEM.")] = "",
    key: Annotated[str, typer.Option(help="The certificate's key, PEM.")] = "",
    requests_per_minute: Annotated[int, typer.Option(min=1, help="What each token may ask at most.")] = 1200,
) -> None:
    """Run the collector until it is interrupted."""
    if context.invoked_subcommand:
        return
    store = _store(database)
    import uvicorn

    from lido.collect.app import build

    if not any(each["role"] != "reader" and not each["revoked"] for each in store.list_tokens()):
        print(
            "No token may write yet: lido collect token add NAME --role writer --team TEAM", file=sys.stderr
        )
    uvicorn.run(
        build(store, requests_per_minute),
        host=host,
        port=port,
        ssl_certfile=certificate or None,
        ssl_keyfile=key or None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


@app.command("purge")
def purge(
    user: Annotated[str, typer.Option(help="Delete this person's events (name or hash as in the log).")] = "",
    before: Annotated[
        str, typer.Option(help="Delete whole days (UTC) that are older than this span or time.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    database: Database = "",
) -> None:
    """Delete events of a person, or older ones, and all they add to any count."""
    from lido.events import metrics

    if not user and not before:
        raise typer.BadParameter("say which: --user, --before, or both")
    try:
        limit = metrics.since(before) if before else ""
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from None
    if not yes:
        whose = f" of {user}" if user else ""
        when = f" before {limit[:10]}" if limit else ""
        typer.confirm(f"Delete all events{whose}{when}?", abort=True, err=True)
    print(f"{_store(database).purge(user, limit)} events deleted.", file=sys.stderr)


@token.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What it is for, such as payments-writers.")],
    role: Annotated[RoleName, typer.Option(help="What it may do.")] = RoleName.WRITER,
    team: Annotated[
        list[str] | None,
        typer.Option(help="Whose events it writes or reads, everybody's where not given; may be repeated."),
    ] = None,
    database: Database = "",
) -> None:
    """Make a token and print it, this once."""
    if role is RoleName.READER and not team:
        sys.exit("A reader reads some teams' metrics: --team NAME. An admin reads all.")
    store = _store(database)
    try:
        print(store.add_token(name, role.value, *(team or [])))
    except ValueError as error:
        sys.exit(str(error))


@token.command("rotate")
def rotate(
    name: str,
    grace: Annotated[
        str, typer.Option(help="How long the old one works beside it: 12h, 7d; 0s ends it at once.")
    ] = "7d",
    database: Database = "",
) -> None:
    """Make a token's successor, of the same name, role and teams, and print it, this once."""
    import re

    match = re.fullmatch(r"(\d{1,4})([smhd])", grace)
    if not match:
        raise typer.BadParameter("a span such as 12h or 7d is wanted", param_hint="--grace")
    seconds = int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
    try:
        print(_store(database).rotate(name, seconds))
    except ValueError as error:
        sys.exit(str(error))


@token.command("list")
def show(database: Database = "") -> None:
    """Print the tokens' names, roles and teams, as JSON."""
    import json

    print(json.dumps(_store(database).list_tokens(), indent=2))


@token.command("revoke")
def revoke(name: str, database: Database = "") -> None:
    """Stop a token from working."""
    if not _store(database).revoke(name):
        sys.exit(f"No token called {name!r} is in use.")
