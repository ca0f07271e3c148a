"""What goes into a completion's prompt: how much, and where it is cut."""

from __future__ import annotations

from dataclasses import dataclass

from lido.workspace.documents import Document

CHARACTERS_PER_TOKEN = 3.2
"""Code in current vocabularies; measured on Python and TypeScript with the Qwen2.5-Coder tokeniser."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Characters of the document before and after the cursor."""

    prefix: int
    suffix: int


def budget(context_window: int, max_tokens: int, tokens_per_second: float | None, small: bool) -> Budget:
    """What fits the model's window, and what it can read in about a second and a half.

    `tokens_per_second` is the backend's measured prompt speed, None before the first answer. The suffix
    is read anew with every keystroke, because what stands before it has changed; so it stays short where
    reading is slow.
    """
    fits = max(256, context_window - max_tokens - 64)
    speed = tokens_per_second or (200.0 if small else 2000.0)
    tokens = min(fits, max(320, int(speed * 3)), 6000)
    suffix = min(tokens // 4, max(48, int(speed * 0.5)))
    return Budget(int((tokens - suffix) * CHARACTERS_PER_TOKEN), int(suffix * CHARACTERS_PER_TOKEN))


def before(document: Document, offset: int, characters: int) -> str:
    """The text before the cursor, from a line's beginning.

    The cut moves in steps of half the budget and not with every line, so that consecutive prompts begin
    alike and the engine's prompt cache holds.
    """
    if offset <= characters:
        return document.slice(0, offset)
    step = max(characters // 2, 1)
    start = (offset - characters + step - 1) // step * step
    line = document.line_at(start)
    if document.line_start(line) < start:
        line += 1
    return document.slice(min(document.line_start(line), offset), offset)


def after(document: Document, offset: int, characters: int) -> str:
    """The text after the cursor, up to a line's end."""
    end = offset + characters
    if end >= document.length:
        return document.slice(offset, document.length)
    text = document.slice(offset, end)
    cut = text.rfind("\n")
    return text[: cut + 1] if cut > 0 else text
