"""``lido complete FILE:LINE:COL``: one completion, to standard output."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lido.completion.engine import Completer


def command(
    place: Annotated[
        str,
        typer.Argument(
            metavar="FILE:LINE:COL", help="Where; line and column count from 1, the column in characters."
        ),
    ],
    whole: Annotated[
        bool, typer.Option("--whole", help="Print the file as it would be, and not the insertion alone.")
    ] = False,
) -> None:
    """Complete the code at a place in a file; prints what would be inserted there."""
    import asyncio
    import re

    match = re.fullmatch(r"(?P<path>.+):(?P<line>[1-9]\d*):(?P<column>[1-9]\d*)", place)
    if match is None:
        raise typer.BadParameter("give FILE:LINE:COL, for example src/app.py:12:5")
    path = Path(match["path"]).absolute()
    if not path.is_file():
        raise typer.BadParameter(f"{match['path']} is not a file")
    raise typer.Exit(asyncio.run(_complete(path, int(match["line"]) - 1, int(match["column"]) - 1, whole)))


async def _complete(path: Path, line: int, column: int, whole: bool) -> int:
    import asyncio
    import sys

    from lido.models.base import ModelError
    from lido.workspace.documents import Document
    from lido.workspace.syntax import language_of

    try:
        text = (await asyncio.to_thread(path.read_bytes)).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    document = Document.of(text, path.as_uri(), language_of(path), path=path)
    offset = document.offset_at(line, column, "utf-32")
    async with _completer(path.parent) as service:
        try:
            found = await service.complete(document, offset, "invoked")
        except ModelError as error:
            print(f"{error}", file=sys.stderr)
            return 1
    if not found:
        print("Nothing to suggest there.", file=sys.stderr)
        return 1
    best = found[0]
    sys.stdout.write(text[: best.start] + best.text + text[best.end :] if whole else best.text + "\n")
    return 0


@asynccontextmanager
async def _completer(folder: Path) -> AsyncIterator[Completer]:
    """The service for the work tree that holds `folder`. Nobody is shown anything, so nothing is logged."""
    import sys

    from lido import settings as configuration
    from lido.completion.engine import Completer
    from lido.events.attribution import Context, Tracker
    from lido.events.store import EventLog
    from lido.models.registry import Models
    from lido.workspace import git
    from lido.workspace.privacy import Privacy

    root = await git.root(folder) or folder
    settings, problems = configuration.load(roots=[root])
    for problem in problems:
        print(f"{problem}", file=sys.stderr)
    home = configuration.Home()
    privacy = Privacy([root], settings.privacy)
    models = Models(settings, home, privacy.scrub)
    log = EventLog(home.events, lambda message: print(message, file=sys.stderr), enabled=False)
    service = Completer(
        models,
        Tracker(log, Context()),
        lambda: settings.completion,
        privacy.blocked,
        lambda path: path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name,
    )
    try:
        yield service
    finally:
        await service.close()
        await models.close()
        log.close()
