"""``lido plan``"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from lido.cli.session import Session
    from lido.edits.review import Review
    from lido.plan.run import Update
    from lido.workspace.attachments import Attachment


def command(
    text: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT", help="What is to be done; or `list`, `show ID` and `resume ID` for earlier plans."
        ),
    ],
    file: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", help="Attach FILE, FILE:10-20, a folder or @diff. May be repeated."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Review hunk by hunk, then write.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Accept every hunk without asking.")] = False,
    agent: Annotated[
        bool, typer.Option("--agent", help="Work in a copy, run the tests there, try again until they pass.")
    ] = False,
    test: Annotated[
        str, typer.Option(metavar="CMD", help="How to run the tests: with --agent at work, and at the end.")
    ] = "",
    model: Annotated[str, typer.Option(help="A [models.NAME] of your settings.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Have a change made in the current directory, and review it hunk by hunk before it is written.

    At a terminal each hunk is asked about; elsewhere nothing is written without --yes. What is piped in
    (a failing test's output, say) goes along.
    """
    from lido.cli.session import attached, piped
    from lido.settings import Home
    from lido.workspace.attachments import Attachment

    if text[0] in ("show", "list") and len(text) == (2 if text[0] == "show" else 1):
        raise typer.Exit(_look(Home().plans, text[1] if len(text) == 2 else ""))
    resume = text[1] if text[0] == "resume" and len(text) == 2 else ""
    if resume:
        from lido.plan import history

        if history.find(Home().plans, resume) is None:
            print(f"Not one plan begins with {resume}. `lido plan list` shows them.", file=sys.stderr)
            raise typer.Exit(1)
    root = Path.cwd()
    try:
        attachments = attached(file or [], root)
        if output := piped():
            attachments.append(Attachment("output", text=output, name="standard input"))
        tests = shlex.split(test)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    ask = (apply or sys.stdin.isatty()) and sys.stdin.isatty() and not yes and not as_json
    if apply and not ask and not yes:
        raise typer.BadParameter("--apply asks about each hunk, which needs a terminal; or add --yes")
    try:
        code = asyncio.run(
            _run(root, " ".join(text), attachments, tests, ask, yes, model or None, as_json, agent, resume)
        )
    except KeyboardInterrupt:
        print("\nCancelled; what was not accepted is not written.", file=sys.stderr)
        code = 1
    raise typer.Exit(code)


async def _run(
    root: Path,
    instruction: str,
    attachments: list[Attachment],
    tests: list[str],
    ask: bool,
    yes: bool,
    model: str | None,
    as_json: bool,
    agent: bool,
    resume: str = "",
) -> int:
    from rich.console import Console

    from lido.cli.session import session

    console = Console(stderr=as_json, highlight=False)
    async with session(root) as s:
        update = await _follow(
            s, console, instruction, attachments, model, shlex.join(tests), agent, ask, resume
        )
        outcome: dict[str, Any] = {
            "planId": update.plan_id,
            "state": update.state,
            "message": update.message,
            "steps": [{"title": t.title, "files": t.files, "state": t.state} for t in update.steps],
        }
        code = 0
        if update.review_id:
            review = s.reviews.get(update.review_id)
            await _review(s, console, review, ask, yes)
            review = s.reviews.get(update.review_id)
            outcome["reviewId"] = review.id
            outcome["hunks"] = [
                {"file": file.path, "hunkId": h.id, "state": h.state, "old": h.old, "new": h.new}
                for file in review.files
                for h in file.hunks
            ]
            accepted = any(h.state == "accepted" for file in review.files for h in file.hunks)
            if tests and accepted:
                done = await asyncio.create_subprocess_exec(*tests, cwd=root, stdout=sys.stderr.fileno())
                code = outcome["testExit"] = await done.wait()
                console.print("[green]The tests pass.[/]" if not code else "[red]The tests fail.[/]")
        elif update.state != "done":
            code = 1
        if as_json:
            print(json.dumps(outcome, ensure_ascii=False))
        return 1 if code else 0


