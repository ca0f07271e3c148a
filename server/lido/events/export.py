"""The log as training data: what was accepted against what was rejected, in the shapes that TRL reads.

Only suggestions whose text was stored (``events.store_text``) can be exported. Secrets are scrubbed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lido.events.store import connect
from lido.workspace.privacy import find_secrets, scrub

Shape = Literal["trl-dpo", "trl-kto", "sft"]

SAME = 400
"""Characters before the cursor that make two contexts one."""
LOST = 0.3
"""What stands by less than this a while later was not wanted after all."""

_QUERY = """
SELECT shown.suggestion_id, shown.project, shown.text, texts.prefix, texts.suffix, ended.kind,
  ended.accepted_characters AS taken,
  (SELECT min(kept.retained_fraction) FROM events AS kept
     WHERE kept.suggestion_id = shown.suggestion_id AND kept.kind = 'retained'
       AND (kept.after_seconds IS NULL OR kept.after_seconds <= 300)) AS stays,
  EXISTS (SELECT 1 FROM events AS undone
     WHERE undone.suggestion_id = shown.suggestion_id AND undone.kind = 'undone') AS undone
FROM events AS shown
JOIN texts ON texts.suggestion_id = shown.suggestion_id
JOIN events AS ended ON ended.suggestion_id = shown.suggestion_id
  AND ended.kind IN ('accepted', 'partially_accepted', 'rejected')
WHERE shown.kind = 'shown' AND shown.text IS NOT NULL AND shown.time >= ? AND (? = '' OR shown.project = ?)
ORDER BY shown.seq
"""


class NothingStoredError(Exception):
    """No suggestion has its text in the log; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A suggestion and what a person made of it. Scrubbed."""

    project: str
    prefix: str
    suffix: str
    text: str
    wanted: bool


def judged(path: Path, begin: str = "", project: str = "") -> Iterator[Judged]:
    """Each text once for each context: said twice, the later judgement counts. Blocking.

    Raises NothingStoredError, sqlite3.Error.
    """
    found: dict[tuple[str, str, str, str], Judged] = {}
    if path.exists():
        database = connect(path)
        try:
            for row in database.execute(_QUERY, (begin, project, project)):
                one = _judged(row)
                if one is not None:
                    key = one.project, one.prefix[-SAME:], one.suffix[:SAME], one.text
                    found.pop(key, None)
                    found[key] = one
        finally:
            database.close()
    if not found:
        raise NothingStoredError(
            "No suggestion that was accepted or rejected has its text in the log. Texts are stored only with "
            "`store_text = true` under [events]; from then on there is something to learn from."
        )
    yield from found.values()


def _judged(row: sqlite3.Row) -> Judged | None:
    wanted = row["kind"] != "rejected"
    text = str(row["text"])
    if row["kind"] == "partially_accepted":
        text = text[: row["taken"] or 0]
    if wanted and (row["undone"] or (row["stays"] is not None and row["stays"] < LOST)):
        wanted = False
    prefix, suffix = row["prefix"], row["suffix"]
    edges = (len(prefix), len(prefix) + len(text))
    crossing = any(
        start < edge < end for start, end in find_secrets(prefix + text + suffix) for edge in edges
    )
    if not text.strip() or crossing:  # half a secret is none to a pattern, but still one
        return None
    return Judged(row["project"] or "", scrub(prefix), scrub(suffix), scrub(text), wanted)


def records(
    suggestions: Iterator[Judged], shape: Shape, template: str = "{prefix}"
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The project, and a record of TRL's standard format: prompt, chosen, rejected (``trl-dpo``); prompt,
    completion, label (``trl-kto``); prompt, completion (``sft``). `template` makes the prompt of ``{prefix}``
    and ``{suffix}``."""

    def prompt(one: Judged) -> str:
        # Not str.format: code is full of braces.
        before, _, rest = template.partition("{prefix}")
        between, _, behind = rest.partition("{suffix}")
        return before + one.prefix + between + (one.suffix if "{suffix}" in rest else "") + behind

    if shape == "trl-dpo":
        contexts: dict[tuple[str, str], list[Judged]] = defaultdict(list)
        for one in suggestions:
            contexts[one.project, one.prefix[-SAME:]].append(one)
        for together in contexts.values():
            for chosen in (one for one in together if one.wanted):
                for rejected in (one for one in together if not one.wanted):
                    if chosen.text != rejected.text:
                        pair = {"chosen": chosen.text, "rejected": rejected.text}
                        yield chosen.project, {"prompt": prompt(chosen), **pair}
        return
    for one in suggestions:
        if shape == "trl-kto":
            yield one.project, {"prompt": prompt(one), "completion": one.text, "label": one.wanted}
        elif one.wanted:
            yield one.project, {"prompt": prompt(one), "completion": one.text}


def held_out(project: str, share: float) -> bool:
    """Whether a project belongs to the test part: always the same, and never to both parts."""
    number = int.from_bytes(hashlib.sha256(project.encode()).digest()[:4], "big")
    return number / 2**32 < share
