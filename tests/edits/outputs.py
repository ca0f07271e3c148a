"""The embedded models' answers to `tasks`, through the edit engine, as a table.

    python tests/edits/outputs.py [--show]

"differs" are answers whose edit is not the expected one. Each was read: what was applied is what the model
wrote, and the mistake the model's; `model_verdicts.json` pins the results that were read, by hash. Beside
that, `plainly` reads the answers that a few lines of code can read, in another way than the engine does.
Exits 1 where a result differs that nobody has read, or where the two readings are not the same.
"""

from __future__ import annotations

import difflib
import gzip
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

try:
    from edits.tasks import TASKS
except ImportError:  # run as a script
    from tasks import TASKS  # type: ignore[no-redef]

from lido.edits.apply import resolve
from lido.edits.formats import parse
from lido.workspace import syntax

OUTPUTS = Path(__file__).with_name("model_outputs.jsonl.gz")
VERDICTS = Path(__file__).with_name("model_verdicts.json")


class Judged(NamedTuple):
    row: dict[str, str]
    outcome: str
    """correct, differs, refused"""
    rung: str
    why: str
    after: str | None

    @property
    def key(self) -> str:
        return f"{self.row['model']} {self.row['format']} {self.row['task']}"

    @property
    def digest(self) -> str:
        return hashlib.sha256((self.after or "").encode()).hexdigest()[:16]


def judged() -> Iterator[Judged]:
    tasks = {task.id: task for task in TASKS}
    with gzip.open(OUTPUTS, "rt", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in file]
    for row in rows:
        task = tasks[row["task"]]
        parsed = parse(row["output"], task.path, rewrites=row["format"] == "region")
        resolution = resolve(parsed.edits, {task.path: task.before}.get, syntax.path_errors)
        why = "; ".join([*(r.message for r in resolution.rejected), *parsed.problems])
        if len(resolution.changes) == 1 and not why:
            (change,) = resolution.changes
            same = (change.path, change.after) == (task.path, task.expected)
            yield Judged(
                row, "correct" if same else "differs", "+".join(sorted(set(change.rungs))), "", change.after
            )
        else:
            yield Judged(row, "refused", "-", why or "there is no edit in it", None)


def plainly(before: str, answer: str) -> str | None:
    """The file as an answer of a simple form says, read by other means than the engine's: JSON by its library
    and `str.replace`, blocks by a regular expression, a single fence as the file. None for all else."""
    if answer.lstrip().startswith("{"):
        try:
            edits = json.loads(answer)["edits"]
            pairs = [(edit["search"], edit["replace"]) for edit in edits]
        except (ValueError, KeyError, TypeError):
            return None
    elif pairs := re.findall(r"<<<<<<< SEARCH\n(.*?\n)=======\n(.*?)>>>>>>> REPLACE", answer, re.S):
        pass
    elif len(fences := re.findall(r"^```[a-z]*\n(.*?)^```\s*$", answer, re.S | re.M)) == 1 and not re.search(
        r"^=======", fences[0], re.M
    ):
        return str(fences[0])
    for search, new in pairs:
        if before.count(search) != 1:
            return None
        before = before.replace(search, new)
    return before if pairs else None


def disagreeing(results: list[Judged]) -> list[str]:
    """Results that the plain reading reads otherwise. Blank lines aside, since a rewrite that loses some is
    given them back; and excerpts, which the plain reading takes for the file."""
    tasks = {task.id: task for task in TASKS}
    found = []
    for result in results:
        plain = plainly(tasks[result.row["task"]].before, result.row["output"])
        if result.after is None or plain is None or result.rung in ("excerpt", "elided"):
            continue
        one, other = _told(plain), _told(result.after)
        if (
            result.rung == "indentation"
        ):  # the plain reading gives no line the indentation it was quoted without
            one, other = ([line.strip() for line in lines] for lines in (one, other))
        if one != other:
            found.append(result.key)
    return found


def _told(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def table(results: list[Judged]) -> str:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for result in results:
        counts.setdefault((result.row["model"], result.row["format"]), Counter())[result.outcome] += 1
    head = f"{'model':<22} {'format asked':<16} {'correct':>8} {'differs':>8} {'refused':>8}   correct %"
    lines = [head, "-" * len(head)]
    for (model, asked), count in sorted(counts.items()):
        cells = " ".join(f"{count[c]:>8}" for c in ("correct", "differs", "refused"))
        lines.append(f"{model:<22} {asked:<16} {cells}   {100 * count['correct'] / count.total():8.1f}")
    return "\n".join(lines)


def unread(results: list[Judged]) -> list[str]:
    known = json.loads(VERDICTS.read_text(encoding="utf-8"))
    return [r.key for r in results if r.outcome == "differs" and known.get(r.key) != r.digest]


def main() -> int:
    results = list(judged())
    print(table(results))
    tasks = {task.id: task for task in TASKS}
    for result in results if "--show" in sys.argv else ():
        if result.outcome == "correct":
            continue
        task = tasks[result.row["task"]]
        print(f"\n{result.outcome.upper()} {result.key} [{result.rung}] {task.instruction}\n  {result.why}")
        if result.after is not None:
            lines = (text.splitlines() for text in (task.before, result.after))
            print("\n".join(list(difflib.unified_diff(*lines, n=0, lineterm=""))[2:]))
    missing, other = unread(results), disagreeing(results)
    plain = sum(
        plainly(tasks[r.row["task"]].before, r.row["output"]) is not None
        for r in results
        if r.after is not None
    )
    print(f"\nresults that differ and were not read: {len(missing)}")
    print(f"results that a plain reading reads otherwise: {len(other)} of {plain} it can read")
    return 1 if missing or other else 0


if __name__ == "__main__":
    sys.exit(main())
