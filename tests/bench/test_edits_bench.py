"""Edits against a yardstick: the same process's time for reading the 20,000 lines once, in the same minute.

Run: pytest tests/bench/test_edits_bench.py --benchmark-only
The promises: a 200-line quote found in a 20,000-line file within 50 ms, on every rung; 100 hunks over 30 files
made into a WorkspaceEdit within 200 ms. Reading the lines takes 2 to 3 ms on the machine the promises were
made on, so they are asserted as multiples of that, the best round of each: another machine is another clock,
and a busy one slows both down.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from lido.edits import review
from lido.edits.apply import FileChange, Operation
from lido.edits.formats import Replace
from lido.edits.matching import Match, find
from lido.lsp.review import Abilities, workspace_edit
from lido.workspace.documents import Document

LINES = 20_000


def _file() -> list[str]:
    chance = random.Random(3)
    lines = []
    for n in range(LINES):
        depth = "    " * (1 + n % 3)
        lines.append(
            f"{depth}value_{chance.randrange(9000)} = call_{chance.randrange(400)}({n % 911}, “x”)\n"
        )
    return lines


FILE = _file()
TEXT = "".join(FILE)
BLOCK = FILE[12_000:12_200]


def _yardstick() -> float:
    """Seconds, the best of 20."""

    def once() -> float:
        start = time.perf_counter()
        [line.strip() for line in TEXT.splitlines()]
        return time.perf_counter() - start

    return min(once() for _ in range(20))


def _within(benchmark: Any, times: float) -> None:
    """The best round took no more than `times` what reading the lines takes."""
    if benchmark.stats:
        best = benchmark.stats.stats.min / _yardstick()
        benchmark.extra_info["× reading the lines"] = round(best, 1)
        assert best < times


QUOTES = {
    "exact": BLOCK,
    "trailing": [line.rstrip() + "  \n" for line in BLOCK],
    "indentation": ["  " + line for line in BLOCK],
    "spacing": [line.replace(" = ", "  =  ") for line in BLOCK],
    "lookalikes": [line.replace("“x”", '"x"') for line in BLOCK],
    "fuzzy": [line.replace("value", "valve") if n % 17 == 9 else line for n, line in enumerate(BLOCK)],
    "not found": [line.replace("value", "nothing").replace("call", "alike") for line in BLOCK],
}


@pytest.mark.parametrize("rung", QUOTES)
def test_find_200_lines_in_20000(benchmark: Any, rung: str) -> None:
    quote = QUOTES[rung]
    change = Replace("".join(quote), "".join([*quote[:100], "    inserted = 1\n", *quote[100:]]))
    found = benchmark(lambda: find(TEXT, change))
    if rung == "not found":
        assert not isinstance(found, Match)
    else:
        assert isinstance(found, Match), found
        assert found.rung == rung
    _within(benchmark, 15)


def test_100_hunks_over_30_files_to_a_workspace_edit(benchmark: Any) -> None:
    base = "".join(FILE[:1000])
    changes = []
    for n in range(30):
        lines = FILE[:1000]
        for k in range(4 if n < 10 else 3):
            lines[100 + 200 * k] = f"    changed_{n}_{k} = 1\n"
        changes.append(FileChange(f"/w/{n}.py", "modify", base, "".join(lines)))
    documents = {c.path: Document.of(base, f"file://{c.path}", "python", 1, Path(c.path)) for c in changes}
    client = Abilities(None)
    client.document_changes = client.annotations = True

    def work() -> Any:
        made = review.start(changes, "r", "t", lambda: str(time.perf_counter_ns()))
        ids = [h.id for f in made.files for h in f.hunks]
        assert len(ids) == 100
        decided = review.decide(made, ids, "accept")
        operations = [
            Operation("edit", a.file.path, a.file.current or "", a.edits, ("x",) * len(a.edits))
            for a in decided.applied
        ]
        return workspace_edit(operations, documents.get, "utf-16", client)

    edit = benchmark(work)
    assert sum(len(change.edits) for change in edit.document_changes) == 100
    _within(benchmark, 60)


def test_diff_of_50000_lines(benchmark: Any) -> None:
    from lido.edits.hunks import hunks

    before = TEXT + TEXT + "".join(FILE[:10_000])
    lines = before.splitlines(keepends=True)
    for n in range(0, 50_000, 500):
        lines[n] = f"changed {n}\n"
    after = "".join(lines)
    found = benchmark(lambda: hunks(before, after))
    assert len(found) == 100
    _within(benchmark, 250)
