"""The ``lido`` command: one file per sub-command, each thin. Exit codes: 0 ok, 1 failed, 2 misuse."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """An AI pair programmer of your own: completions, chat and reviewed edits, in any editor."""
    del version  # answered before the command line is parsed, so that every command understands it


START, WORK, NUMBERS, CARE = "Start here", "In the terminal", "What people accept", "Set up and look after"

# name, module in lido.cli (its `command` function, or its `app` for a group), panel
COMMANDS = (
    ("try", "try_", START),
    ("serve", "serve", START),
    ("doctor", "doctor", START),
    ("complete", "complete", WORK),
    ("chat", "chat", WORK),
    ("plan", "plan", WORK),
    ("acp", "acp", WORK),
    ("eval", "eval", NUMBERS),
    ("metrics", "metrics", NUMBERS),
    ("events", "events", NUMBERS),
    ("export", "export", NUMBERS),
    ("collect", "collect", NUMBERS),
    ("model", "model", CARE),
)

for name, module_name, panel in COMMANDS:
    try:
        module = importlib.import_module(f"lido.cli.{module_name}")
    except ModuleNotFoundError as error:
        if error.name != f"lido.cli.{module_name}":
            raise
        continue
    if hasattr(module, "app"):
        app.add_typer(module.app, name=name, rich_help_panel=panel)
    else:
        app.command(name, rich_help_panel=panel)(module.command)
