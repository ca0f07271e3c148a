"""Which edit format to ask of a model, and in which words."""

from __future__ import annotations

from typing import Literal, Protocol

Asked = Literal["region", "search_replace", "json"]


class Capable(Protocol):
    """What is asked of a model's capabilities (`models.base.Capabilities` has it)."""

    @property
    def small(self) -> bool: ...
    @property
    def json_schema(self) -> bool: ...


def preferred(capabilities: Capable) -> Asked:
    """Small models copy a short region whole far more reliably than they quote a part of it; larger ones
    save tokens with search/replace blocks."""
    return "region" if capabilities.small else "search_replace"


INSTRUCTIONS: dict[Asked, str] = {
    "region": (
        "Answer with the complete new text of {path} in one code block, unchanged lines included. "
        "Write nothing else."
    ),
    "search_replace": (
        "Answer with one or more blocks of this form, and nothing else:\n"
        "\n"
        "{path}\n"
        "<<<<<<< SEARCH\n"
        "lines that are in the file now, copied exactly, enough of them to be unique\n"
        "=======\n"
        "the lines that replace them\n"
        ">>>>>>> REPLACE\n"
        "\n"
        "To create a file, leave the SEARCH part empty."
    ),
    "json": 'Answer with JSON: {{"edits": [{{"path": "{path}", "search": "…", "replace": "…"}}]}}',
}


def instructions(asked: Asked, path: str) -> str:
    """What to tell the model about the form of its answer."""
    return INSTRUCTIONS[asked].format(path=path)


def schema() -> dict[str, object]:
    """JSON Schema of the "json" format, for backends that can enforce one."""
    edit = {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "search": {"type": "string"},
            "replace": {"type": "string"},
        },
        "required": ["path", "search", "replace"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"edits": {"type": "array", "items": edit}},
        "required": ["edits"],
        "additionalProperties": False,
    }
