"""``lido try``: the main job, end to end, through the real server, in a readable terminal session."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from lido.lsp.client import Client


class NotShownError(Exception):
    """A step of the main job did not happen; the text says which and what to do."""


@dataclass
class Scene:
    """What is tried on: a project, where to complete in it, what to ask, what to plan."""

    root: Path
    own: bool
    completions: list[Place]
    question: str
    attached: list[Path]
    instruction: str
    planned: list[Path]
    test: list[str] = field(default_factory=list)


@dataclass
class Place:
    """Typing `typed` in place of code-point offsets [start, end) of a file asks for a completion."""

    path: Path
    start: int
    end: int
    typed: str


def command(
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            exists=True,
            file_okay=False,
            help="Try it on a project of your own. Nothing is written unless you accept it.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Embedded model to use; `lido model list` shows them. Default: your settings.")
    ] = "",
    picture: Annotated[
        Path | None, typer.Option(help="Save the session as an SVG picture.", dir_okay=False)
    ] = None,
) -> None:
    """See Lido at work: a completion, a chat turn, and a plan reviewed hunk by hunk, then the metrics."""
    from rich.console import Console

    console = Console(highlight=False, record=picture is not None, width=100 if picture else None)
    try:
        asyncio.run(_try(console, directory.resolve() if directory else None, model))
        if picture:
            console.save_svg(str(picture), title="lido try")
    except NotShownError as error:
        console.print(f"\n[bold red]Not shown:[/] {error}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(1) from None


async def _try(console: Console, directory: Path | None, model: str) -> None:
    import time

    from lido import settings as configuration
    from lido.lsp.client import Client

    settings, problems = configuration.load(roots=[directory] if directory else [])
    for problem in problems:
        console.print(f"[yellow]{problem}[/]")
    section: dict[str, Any] = {}
    if model:
        section = {
            "models": {"try": {"provider": "embedded", "model": model}},
            "roles": {"completion": "try", "chat": "try", "plan": "try"},
        }
        settings, problems = configuration.load(editor=section)
    _fetch_models(settings)
    scene = own_scene(directory) if directory else sample_scene()
    _title(console, "Lido", "an AI pair programmer of your own, on this machine")
    chosen = settings.models[settings.role("plan")[0]]
    console.print(
        f"Project [cyan]{_shown(scene.root)}[/], model [cyan]{chosen.model}[/] ({chosen.provider})."
    )
    began = time.time()
    started = time.perf_counter()
    async with Client(scene.root, section) as client:
        console.print(
            f"The real server runs over stdio, as in an editor. [dim]{time.perf_counter() - started:.1f} s[/]"
        )
        if scene.own:
            client.write_edits = False
        await _completions(console, client, scene)
        await _chat(console, client, scene)
        await _plan(console, client, scene)
        await _metrics(console, client, scene, began)
    console.print(f"[dim]The whole session took {time.perf_counter() - started:.0f} s.[/]")
    _title(console, "In your editor", "")
    console.print(
        f"Open [cyan]{_shown(scene.root)}[/] in an editor whose language server is "
        f"[bold]{_executable()} serve[/].\n"
        "Copy-paste settings for VS Code, JetBrains, Neovim, Emacs, Helix and others: clients/README.md"
    )


def _executable() -> str:
    found = Path(sys.executable).with_name("lido.exe" if sys.platform == "win32" else "lido")
    return _shown(found) if found.exists() else f"{sys.executable} -m lido"


def _shown(path: Path) -> str:
    """A path as people write it: from here, or from their home."""
    for base, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(base) and path != base:
            return prefix + path.relative_to(base).as_posix()
    return str(path)


def _title(console: Console, title: str, text: str) -> None:
    console.print()
    console.rule(f"[bold]{title}[/]" + (f"  [dim]{text}[/]" if text else ""), align="left")


# ---------------------------------------------------------------------- scenes


def sample_scene() -> Scene:
    """A fresh copy of the sample project, outside any repository."""
    import shutil

    import lido
    from lido.settings import Home

    root = Home().root / "sample"
    shutil.rmtree(root, ignore_errors=True)
    try:
        shutil.copytree(
            Path(lido.__file__).with_name("sample"), root, ignore=shutil.ignore_patterns("__pycache__")
        )
    except OSError as error:
        raise NotShownError(
            f"the sample project cannot be written to {root}: {error.strerror}. "
            "Set LIDO_HOME to a folder that you can write to."
        ) from None
    basket, receipt, tests = root / "basket.py", root / "receipt.py", root / "test_basket.py"
    end = len(basket.read_text(encoding="utf-8"))
    return Scene(
        root=root,
        own=False,
        completions=[
            Place(
                basket,
                end,
                end,
                '\n    def remove(self, name: str) -> None:\n        """Takes an item out."""\n        ',
            ),
            Place(receipt, *_line(receipt, 'lines.append(f"Total'), "    lines.append("),
        ],
        question="Why does test_total_counts_quantities fail? Answer in two sentences.",
        attached=[basket, tests],
        instruction=(
            "Make the failing tests pass: total() must multiply each price by its quantity, "
            "and count() must add up the quantities."
        ),
        planned=[basket],
        test=["-m", "unittest"],
    )


def _line(path: Path, containing: str) -> tuple[int, int]:
    """Offsets of the line that contains the text, without its line break."""
    text = path.read_text(encoding="utf-8")
    at = text.index(containing)
    return text.rindex("\n", 0, at) + 1, text.index("\n", at)


def own_scene(root: Path) -> Scene:
    """A scene from a person's project: its most recently changed source file."""
    from lido.settings import PrivacySettings
    from lido.workspace.privacy import Privacy

    privacy = Privacy([root], PrivacySettings())
    sources = [
        path
        for suffix in LANGUAGES
        for path in root.rglob(f"*{suffix}")
        if 200 < path.stat().st_size < 20_000 and not privacy.blocked(path)
    ]
    if not sources:
        raise NotShownError(f"no source file between 200 bytes and 20 kB was found under {root}")
    source = max(sources, key=lambda path: path.stat().st_mtime)
    text = source.read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines(keepends=True)
    offsets = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    places = []
    for number in _inner_lines(lines):
        stripped = lines[number].rstrip("\r\n")
        keep = len(stripped) - len(stripped.lstrip()) + max(1, len(stripped.strip()) // 3)
        start = offsets[number]
        places.append(Place(source, start, start + len(stripped), stripped[:keep]))
    if len(places) < 2:
        raise NotShownError(f"{source} has too few lines to complete in")
    return Scene(
        root=root,
        own=True,
        completions=places[:2],
        question=f"What does {source.name} do? Answer in two sentences.",
        attached=[source],
        instruction=f"Add one comment line at the top of {source.name} that says what the file is for.",
        planned=[source],
    )


LANGUAGES = {
    ".py": "python",
    ".ts": "typescript",
    ".js": "javascript",
    ".go": "go",
    ".rs": "rust",
    ".java": "java",
    ".kt": "kotlin",
    ".c": "c",
    ".cpp": "cpp",
    ".rb": "ruby",
    ".php": "php",
}


def _inner_lines(lines: list[str]) -> list[int]:
    """Indented lines of some length from the middle of the file on: worth completing."""
    worth = [n for n, line in enumerate(lines) if line[:1].isspace() and len(line.strip()) > 18]
    middle = len(worth) // 2
    return worth[middle : middle + 1] + worth[middle + 3 : middle + 4] + worth[:2]


# ---------------------------------------------------------------------- steps


async def _completions(console: Console, client: Client, scene: Scene) -> None:
    import time

    for number, place in enumerate(scene.completions[:2]):
        accept = number == 0
        _title(
            console,
            f"Inline completion {number + 1}",
            f"{place.path.relative_to(scene.root)}, "
            + ("accepted with Tab" if accept else "rejected with Esc"),
        )
        document = client.open(place.path, LANGUAGES[place.path.suffix])
        document = client.replace(document.uri, place.start, place.end, place.typed)
        cursor = place.start + len(place.typed)
        began = time.perf_counter()
        items = await client.complete_inline(document.uri, cursor, invoked=True)
        seconds = time.perf_counter() - began
        if not items:
            raise NotShownError(
                "no completion came. " + (" ".join(client.messages) or "`lido doctor` says what is wrong.")
            )
        item = items[0]
        text = item.insert_text if isinstance(item.insert_text, str) else item.insert_text.value
        identifier = str((item.command.arguments or [""])[0]) if item.command else ""
        client.protocol.notify("lido/completion/shown", {"id": identifier})
        _show_completion(console, document.text, cursor, text, LANGUAGES[place.path.suffix])
        console.print(f"[dim]{len(text.splitlines()) or 1} line(s) in {seconds:.2f} s[/]")
        if accept:
            await client.accept(document.uri, item)
            console.print("[green]accepted[/]")
            after = client.documents.get(document.uri)
            if after is None or text.strip() not in after.text:
                raise NotShownError("the accepted completion is not in the document")
            # The sample's own file stays as it was: the plan begins from it.
            client.replace(document.uri, 0, len(after.text), place.path.read_text(encoding="utf-8"))
        else:
            client.protocol.notify("lido/completion/dismissed", {"id": identifier, "reason": "escape"})
            console.print("[red]rejected[/]")
            client.replace(document.uri, place.start, cursor, document_line(place))


def document_line(place: Place) -> str:
    """What stood there before the person typed."""
    return place.path.read_text(encoding="utf-8")[place.start : place.end]


def _show_completion(console: Console, text: str, cursor: int, ghost: str, language: str) -> None:
    from rich.panel import Panel
    from rich.text import Text

    before = text[:cursor].splitlines()[-6:]
    after = text[cursor:].split("\n", 1)[0]
    shown = Text("\n".join(before) + (" " if not before else ""))
    shown.append(ghost, style="bold green")
    shown.append(after)
    console.print(Panel(shown, title=language, title_align="left", border_style="dim"))


async def _chat(console: Console, client: Client, scene: Scene) -> None:
    import time

    _title(console, "Chat", "the answer streams as it comes")
    console.print(f"[bold cyan]You:[/] {scene.question}")
    began = time.perf_counter()
    parts: list[str] = []
    first: list[float] = []
    console.print("[bold magenta]Lido:[/] ", end="")
    column = len("Lido: ")

    def partial(value: Any) -> None:
        if not first:
            first.append(time.perf_counter() - began)
        nonlocal column
        piece = value["delta"]
        parts.append(piece)
        if column + len(piece) > console.width and piece[:1].isspace():
            piece, column = "\n" + piece.lstrip(), 0
        column = len(piece) - piece.rfind("\n") - 1 if "\n" in piece else column + len(piece)
        console.print(piece, end="", markup=False)

    answer = await _request(
        client,
        "lido/chat/send",
        {
            "text": scene.question,
            "attachments": [{"kind": "file", "uri": path.as_uri()} for path in scene.attached],
        },
        partial,
    )
    console.print()
    if not parts or not answer["text"].strip():
        raise NotShownError("the chat answer did not stream")
    usage = answer["usage"]
    console.print(
        f"[dim]first words after {first[0]:.1f} s, {usage['completionTokens']} tokens "
        f"in {time.perf_counter() - began:.1f} s[/]"
    )


async def _request(client: Client, method: str, params: dict[str, Any], partial: Any = None) -> Any:
    from pygls.exceptions import JsonRpcException

    try:
        return await client.ask(method, params, partial)
    except JsonRpcException as error:
        raise NotShownError(str(error)) from None


async def _plan(console: Console, client: Client, scene: Scene) -> None:
    import time

    _title(console, "Plan", "read, plan, edit, then review hunk by hunk")
    console.print(f"[bold cyan]You:[/] {scene.instruction}")
    if scene.test:
        console.print(f"[dim]Tests before:[/] {_run_tests(scene)}")
    began = time.perf_counter()
    updates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    client.on_notification["lido/plan/update"] = updates.put_nowait
    await _request(
        client,
        "lido/plan/start",
        {
            "instruction": scene.instruction,
            "mode": "plan",
            "attachments": [{"kind": "file", "uri": path.as_uri()} for path in scene.planned],
        },
    )
    told: set[str] = set()
    while True:
        update = await updates.get()
        for number, line in enumerate(_news(update)):
            if line not in told:
                told.add(line)
                message = f" {update.get('message') or ''}" if number == 0 else ""
                console.print(line + message.rstrip())
        if update["state"] in {"review", "done", "gaveUp", "failed", "cancelled"}:
            break
    if update["state"] != "review":
        raise NotShownError(f"the plan ended as {update['state']}: {update.get('message') or ''}")
    review = await _request(client, "lido/review/get", {"reviewId": update["reviewId"]})
    hunks = [(file, hunk) for file in review["files"] for hunk in file["hunks"]]
    console.print(f"[dim]{len(hunks)} hunks in {time.perf_counter() - began:.1f} s[/]")
    if len(hunks) < (1 if scene.own else 2):
        raise NotShownError("the plan brought too few hunks to accept one and reject one")
    accepted = 0
    for number, (file, hunk) in enumerate(hunks):
        _show_hunk(console, client, file, hunk, number + 1)
        if scene.own:
            accept = sys.stdin.isatty() and typer.confirm("Apply this to the file?", default=False)
            client.write_edits = accept
        else:
            accept = number == 0
        decided = await _request(
            client,
            "lido/review/decide",
            {
                "reviewId": review["reviewId"],
                "hunkIds": [hunk["hunkId"]],
                "decision": "accept" if accept else "reject",
            },
        )
        state = decided["hunks"][0]["state"]
        if state != ("accepted" if accept else "rejected"):
            raise NotShownError(f"the hunk is {state}: {decided['hunks'][0].get('message')}")
        console.print("[green]accepted[/]" if accept else "[red]rejected[/]")
        accepted += accept
    if accepted:
        _show_edit(console, client)
    for path in scene.planned:
        if not scene.own or accepted:
            _show_file(console, path, scene.root)
    if scene.test:
        console.print(f"[dim]Tests after:[/] {_run_tests(scene)} [dim](one of two fixes was accepted)[/]")


def _news(update: dict[str, Any]) -> list[str]:
    """Lines about an update that are worth a line of their own: each step, and how each state began."""
    from rich.markup import escape

    lines = [f"[yellow]{update['state']}[/]"]
    for step in update.get("steps") or []:
        files = ", ".join(step.get("files") or [])
        lines.append(escape(f"  • {step['title']}" + (f"  ({files})" if files else "")))
    return lines


def _show_hunk(
    console: Console, client: Client, file: dict[str, Any], hunk: dict[str, Any], number: int
) -> None:
    from rich.syntax import Syntax

    old = ""
    if document := client.documents.get(hunk["uri"]):
        start, end = hunk["oldRange"]["start"], hunk["oldRange"]["end"]
        old = document.slice(
            document.offset_at(start["line"], start["character"], "utf-16"),
            document.offset_at(end["line"], end["character"], "utf-16"),
        )
    lines = [f"-{line}" for line in old.splitlines()] + [f"+{line}" for line in hunk["newText"].splitlines()]
    name = file["uri"].rsplit("/", 1)[-1]
    console.print(f"\n[bold]Hunk {number}[/] in {name}: {hunk.get('description') or ''}")
    console.print(Syntax("\n".join(lines), "diff", theme="ansi_dark", background_color="default"))


def _show_edit(console: Console, client: Client) -> None:
    """The WorkspaceEdit as it came, and that it named a version."""
    edit = client.edits[-1]
    changes = [change for change in edit.document_changes or [] if hasattr(change, "text_document")]
    if not changes or any(change.text_document.version is None for change in changes):
        raise NotShownError("the edit did not come as a versioned WorkspaceEdit")
    versions = ", ".join(str(change.text_document.version) for change in changes)
    annotations = ", ".join(a.label for a in (edit.change_annotations or {}).values())
    console.print(f"[dim]WorkspaceEdit for document version {versions}; annotated: {annotations or 'no'}[/]")


def _show_file(console: Console, path: Path, root: Path) -> None:
    from rich.panel import Panel
    from rich.syntax import Syntax

    code = Syntax(path.read_text(encoding="utf-8"), "python", theme="ansi_dark", background_color="default")
    console.print(
        Panel(code, title=f"{path.relative_to(root)} as it ended up", title_align="left", border_style="dim")
    )


def _run_tests(scene: Scene) -> str:
    """Runs the sample's own tests and says how they went."""
    import subprocess

    done = subprocess.run(
        [sys.executable, "-B", *scene.test],
        cwd=scene.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stderr.strip().splitlines()
    return f"{lines[-3]} {lines[-1]}" if len(lines) > 2 else "did not run"


async def _metrics(console: Console, client: Client, scene: Scene, began: float) -> None:
    from datetime import UTC, datetime

    from rich.table import Table

    _title(console, "Metrics", "of exactly this session")
    since = datetime.fromtimestamp(began, UTC).isoformat()
    answer = await _request(client, "lido/metrics", {"by": ["feature", "project"], "since": since})
    rows = {row["feature"]: row for row in answer["rows"]}
    table = Table(
        "feature", "shown", "accepted", "partly", "rejected", "ignored", "acceptance rate", box=None
    )
    for feature, row in sorted(rows.items()):
        table.add_row(
            feature,
            *(str(row[key]) for key in ("shown", "accepted", "partially_accepted", "rejected", "ignored")),
            f"{row['acceptance_rate']:.0%}" if row.get("acceptance_rate") is not None else "",
        )
    console.print(table)
    completion, plan = rows.get("completion", {}), rows.get("plan", {})
    expected = {"shown": 2, "accepted": 1, "rejected": 1}
    if any(completion.get(key) != value for key, value in expected.items()):
        raise NotShownError(f"the log does not say one completion accepted and one rejected: {completion}")
    if not scene.own and (plan.get("accepted", 0) < 1 or plan.get("rejected", 0) < 1):
        raise NotShownError(f"the log does not say one hunk accepted and one rejected: {plan}")


def _fetch_models(settings: Any) -> None:
    """Fetches the embedded models that the roles name, with a progress bar, where they are not there."""
    from lido.cli.model import ensure

    names = {settings.role(role)[0] for role in ("completion", "chat", "plan")}
    for name in sorted(names):
        chosen = settings.models[name]
        if chosen.provider == "embedded":
            ensure(chosen.model, settings)
