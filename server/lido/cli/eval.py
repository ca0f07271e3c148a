"""``lido eval``: which model works on our code?"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lido.models.registry import Models
    from lido.plan.removal import Removal
    from lido.plan.sandbox import Result

app = typer.Typer(
    no_args_is_help=True,
    help="Measure models on your own code.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Measure models on your own code."""


@dataclass
class Options:
    """`out` is where results and rollouts go, None for nowhere; `timeout` in seconds, of one test run."""

    test: list[str]
    tasks: int
    samples: int
    models: list[str | None]
    seed: int
    temperature: float
    timeout: float
    out: Path | None
    tell: Callable[[str], None] = field(default=lambda line: print(line, file=sys.stderr))


@app.command("repo")
def repo(
    path: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A project with tests.")],
    tasks: Annotated[int, typer.Option(min=1, help="How many functions to take away.")] = 10,
    samples: Annotated[int, typer.Option(min=1, help="How often each is asked for: K of pass@K.")] = 1,
    model: Annotated[
        list[str] | None, typer.Option(help="A [models.NAME] of your settings. May be repeated.")
    ] = None,
    test: Annotated[str, typer.Option(metavar="CMD", help="How to run the tests.")] = "",
    seed: Annotated[int, typer.Option(help="Chooses the functions, and the models' samples.")] = 0,
    temperature: Annotated[
        float | None, typer.Option(min=0, max=2, help="Default 0 with one sample, 0.6 with more.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one run of the tests may take.")] = 120,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write results and every rollout there, as JSON lines.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Take functions of a project away, ask for them back, and run its tests: pass@k for each model.

    All of it happens in a copy; nothing is written to PATH. Only functions whose loss the tests notice count.
    """
    from lido import settings as configuration

    settings, _ = configuration.load()  # not the project's: it may not choose what runs
    command = test or settings.plan.test_command
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not argv:
        raise typer.BadParameter("say how to run the tests: --test 'python -m pytest -q'")
    unknown = [name for name in model or [] if name not in settings.models]
    if unknown:
        raise typer.BadParameter(
            f"no model is called {', '.join(unknown)}; configured: {', '.join(settings.models)}"
        )
    options = Options(
        argv, tasks, samples, [*(model or ())] or [None], seed,
        temperature if temperature is not None else 0.6 if samples > 1 else 0.0, timeout, out,
    )  # fmt: skip
    try:
        report = asyncio.run(_main(path.resolve(), options))
    except EvalError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        print("\nBroken off; what was finished is in the output folder.", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        _print(report)


class EvalError(Exception):
    """Nothing can be measured; the text says why."""


async def _main(path: Path, options: Options) -> dict[str, Any]:
    from lido import settings as configuration
    from lido.models.registry import Models

    settings, _ = configuration.load()
    models = Models(settings, configuration.Home())
    try:
        return await evaluate(path, options, models)
    finally:
        await models.close()


async def evaluate(path: Path, options: Options, models: Models) -> dict[str, Any]:
    """The report on the project at `path`. Raises EvalError."""
    import shutil
    import tempfile

    from lido.plan import sandbox

    if not await sandbox.can_isolate():
        options.tell("Tests are not confined here: this system cannot do that.")
    folder = await asyncio.to_thread(lambda: Path(tempfile.mkdtemp(prefix="lido-eval-")).resolve())
    try:
        bench = Bench(folder, path, options)
        await bench.fill()
        tasks, tried = await bench.tasks()
        rows = [
            await bench.rollout(task, model, number, models)
            for model in options.models
            for task in tasks
            for number in range(options.samples)
        ]
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, True))
    report = _report(path, options, rows, len(tasks), tried)
    if options.out:
        text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
        await asyncio.to_thread((options.out / "report.json").write_text, text, "utf-8")
    return report


class Bench:
    """A copy of the project in which functions are taken away. It has no history, so a model that looks
    finds none of what it is asked for."""

    def __init__(self, folder: Path, origin: Path, options: Options) -> None:
        self._folder = folder
        self._origin = origin
        self._root = folder / "work" / origin.name
        self._options = options
        program = options.test[0]
        if "/" in program and not Path(program).is_absolute() and (origin / program).exists():
            program = str(origin / program)  # a virtual environment is not copied
        self._test = [program, *options.test[1:]]

    async def fill(self) -> None:
        """Raises EvalError where the project's tests do not pass as they are."""
        from lido.plan.workcopy import Workcopy
        from lido.settings import PrivacySettings
        from lido.workspace import search
        from lido.workspace.privacy import Privacy

        def copied() -> None:
            blocked = Privacy([self._origin], PrivacySettings()).blocked
            self._root.mkdir(parents=True)
            names = search.files(self._origin, blocked)
            Workcopy(self._root, self._origin).fill(names, lambda _: None)

        await asyncio.to_thread(copied)
        before = await self._run()
        if not before.ok:
            how = "took too long" if before.timed_out else f"fail (exit code {before.code})"
            raise EvalError(
                f"The tests {how} before anything is taken away (in a copy, which has no file that git "
                f"ignores):\n{before.output[-2000:]}"
            )
        self._options.tell(f"The tests pass in {before.seconds:.1f} s.")

    async def tasks(self) -> tuple[list[Removal], int]:
        """Functions whose loss the tests notice, and how many were tried to find them. Raises EvalError."""
        import random

        from lido.plan import removal

        found = await asyncio.to_thread(removal.removals, self._root, lambda _: None)
        random.Random(self._options.seed).shuffle(found)
        chosen: list[Removal] = []
        tried = 0
        for task in found:
            if len(chosen) == self._options.tasks:
                break
            tried += 1
            missed = not (await self._with(task, task.hidden)).ok
            if missed and (await self._with(task, task.whole)).ok:
                chosen.append(task)
                self._options.tell(f"task {len(chosen)}: {task.id}")
        if not chosen:
            raise EvalError(f"The tests notice the loss of none of {len(found)} functions.")
        return chosen, tried

    async def rollout(self, task: Removal, model: str | None, number: int, models: Models) -> dict[str, Any]:
        """One attempt, scored by the tests alone: of the answer only the function's own file is taken."""
        import shutil

        from lido.cli.session import session
        from lido.plan import removal
        from lido.plan.permissions import is_consent
        from lido.plan.run import Update
        from lido.settings import Home
        from lido.workspace.attachments import Attachment

        place = self._root / task.path
        await asyncio.to_thread(place.write_text, task.hidden, "utf-8", newline="")
        used = await asyncio.to_thread(removal.callers, self._root, task, lambda _: None)
        attachments = [Attachment("file", place)]
        if used:
            attachments.append(Attachment("output", text=used, name="where it is used"))
        home = Home(self._folder / "home")
        command = shlex.join(self._test)
        began = time.monotonic()
        async with session(self._root, models, home) as s:
            answers: list[str] = []

            def updated(update: Update) -> None:
                if update.state == "waiting":  # nobody is there
                    consent = is_consent(update.question)
                    answers.append("no" if consent else "Decide for yourself.")
                    loop.call_soon(s.plans.answer, update.plan_id, answers[-1])

            loop = asyncio.get_running_loop()
            plan = s.plans.start(
                task.instruction(), attachments, "agent", command, updated, model, (command,),
                temperature=self._options.temperature, seed=self._options.seed * 1000 + number,
            )  # fmt: skip
            end = await s.plans.wait(plan)
            usage = s.plans.usage(plan)
            text = task.hidden
            if end.review_id:
                files = s.reviews.get(end.review_id).files
                text = next((f.after or "" for f in files if Path(f.path) == place), text)
        seconds = time.monotonic() - began
        after = await self._with(task, text)
        row = {
            "task": task.id, "model": model or "default", "sample": number, "reward": float(after.ok),
            "state": end.state, "message": end.message, "seconds": round(seconds, 1),
            "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
            "plan": plan,
        }  # fmt: skip
        self._options.tell(
            f"{row['model']}  {task.id}  sample {number + 1}: "
            f"{'passed' if after.ok else 'failed'}, {seconds:.0f} s"
        )
        if self._options.out:
            await asyncio.to_thread(_keep, self._options.out, home.plans / f"{plan}.jsonl", row)
        await asyncio.to_thread(shutil.rmtree, home.root, True)
        return row

    async def _with(self, task: Removal, text: str) -> Result:
        """The tests' result with `text` as the function's file, which is whole again afterwards."""
        place = self._root / task.path
        await asyncio.to_thread(place.write_text, text, "utf-8", newline="")
        try:
            return await self._run()
        finally:
            await asyncio.to_thread(place.write_text, task.whole, "utf-8", newline="")

    async def _run(self) -> Result:
        from lido.plan import sandbox

        return await sandbox.run(self._test, self._root, self._options.timeout, self._root.parent)


def _keep(out: Path, trajectory: Path, row: dict[str, Any]) -> None:
    """Adds a row, and the rollout as the planner writes it with its reward as the last line. Blocking."""
    folder = out / "rollouts"
    folder.mkdir(parents=True, exist_ok=True)
    text = trajectory.read_text("utf-8")
    last = json.dumps({"time": round(time.time(), 3), "kind": "reward", **row}, ensure_ascii=False)
    (folder / trajectory.name).write_text(f"{text}{last}\n", "utf-8")
    with (out / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _report(
    path: Path, options: Options, rows: list[dict[str, Any]], tasks: int, tried: int
) -> dict[str, Any]:
    from collections import Counter

    from lido.plan.removal import mean_pass_at_k

    models = []
    for name in options.models:
        mine = [row for row in rows if row["model"] == (name or "default")]
        asked = Counter(row["task"] for row in mine)
        passed = Counter(row["task"] for row in mine if row["reward"])
        counts = [(asked[task], passed[task]) for task in asked]
        models.append(
            {
                "model": name or "default",
                "pass_at_k": {str(k): mean_pass_at_k(counts, k) for k in range(1, options.samples + 1)},
                "tasks": {task: [passed[task], asked[task]] for task in asked},
                "seconds": round(sum(row["seconds"] for row in mine), 1),
                "prompt_tokens": sum(row["prompt_tokens"] for row in mine),
                "completion_tokens": sum(row["completion_tokens"] for row in mine),
            }
        )
    return {
        "repository": path.name, "test": shlex.join(options.test), "tasks": tasks, "tried": tried,
        "samples": options.samples, "temperature": options.temperature, "seed": options.seed,
        "models": models,
    }  # fmt: skip


def _print(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{report['repository']}: {report['tasks']} functions, {report['samples']} samples each"
    )
    table.add_column("model")
    ks = sorted({1, report["samples"]})
    for k in ks:
        table.add_column(f"pass@{k}", justify="right")
    table.add_column("solved", justify="right")
    table.add_column("s each", justify="right")
    for model in report["models"]:
        solved = sum(bool(passed) for passed, _ in model["tasks"].values())
        asked = sum(n for _, n in model["tasks"].values())
        shares = [f"{100 * (model['pass_at_k'][str(k)] or 0):.0f} %" for k in ks]
        table.add_row(
            model["model"], *shares, f"{solved} of {report['tasks']}", f"{model['seconds'] / asked:.0f}"
        )
    Console().print(table)
