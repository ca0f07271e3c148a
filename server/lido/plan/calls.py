"""What tools a model wants called, however it says so: native calls, JSON in a fence or between prose, or
an answer that was constrained to a schema. Pure; never raises on any text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lido.models.base import Tool
from lido.plan import answers
from lido.plan.run import Reply


@dataclass(frozen=True, slots=True)
class Call:
    """`id` is the model's own for a native call, "" for one that was read from text."""

    id: str
    name: str
    arguments: dict[str, Any]

    def key(self) -> str:
        """Equal for equal calls."""
        return f"{self.name} {json.dumps(self.arguments, sort_keys=True, default=str)}"


@dataclass(frozen=True, slots=True)
class Calls:
    """`problem` says, for the model, why there is no call that could be made."""

    calls: tuple[Call, ...] = ()
    problem: str = ""


def read(reply: Reply, tools: Sequence[Tool]) -> Calls:
    """The calls in `reply` that name one of `tools` with the arguments it requires."""
    known = {tool.name: tool for tool in tools}
    wanted: list[tuple[str, str, Any]] = []
    if reply.tool_calls:
        wanted = [(call.id, call.name, call.arguments) for call in reply.tool_calls]
    else:
        for value in answers.json_values(reply.text):
            for item in value if isinstance(value, list) else [value]:
                if named := _named(item, known):
                    wanted.append(("", *named))
    found: list[Call] = []
    problems: list[str] = []
    for identifier, name, raw in wanted:
        arguments = _arguments(raw)
        if name not in known:
            problems.append(f"there is no tool {name!r}; there are {', '.join(known)}")
        elif arguments is None:
            problems.append(f"the arguments of {name} are not a JSON object")
        elif wrong := _wrong(arguments, known[name].parameters):
            problems.append(f"{name}: {wrong}")
        else:
            found.append(Call(identifier, name, arguments))
    if reply.tool_calls and problems:
        return Calls((), "; ".join(problems))  # each native call is owed an answer: all or none
    if found:
        return Calls(tuple(found))
    if not problems:
        problems.append('no tool was called; answer with JSON such as {"tool": "finish", "arguments": {…}}')
    return Calls((), "; ".join(problems))


def _named(item: Any, known: dict[str, Tool]) -> tuple[str, Any] | None:
    """(name, arguments) of one call in any of the usual shapes."""
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("function"), dict):
        item = item["function"]
    name = next(
        (item[k] for k in ("tool", "name", "function", "action") if isinstance(item.get(k), str)), None
    )
    if name is not None:
        inner = next((item[k] for k in ("arguments", "parameters", "args", "input") if k in item), None)
        if inner is None:  # {"tool": "read", "path": "a.py"}
            inner = {k: v for k, v in item.items() if k not in ("tool", "name", "function", "action", "id")}
        return name, inner
    if len(item) == 1 and (only := next(iter(item))) in known:  # {"read": {"path": "a.py"}}
        return only, item[only]
    return None


def _arguments(raw: Any) -> dict[str, Any] | None:
    if isinstance(raw, str):
        try:
            raw = json.loads(raw or "{}", strict=False)
        except (ValueError, RecursionError):
            return None
    return raw if isinstance(raw, dict) else None


_TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "boolean": bool}


def _wrong(arguments: dict[str, Any], schema: dict[str, Any]) -> str:
    missing = [name for name in schema.get("required", ()) if name not in arguments]
    if missing:
        return f"{', '.join(missing)} is missing"
    for name, value in list(arguments.items()):
        kind = schema["properties"].get(name, {}).get("type")
        if kind == "integer" and isinstance(value, str) and value.lstrip("-").isdigit():
            arguments[name] = int(value)
        elif kind and not isinstance(value, _TYPES[kind]):
            return f"{name} must be of type {kind}"
    return ""


def schema(tools: Sequence[Tool]) -> dict[str, Any]:
    """JSON Schema of one call, for backends that can enforce one."""
    return {
        "anyOf": [
            {
                "type": "object",
                "properties": {"tool": {"const": tool.name}, "arguments": tool.parameters},
                "required": ["tool", "arguments"],
                "additionalProperties": False,
            }
            for tool in tools
        ]
    }
