"""``lido doctor``: finds what is wrong and says how to mend it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from lido import settings as configuration


@dataclass(frozen=True, slots=True)
class Check:
    area: str
    ok: bool
    message: str
    fix: str = ""
    seconds: float = 0.0
    """What it took."""


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable, on standard output.")] = False,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.zip", help="Also write what helpers ask for; no secrets and no text of yours."
        ),
    ] = None,
) -> None:
    """Check configuration, models, grammars, database and editors; exit 1 with a fix for each problem."""
    settings, problems = configuration.load(_editor_settings(), roots=[Path.cwd()])
    checks = asyncio.run(_run(settings, problems))
    if bundle is not None:
        _bundle(bundle, checks, settings)
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        _show(checks)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


def _bundle(target: Path, checks: list[Check], settings: configuration.Settings) -> None:
    from lido.cli import bundle

    try:
        names = bundle.write(target, [asdict(check) for check in checks], settings, configuration.Home())
    except FileExistsError:
        raise typer.BadParameter(f"{target} is there already; choose another name") from None
    except OSError as error:
        raise typer.BadParameter(f"{target} cannot be written: {error.strerror or error}") from None
    print(
        f"{target} holds {', '.join(names)}. Keys, prompts, answers and files are not in it; "
        "look through it before you send it.",
        file=sys.stderr,
    )


async def _run(settings: configuration.Settings, problems: list[configuration.Problem]) -> list[Check]:
    home = configuration.Home()
    parts = (_configuration(problems), _home(home), _grammars(), _engine(settings))
    checks = [check for part in parts for check in _timed(part)]
    checks += await _backends(settings)
    return [*checks, *_timed(_editors())]


def _timed(checks: Iterator[Check]) -> Iterator[Check]:
    """Each with the time that it took."""
    began = time.perf_counter()
    for check in checks:
        yield replace(check, seconds=round(time.perf_counter() - began, 4))
        began = time.perf_counter()


def _editor_settings() -> dict[str, Any]:
    """What an editor that starts the doctor is set to: ``LIDO_EDITOR_SETTINGS``, its section as JSON."""
    try:
        found = json.loads(os.environ.get("LIDO_EDITOR_SETTINGS", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _configuration(problems: list[configuration.Problem]) -> Iterator[Check]:
    path = configuration.config_path()
    for problem in problems:
        yield Check("configuration", False, str(problem), f"Edit {problem.source}.")
    if not problems:
        yield Check("configuration", True, f"{path}" + ("" if path.exists() else " (not there: defaults)"))


def _home(home: configuration.Home) -> Iterator[Check]:
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home.root):
            pass
    except OSError as error:
        fix = "Make it writable, or set LIDO_HOME to a folder that is."
        yield Check("home", False, f"{home.root} cannot be written: {error.strerror}", fix)
        return
    free = shutil.disk_usage(home.root).free
    yield Check(
        "home",
        free > 100e6,
        f"{home.root}, {free / 1e9:.1f} GB free",
        "Free some space: events and models are kept here.",
    )
    for path in (home.events, home.conversations):
        if not path.exists():
            continue
        try:
            with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as database:
                answer = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            good, said = answer == "ok", str(answer)
        except sqlite3.Error as error:
            good, said = False, str(error)
        fix = f"Move {path} aside; Lido begins a new one."
        yield Check("database", good, f"{path.name}: {said}", fix)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            yield Check("database", False, f"{path.name} can be read by others", f"chmod 600 {path}")


def _grammars() -> Iterator[Check]:
    try:
        from lido.workspace import syntax

        errors = syntax.errors("python", "def f(:\n")
    except ImportError as error:
        yield Check("grammars", False, str(error), "Install Lido again: a dependency is missing.")
        return
    yield Check("grammars", errors > 0, "tree-sitter parses", "Install Lido again.")


def _engine(settings: configuration.Settings) -> Iterator[Check]:
    from importlib.util import find_spec

    if any(model.provider == "embedded" for model in settings.models.values()):
        yield Check(
            "engine",
            find_spec("xllamacpp") is not None,
            "the embedded engine (llama.cpp)" + ("" if find_spec("xllamacpp") else " is not installed"),
            f"{sys.executable} -m pip install 'lido-lsp[local]'",
        )


async def _backends(settings: configuration.Settings) -> list[Check]:
    from lido.models.registry import Models

    models = Models(settings, configuration.Home())
    checks = []
    try:
        roles: dict[str, list[str]] = {}
        for role in ("completion", "chat", "plan"):
            for name in settings.role(role):
                roles.setdefault(name, []).append(role)
        for name in settings.models:
            serves = ", ".join(roles.get(name, [])) or "no role"
            probe = await models.backend(name).probe()
            text = f"{name} ({serves}): {probe.message}"
            checks.append(Check("model", probe.ok, text, probe.advice, round(probe.seconds, 4)))
    finally:
        await models.close()
    return checks


EDITORS = {
    "code": "VS Code",
    "nvim": "Neovim",
    "emacs": "Emacs",
    "hx": "Helix",
    "kate": "Kate",
    "zed": "Zed",
    "idea": "IntelliJ IDEA",
    "subl": "Sublime Text",
    "vim": "Vim",
}


def _editors() -> Iterator[Check]:
    found = [name for program, name in EDITORS.items() if shutil.which(program)]
    yield Check("editors", True, ", ".join(found) or "none of the known ones on PATH; see clients/README.md")


def _spent(check: Check) -> str:
    """What a check took, where that is worth a word."""
    if check.seconds < 0.01:
        return ""
    time = f"{check.seconds:.1f} s" if check.seconds >= 1 else f"{check.seconds * 1000:.0f} ms"
    return f" [dim]{time}[/]"


def _show(checks: list[Check]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    area = ""
    for check in checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]"
        console.print(
            f"{check.area if check.area != area else '':<14} {mark} {escape(check.message)}{_spent(check)}"
        )
        if not check.ok:
            console.print(f"{'':<16} [yellow]→ {escape(check.fix)}[/]")
        area = check.area
    bad = sum(not check.ok for check in checks)
    console.print()
    console.print("[green]All is well.[/]" if not bad else f"[red]{bad} to mend.[/]")
