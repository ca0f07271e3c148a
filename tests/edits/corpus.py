"""Other people's model outputs through Lido's edit engine, as a table.

    python tests/edits/corpus.py [--rows] [FOLDER]

For each format and rung: applied correctly, applied wrongly (must be 0), refused. Where a row's expectation
encodes a policy that Lido does not share, `policy.json` says so and why; those rows count by Lido's policy.
Exits 1 where anything is applied wrongly. FOLDER defaults to ``../shared/data/edits`` beside the checkout.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lido.edits.apply import Resolution, resolve
from lido.edits.formats import FileEdit, Parsed, Replace, parse

POLICY = Path(__file__).with_name("policy.json")


def folder() -> Path | None:
    here = Path(__file__).resolve()
    return next(
        (p / "../shared/data/edits" for p in here.parents if (p / "../shared/data/edits").is_dir()), None
    )


@dataclass(frozen=True)
class Row:
    id: str
    format: str
    text: str
    before: dict[str, str]
    expected: dict[str, str] | None
    """None: to be refused."""
    same: Callable[[str, str], bool] = str.__eq__
    default: str | None = None
    edits: tuple[FileEdit, ...] | None = None


@dataclass(frozen=True)
class Result:
    row: Row
    outcome: str
    """"correct", "wrong", "refused", "refused as expected"."""
    rung: str
    why: str
    policy: str = ""


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _unmarked(marked: str) -> str:
    """The text that a diff whose changed lines carry ``+``/``-`` describes."""
    lines = []
    for line in marked.split("\n"):
        if line.startswith("-"):
            continue
        lines.append(line[2:] if line.startswith("+ ") else line[1:] if line.startswith("+") else line)
    return "\n".join(lines)


def _same_but_blank(a: str, b: str) -> bool:
    def told(text: str) -> list[str]:
        return [line.rstrip() for line in text.split("\n") if line.strip()]

    return told(a) == told(b)


def rows(data: Path) -> Iterator[Row]:
    for raw in _read(data / "roo_cline_search_replace.jsonl.gz"):
        expected = {"test.ts": raw["expected"]} if raw["expect"] == "ok" else None
        yield Row(
            raw["id"], raw["format"], raw["edit"], {"test.ts": raw["before"]}, expected, default="test.ts"
        )
    for raw in _read(data / "codex_apply_patch_scenarios.jsonl.gz"):
        ok = raw["expect"] == "ok"
        yield Row(raw["id"], "apply_patch", raw["edit"], raw["before"], raw["expected"] if ok else None)
    for raw in _read(data / "copilot_apply_patch.jsonl.gz"):
        yield Row(raw["id"], "apply_patch", raw["edit"], raw["before"], raw["expected"])
    for raw in _read(data / "continue_lazy_stream.jsonl.gz"):
        if raw["format"] != "lazy_edit":
            continue  # the others are inputs of a diff, not of an edit
        name = raw["filename"]
        text = f"{name}\n```\n{raw['edit']}\n```\n"
        expected = {name: _unmarked(raw["expected_marked_diff"])}
        yield Row(raw["id"], "lazy", text, {name: raw["before"]}, expected, _same_but_blank)
    for raw in _read(data / "aider_real_chat_edits.jsonl.gz"):
        before = {f["path"]: f["before"] for f in raw["files"] if f["before"] is not None}
        after = {f["path"]: f["after"] for f in raw["files"]}
        yield Row(raw["id"], "search_replace(aider, real)", raw["model_output"], before, after)
    for raw in _read(data / "aider_unit.jsonl.gz"):
        if raw["kind"] != "replace_most_similar_chunk":
            continue
        whole, part, new = raw["input"]
        edit = FileEdit("a.py", "modify", "search_replace", (Replace(part, new),))
        expected = None if raw["expected"] is None else {"a.py": raw["expected"]}
        yield Row(raw["id"], "search_replace(aider)", "", {"a.py": whole}, expected, edits=(edit,))


def run(row: Row) -> tuple[Parsed, Resolution]:
    parsed = Parsed(row.edits) if row.edits is not None else parse(row.text, row.default)
    return parsed, resolve(parsed.edits, row.before.get)


def judge(row: Row, policy: dict[str, dict[str, str]]) -> Result:
    parsed, resolution = run(row)
    after = dict(row.before)
    for change in resolution.changes:
        after.pop(change.path, None)
        if change.after is not None:
            after[change.new_path or change.path] = change.after
    rungs = sorted({rung for change in resolution.changes for rung in change.rungs})
    why = "; ".join([*(r.message for r in resolution.rejected), *parsed.problems])
    own = policy.get(row.id)
    applied = bool(resolution.changes) and not resolution.rejected and not parsed.problems
    expected = row.expected
    if own is not None:
        if own["lido"] == "refuses":
            expected = None
        elif own["lido"] == "applies":
            expected = after if _digest(after) == own["sha256"] else {}
    if not applied:
        outcome = "refused" if expected is not None else "refused as expected"
    elif expected is None:
        outcome = "wrong"
    else:
        same = set(after) == set(expected) and all(row.same(after[p], expected[p]) for p in after)
        outcome = "correct" if same else "wrong"
    return Result(row, outcome, "+".join(rungs) or "-", why, own["why"] if own else "")


def _digest(files: dict[str, str]) -> str:
    """Of the reviewed result, so that no text of the corpus is copied here."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def judge_all(data: Path) -> list[Result]:
    policy = json.loads(POLICY.read_text(encoding="utf-8"))
    return [judge(row, policy) for row in rows(data)]


COLUMNS = ("correct", "wrong", "refused", "refused as expected")


def table(results: list[Result], key: Callable[[Result], str], title: str) -> str:
    counts: dict[str, Counter[str]] = {}
    for result in results:
        counts.setdefault(key(result), Counter())[result.outcome] += 1
    counts["all"] = Counter(result.outcome for result in results)
    width = max(len(title), *(len(name) for name in counts))
    head = f"{title:<{width}}  " + "  ".join(f"{c:>{max(8, len(c))}}" for c in COLUMNS) + "   correct %"
    lines = [head, "-" * len(head)]
    for name, count in counts.items():
        due = count["correct"] + count["wrong"] + count["refused"]
        share = f"{100 * count['correct'] / due:8.1f}" if due else "       -"
        cells = "  ".join(f"{count[c]:>{max(8, len(c))}}" for c in COLUMNS)
        lines.append(f"{name:<{width}}  {cells}   {share}")
    return "\n".join(lines)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="?", type=Path, default=folder())
    arguments.add_argument("--rows", action="store_true", help="also list every row that is not correct")
    options = arguments.parse_args()
    if options.folder is None:
        print("The corpus is not here.", file=sys.stderr)
        return 2
    results = judge_all(options.folder)
    print(table(results, lambda r: r.row.format, "format"))
    print()
    print(table([r for r in results if r.rung != "-"], lambda r: r.rung, "rung"))
    print(f"\nrows judged by Lido's own policy (policy.json): {sum(bool(r.policy) for r in results)}")
    if options.rows:
        for result in results:
            if result.outcome in ("wrong", "refused"):
                print(f"\n{result.outcome.upper()} {result.row.id} [{result.rung}] {result.why}")
    return 1 if any(r.outcome == "wrong" for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