async def _follow(
    s: Session,
    console: Console,
    instruction: str,
    attachments: list[Attachment],
    model: str | None,
    test: str,
    agent: bool,
    confirm: bool,
    resume: str,
) -> Update:
    """Shows the run as it goes and answers its questions; the final update."""
    from rich.markup import escape

    updates: asyncio.Queue[Update] = asyncio.Queue()
    if resume:
        plan = s.plans.resume(resume, updates.put_nowait, (test,) if test else ())
    else:
        plan = s.plans.start(
            instruction,
            attachments,
            "agent" if agent else "plan",
            test if agent else None,
            updates.put_nowait,
            model,
            (test,) if test else (),  # whoever typed the command agreed to it
            confirm=confirm,
        )
    told: set[str] = set()

    def tell(line: str) -> None:
        if line not in told:
            told.add(line)
            console.print(line)

    from lido.plan.run import FINAL

    try:
        with console.status("") as status:
            while True:
                update = await updates.get()
                status.update(f"[dim]{update.state}: {escape(update.message)}[/]")
                for step in update.steps:
                    tell(f"  • {escape(step.title)} [dim]{escape(', '.join(step.files))}[/]")
                if update.state == "waiting":
                    status.stop()
                    console.print(f"[bold]{escape(update.question)}[/]")
                    if not sys.stdin.isatty():
                        return await s.plans.cancel(plan)
                    if update.asks == "steps":
                        from lido.cli import reviewing

                        wanted = await asyncio.to_thread(reviewing.go_over, console, update.steps)
                        if wanted is None:
                            return await s.plans.cancel(plan)
                        s.plans.answer(plan, "yes", wanted)
                        status.start()
                        continue
                    s.plans.answer(plan, await asyncio.to_thread(input, "› "))
                    status.start()
                if update.state in FINAL:
                    console.print(f"[bold]{update.state}[/] {escape(update.message)}")
                    return update
    except asyncio.CancelledError:
        await s.plans.cancel(plan)
        raise


async def _review(s: Session, console: Console, review: Review, ask: bool, yes: bool) -> None:
    from lido.cli import reviewing

    pieces = reviewing.pieces(review)
    if ask:
        decided = await asyncio.to_thread(
            reviewing.decide, pieces, lambda left: reviewing.ask(console, review, left, s.root),
            lambda text: console.print(text, markup=False), reviewing.edited,
        )  # fmt: skip
        await reviewing.apply(s.reviews, review, decided)
        return
    for number in range(len(pieces)):
        reviewing.show(console, review, pieces[number:], s.root, len(pieces))
    if yes:
        await s.reviews.decide(review.id, [piece.hunk_id for piece in pieces], "accept")


def _look(folder: Path, plan_id: str) -> int:
    """``lido plan list`` and ``lido plan show ID``: earlier runs, step by step."""
    from lido.plan import history

    history.recover(folder)
    files = sorted(folder.glob("*.jsonl"), key=lambda f: f.stat().st_mtime)
    if not plan_id:
        for file in files:
            events = history.events(file)
            end = next((e for e in reversed(events) if e["kind"] == "end"), {"state": "running"})
            print(f"{file.stem}  {end['state']:10}  {events[0].get('instruction', '')[:80]}")
        return 0
    found = [file for file in files if file.stem.startswith(plan_id)]
    if len(found) != 1:
        print(f"{len(found)} plans begin with {plan_id}. `lido plan list` shows them.", file=sys.stderr)
        return 1
    for event in history.events(found[0]):
        kind = event.pop("kind")
        event.pop("time", None)
        if kind == "request":
            event["messages"] = [f"{m['role']}: {m['content']}" for m in event["messages"][-1:]]
        print(f"── {kind}")
        for key, value in event.items():
            for part in value if isinstance(value, list) else [value]:
                if part not in ("", None):
                    print(f"{key}: {part}")
    return 0
