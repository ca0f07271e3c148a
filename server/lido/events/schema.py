"""What one row of the log holds (schema version 1). docs/events.md explains each field for people."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

Kind = Literal[
    "requested",
    "shown",
    "accepted",
    "partially_accepted",
    "rejected",
    "ignored",
    "retained",
    "undone",
    "error",
]
Feature = Literal["completion", "next_edit", "chat", "chat_apply", "plan", "code_action"]

OUTCOMES = ("accepted", "partially_accepted", "rejected", "ignored")
"""A suggestion that was shown ends in exactly one of these."""


def uuid7(milliseconds: int | None = None) -> str:
    """A UUID of version 7 (RFC 9562, 5.7): ordered by time, the rest random."""
    now = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    value = (now & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))


def utc(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC with milliseconds: sorts as text, knows no DST."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Event:
    """One row. Times are in milliseconds or seconds as the name says; characters are code points."""

    id: str
    time: str
    suggestion_id: str
    kind: Kind
    feature: Feature
    language: str = ""
    editor: str = ""
    editor_version: str = ""
    project: str = ""
    team: str = ""
    user: str = ""
    model: str = ""
    backend: str = ""
    latency_ms: float | None = None
    """From the request to its answer."""
    first_token_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    lines: int | None = None
    characters: int | None = None
    accepted_lines: int | None = None
    accepted_characters: int | None = None
    retained_fraction: float | None = None
    """0 to 1: how much of what was accepted still stood `after_seconds` later."""
    after_seconds: float | None = None
    reason: str = ""
    server_version: str = ""
    text: str | None = None
    """The suggestion itself; only with ``events.store_text``."""


COLUMNS = tuple(field.name for field in fields(Event))
