"""The services of a terminal session in one folder, composed as the language server composes them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lido.chat.service import Chat
    from lido.edits.apply import Outcome, Reviews
    from lido.events.attribution import Tracker
    from lido.models.registry import Models
    from lido.plan.agent import Plans
    from lido.settings import Home, Settings
    from lido.workspace.attachments import Attachment


@dataclass
class Session:
    root: Path
    home: Home
    settings: Settings
    models: Models
    chat: Chat
    plans: Plans
    reviews: Reviews


@asynccontextmanager
async def session(
    root: Path, models: Models | None = None, home: Home | None = None
) -> AsyncIterator[Session]:
    """Everything that chat and plan need, closed at the end (but for `models` that were given). Says on
    standard error what is wrong with the settings."""
    from lido import settings as configuration
    from lido.chat.conversations import Conversations
    from lido.chat.service import Chat
    from lido.edits.apply import Reviews
    from lido.edits.files import Workspace
    from lido.edits.journal import Journal
    from lido.models.registry import Models
    from lido.plan.agent import Plans
    from lido.workspace import syntax
    from lido.workspace.attachments import Attachments
    from lido.workspace.privacy import Privacy

    settings, problems = configuration.load(roots=[root])
    for problem in problems:
        print(f"{problem}", file=sys.stderr)
    home = home or configuration.Home()
    privacy = Privacy([root], settings.privacy)
    own = None if models else Models(settings, home, privacy.scrub)
    models = models or own
    assert models is not None
    attachments = Attachments([root], privacy.blocked)
    workspace = Workspace([root], privacy.blocked)
    tracker = await _tracker(settings, home, root) if settings.events.enabled else None
    reviews = Reviews(
        workspace, Journal(home.journal), on_outcome=lambda o: _reviewed(tracker, o) if tracker else None
    )
    store = Conversations(home.conversations)
    plans = Plans(models, attachments, workspace, reviews, settings.plan, home.plans, syntax.path_errors)
    try:
        yield Session(root, home, settings, models, Chat(models, store, attachments, tracker), plans, reviews)
    finally:
        await plans.close()
        await store.close()
        if own:
            await own.close()
        if tracker:
            tracker.close()
            await asyncio.to_thread(tracker.log.close)


async def _tracker(settings: Settings, home: Home, root: Path) -> Tracker:
    """The log, for what is shown and decided in a terminal. A session that is killed leaves its suggestions
    open; the next one to look ends them as ignored."""
    import lido
    from lido.events import identity
    from lido.events.attribution import Context, Tracker
    from lido.events.schema import uuid7
    from lido.events.store import EventLog
    from lido.workspace import git

    events = settings.events
    context = Context(
        editor="terminal",
        editor_version="",
        project=events.project or await git.project_name(root),
        team=events.team,
        user=await asyncio.to_thread(identity.user, events, home.root),
        server_version=lido.__version__,
    )
    log = EventLog(home.events, lambda said: print(said, file=sys.stderr))
    return Tracker(log, context, uuid7(), store_text=events.store_text)


def _reviewed(tracker: Tracker, outcome: Outcome) -> None:
    from lido.workspace.syntax import language_of

    match outcome.kind:
        case "shown":
            tracker.requested("plan", language_of(outcome.path), suggestion_id=outcome.hunk_id)
            tracker.answered(outcome.hunk_id, outcome.text, uri=Path(outcome.path).as_uri())
            tracker.shown(outcome.hunk_id)
        case "accepted":
            tracker.accepted(outcome.hunk_id)
        case "rejected":
            tracker.rejected(outcome.hunk_id)
        case "undone":
            tracker.undone(outcome.hunk_id)


def attached(names: Iterable[str], root: Path) -> list[Attachment]:
    """``FILE``, ``FILE:10-20`` (lines from 1), ``FOLDER/``, ``@workspace`` or ``@diff``. Raises ValueError
    for what does not exist."""
    import re

    from lido.workspace.attachments import Attachment

    found = []
    for name in names:
        if name in ("@workspace", "@diff"):
            found.append(Attachment("workspace" if name == "@workspace" else "diff"))
            continue
        match = re.fullmatch(r"(?P<path>.+?):(?P<first>\d+)(?:-(?P<last>\d+))?", name)
        path = (root / (match["path"] if match else name)).resolve()
        if path.is_dir():
            found.append(Attachment("folder", path))
        elif not path.is_file():
            raise ValueError(f"{name}: there is no such file")
        elif match:
            first = max(1, int(match["first"]))
            found.append(Attachment("selection", path, (first - 1, int(match["last"] or first))))
        else:
            found.append(Attachment("file", path))
    return found


def piped() -> str:
    """What another command wrote to our standard input; "" at a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return sys.stdin.read()
