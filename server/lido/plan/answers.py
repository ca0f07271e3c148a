"""Reading what a model answered, tolerantly. Pure; never raises on any text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lido.plan.run import Step

_FENCE = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[^\n]*\n(?P<body>.*?)(?:^[ \t]*(?P=fence)`*[ \t]*$|\Z)", re.M | re.S
)


def fences(text: str) -> list[str]:
    """The bodies of the fenced blocks; one that is not closed reaches to the end."""
    return [m["body"] for m in _FENCE.finditer(text)]


def code(text: str) -> str | None:
    """The code a model was asked for: its largest fenced block, else the bare text where it has no prose
    around it; None where there is nothing."""
    blocks = [body for body in fences(text) if body.strip()]
    if blocks:
        return max(blocks, key=len)
    return text.strip("\n") + "\n" if text.strip() else None


def json_values(text: str) -> Iterator[Any]:
    """Every JSON object or array in `text`, in order: the whole, in fences, or between prose."""
    decoder = json.JSONDecoder()
    at = 0
    while match := re.compile(r"[{\[]").search(text, at):
        try:
            value, at = decoder.raw_decode(text, match.start())
            yield value
        except (ValueError, RecursionError):
            at = match.start() + 1


_LISTED = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+(?P<text>\S.*)$", re.M)


def steps(text: str) -> tuple[list[Step], str]:
    """The steps in a plan, and the question in their place where the model asked one. JSON of the form
    asked for, else a Markdown list."""
    for value in json_values(text):
        if isinstance(value, dict) and isinstance(value.get("question"), str) and not value.get("steps"):
            return [], value["question"].strip()[:1000]
        items = value.get("steps", value) if isinstance(value, dict) else value
        found = [step for item in (items if isinstance(items, list) else [items]) if (step := _step(item))]
        if found:
            return found[:40], ""
    return [Step(m["text"].strip()[:300]) for m in _LISTED.finditer(text)][:40], ""


def _step(item: Any) -> Step | None:
    if isinstance(item, str) and item.strip():
        return Step(item.strip()[:300])
    if not isinstance(item, dict):
        return None
    title = next((str(item[k]) for k in ("change", "title", "step", "description") if item.get(k)), "")
    file = next((item[k] for k in ("file", "path", "files") if item.get(k)), ())
    files = [file] if isinstance(file, str) else file if isinstance(file, list) else []
    names = tuple(str(name).strip().removeprefix("./") for name in files if str(name).strip())
    if not title.strip():
        return None
    reason = item.get("reason")
    return Step(title.strip()[:300], str(reason).strip()[:500] if reason else "", names)
