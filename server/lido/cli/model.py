"""``lido model …``: the embedded models."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from lido.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The embedded models: list, pull, path, serve.")

Name = Annotated[str, typer.Argument(help="A name from `lido model list`, or the path of a .gguf file.")]


def _settings() -> Settings:
    from lido import settings

    loaded, problems = settings.load()
    for problem in problems:
        print(problem, file=sys.stderr)
    return loaded


def ensure(name: str, settings: Settings) -> Path:
    """Fetches the model where it is missing, with a progress bar. Exits 1 with what to do where it cannot."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from lido.models import fetch
    from lido.models.base import ModelError
    from lido.settings import Home

    home = Home()
    console = Console(stderr=True)
    try:
        if fetch.present(name, home):
            return fetch.model_path(name, home)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
        ) as bar:
            task = bar.add_task(f"Fetching {name}", total=None)

            def progress(have: int, total: int, source: str) -> None:
                bar.update(task, completed=have, total=total, description=f"Fetching {name} from {source}")

            path = fetch.fetch(name, home, settings.embedded, progress)
        console.print(f"{path.name}: SHA-256 is the pinned one.")
        return path
    except ModelError as error:
        console.print(f"[red]{error.message}[/]\n{error.advice}")
        raise typer.Exit(1) from None


@app.command("list")
def list_models() -> None:
    """Show the models that Lido can fetch, and which are here."""
    from rich.console import Console
    from rich.table import Table

    from lido.models import fetch
    from lido.settings import DEFAULT_MODEL, Home

    table = Table("name", "size", "here", "", box=None)
    for known in fetch.KNOWN.values():
        here = "yes" if fetch.present(known.name, Home()) else "no"
        default = " (default)" if known.name == DEFAULT_MODEL else ""
        table.add_row(known.name + default, f"{known.size / 1e9:.1f} GB", here, known.summary)
    Console().print(table)


@app.command()
def pull(name: Name) -> None:
    """Fetch a model, with a progress bar; its SHA-256 is checked. Goes on where it was broken off."""
    print(ensure(name, _settings()))


@app.command()
def path(name: Name) -> None:
    """Print where a model's file is; exit 1 where it is not here."""
    from lido.models import fetch
    from lido.models.base import ModelError
    from lido.settings import Home

    try:
        where = fetch.model_path(name, Home())
    except ModelError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    print(where)
    if not fetch.present(name, Home()):
        print(f"It is not there yet: lido model pull {name}", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def serve(
    name: Name,
    host: Annotated[
        str, typer.Option(help="Address to listen on; this machine only unless told.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8080,
    key_env: Annotated[str, typer.Option(help="Variable that holds a key which clients must send.")] = "",
) -> None:
    """Serve a model as an OpenAI-compatible endpoint (/v1/completions, /v1/chat/completions, /infill)."""
    import json
    import os
    import subprocess

    from lido.models.embedded import engine_config

    where = ensure(name, _settings())
    key = os.environ.get(key_env, "") if key_env else ""
    if key_env and not key:
        print(f"The variable {key_env} is not set.", file=sys.stderr)
        raise typer.Exit(1)
    if host not in ("127.0.0.1", "localhost", "::1") and not key:
        print("Whoever reaches this address can use the model. --key-env asks for a key.", file=sys.stderr)
    config = engine_config(str(where), host=host, port=port, key=key)
    with subprocess.Popen(
        [sys.executable, "-m", "lido.models.engine_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(config) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline() or "{}")
        if "url" not in answer:
            print(f"It cannot be served: {answer.get('error', 'the engine ended')}.", file=sys.stderr)
            raise typer.Exit(1)
        print(f"{answer['url']}/v1", flush=True)
        print("Serving. Stop with Ctrl+C.", file=sys.stderr)
        try:
            process.wait()
        except KeyboardInterrupt:
            process.stdin.close()
        raise typer.Exit(1 if process.returncode not in (0, None) else 0)
