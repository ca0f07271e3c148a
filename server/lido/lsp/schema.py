"""The clients' types, generated from `messages`: ``python -m lido.lsp.schema`` writes them, ``--check`` tells
of drift (exit 1).

A development tool: it writes beside the checkout it lies in.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic.alias_generators import to_camel

from lido.lsp import messages as m

ROOT = Path(__file__).parents[3]
SCHEMA = Path("clients/schema/lido.json")
TYPESCRIPT = Path("clients/vscode/src/generated/messages.ts")
JAVA = Path("clients/intellij/core/src/main/java/dev/lido/generated")
HEADER = "Generated from server/lido/lsp/messages.py by `python -m lido.lsp.schema`; not to be edited."

Kind = Literal["request", "notification"]


class Method(NamedTuple):
    """`params` go to the server, except where `to_client`."""

    name: str
    kind: Kind
    params: type[m.Wire]
    result: type[m.Wire] | None = None
    many: bool = False
    """The result is an array of `result`."""
    partial: type[m.Wire] | None = None
    """What streams to ``partialResultToken``."""
    to_client: bool = False


METHODS = (
    Method("lido/completion/shown", "notification", m.CompletionOutcome),
    Method("lido/completion/partiallyAccepted", "notification", m.CompletionOutcome),
    Method("lido/completion/dismissed", "notification", m.CompletionOutcome),
    Method("lido/chat/send", "request", m.ChatSend, m.ChatAnswer, partial=m.ChatDelta),
    Method("lido/chat/retry", "request", m.ChatRetry, m.ChatAnswer, partial=m.ChatDelta),
    Method("lido/chat/list", "request", m.ChatList, m.ConversationSummary, many=True),
    Method("lido/chat/get", "request", m.ConversationRef, m.Conversation),
    Method("lido/chat/rename", "request", m.ChatRename),
    Method("lido/chat/delete", "request", m.ConversationRef),
    Method("lido/chat/export", "request", m.ConversationRef, m.ChatExported),
    Method("lido/chat/apply", "request", m.ChatApply, m.ReviewOpened),
    Method("lido/chat/feedback", "notification", m.ChatFeedback),
    Method("lido/plan/start", "request", m.PlanStart, m.PlanStarted),
    Method("lido/plan/answer", "request", m.PlanAnswer),
    Method("lido/plan/cancel", "request", m.PlanRef),
    Method("lido/plan/update", "notification", m.PlanUpdate, to_client=True),
    Method("lido/diagnostics", "request", m.DiagnosticsQuery, m.FileDiagnostic, many=True, to_client=True),
    Method("lido/review/list", "request", m.ReviewList, m.Review, many=True),
    Method("lido/review/get", "request", m.ReviewRef, m.Review),
    Method("lido/review/decide", "request", m.ReviewDecide, m.ReviewDecided),
    Method("lido/review/undo", "request", m.ReviewRef, m.ReviewUndone),
    Method("lido/status", "notification", m.Status, to_client=True),
    Method("lido/models", "request", m.ModelsQuery, m.Models),
    Method("lido/models/ask", "request", m.ModelAsk, m.ModelAnswer, partial=m.ChatDelta),
    Method("lido/metrics", "request", m.MetricsQuery, m.MetricsRows),
)


def models() -> dict[str, type[m.Wire]]:
    """Every message type, in the order of `messages`."""
    found = (v for v in vars(m).values() if inspect.isclass(v) and issubclass(v, m.Wire))
    return {model.__name__: model for model in found if model is not m.Wire}


def aliases() -> dict[str, tuple[str, ...]]:
    """The named string unions of `messages`."""
    return {n: get_args(v) for n, v in vars(m).items() if get_origin(v) is Literal}


def sent_by_clients() -> set[str]:
    """Names of the types that stand in parameters to the server: what has a default may be left out there.
    The server itself leaves out only what is null."""
    found: set[str] = set()
    todo = [method.params for method in METHODS if not method.to_client]
    while todo:
        model = todo.pop()
        if model.__name__ not in found:
            found.add(model.__name__)
            text = json.dumps(model.model_json_schema())
            todo += [other for name, other in models().items() if f"#/$defs/{name}" in text]
    return found


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """JSON Schema by type name. References are ``#/$defs/Name``; named unions have one of their own."""
    inputs = sent_by_clients()
    named = {values: name for name, values in aliases().items()}

    def tidy(schema: dict[str, Any]) -> dict[str, Any]:
        if tuple(schema.get("enum", ())) in named:
            return {"$ref": f"#/$defs/{named[tuple(schema['enum'])]}"}
        schema.pop("title", None)
        if schema.get("default", ...) is None:
            del schema["default"]
        if "anyOf" in schema:
            kinds = [tidy(kind) for kind in schema.pop("anyOf") if kind != {"type": "null"}]
            return {**schema, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})}
        if "items" in schema:
            schema["items"] = tidy(schema["items"])
        if isinstance(schema.get("additionalProperties"), dict):
            schema["additionalProperties"] = tidy(schema["additionalProperties"])
        return schema

    found: dict[str, dict[str, Any]] = {n: {"enum": list(v)} for n, v in aliases().items()}
    for name, model in models().items():
        schema = model.model_json_schema(by_alias=True)
        documented = attribute_docs(model)
        required = []
        for field in model.model_fields.values():
            optional = type(None) in get_args(field.annotation)
            if field.is_required() or (name not in inputs and not optional):
                required.append(field.alias)
        properties = {key: tidy(value) for key, value in schema["properties"].items()}
        for key, text in documented.items():
            properties[key]["description"] = text
        found[name] = {
            "type": "object",
            **({"description": _unmarked(model.__doc__)} if model.__doc__ else {}),
            "properties": properties,
            "required": required,
        }
    return found


def attribute_docs(model: type[m.Wire]) -> dict[str, str]:
    """The strings below a model's fields, by alias."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(text.value, ast.Constant)
            found[model.model_fields[field.target.id].alias or ""] = _unmarked(str(text.value.value))
    return found


def _unmarked(text: str) -> str:
    """One line of Markdown, with members named as they are on the wire."""
    plain = " ".join(text.replace("``", "`").split())
    return re.sub(r"`[a-z]+(_[a-z]+)+`", lambda name: f"`{to_camel(name[0][1:-1])}`", plain)


# ---------------------------------------------------------------- JSON Schema


def schema() -> str:
    def reference(model: type[m.Wire], many: bool = False) -> dict[str, Any]:
        one = {"$ref": f"#/$defs/{model.__name__}"}
        return {"type": "array", "items": one} if many else one

    methods = {}
    for method in METHODS:
        entry: dict[str, Any] = {
            "kind": method.kind,
            "direction": "serverToClient" if method.to_client else "clientToServer",
            "params": reference(method.params),
        }
        if method.kind == "request":
            entry["result"] = reference(method.result, method.many) if method.result else {"type": "null"}
        if method.partial:
            entry["partialResult"] = reference(method.partial)
        methods[method.name] = entry
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": HEADER,
        "title": "Lido's own messages",
        "methods": methods,
        "$defs": definitions(),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


# ---------------------------------------------------------------- TypeScript


def typescript() -> str:
    def of(schema: dict[str, Any]) -> str:
        match schema:
            case {"$ref": str(reference)}:
                return reference.rsplit("/", 1)[1]
            case {"enum": list(values)}:
                return " | ".join(f"'{value}'" for value in values)
            case {"anyOf": list(kinds)}:
                return " | ".join(map(of, kinds))
            case {"type": "array", "items": dict(items)}:
                inner = of(items)
                return f"({inner})[]" if " | " in inner else f"{inner}[]"
            case {"type": "object"}:
                value = schema.get("additionalProperties")
                return f"Record<string, {of(value) if isinstance(value, dict) else 'unknown'}>"
            case {"type": str(kind)}:
                return {"integer": "number"}.get(kind, kind)
        raise ValueError(schema)

    def lines() -> Iterator[str]:
        yield f"// {HEADER}\n"
        for name, definition in definitions().items():
            if "enum" in definition:
                yield f"export type {name} = {of(definition)};\n"
                continue
            if text := definition.get("description"):
                yield f"/** {text} */"
            yield f"export interface {name} {{"
            for key, member in definition["properties"].items():
                if text := member.get("description"):
                    yield f"  /** {text} */"
                yield f"  {key}{'' if key in definition['required'] else '?'}: {of(member)};"
            yield "}\n"
        yield "/** Requests to the server, by method. */"
        yield "export interface Requests {"
        for method in METHODS:
            if method.kind == "request" and not method.to_client:
                result = method.result.__name__ + "[]" * method.many if method.result else "null"
                yield f"  '{method.name}': {{ params: {method.params.__name__}; result: {result} }};"
        yield "}\n"
        for name, to_client in ("NotificationsToServer", False), ("NotificationsToClient", True):
            yield f"export interface {name} {{"
            for method in METHODS:
                if method.kind == "notification" and method.to_client == to_client:
                    yield f"  '{method.name}': {method.params.__name__};"
            yield "}" if to_client else "}\n"

    return "\n".join(lines()) + "\n"


# ---------------------------------------------------------------- Java

_IMPORTS = {
    "List": "java.util.List",
    "Map": "java.util.Map",
    "Either": "org.eclipse.lsp4j.jsonrpc.messages.Either",
    "Position": "org.eclipse.lsp4j.Position",
    "Range": "org.eclipse.lsp4j.Range",
}


def java() -> dict[str, str]:
    """Records for gson, by file name. An absent member is null; `with…` gives a copy with one more set."""

    def of(schema: dict[str, Any], required: bool = True) -> str:
        match schema:
            case {"$ref": str(reference)}:
                name = reference.rsplit("/", 1)[1]
                return "String" if name in named else name
            case {"enum": _}:
                return "String"
            case {"anyOf": [{"type": "string"}, {"type": "integer"}]}:
                return "Either<String, Integer>"
            case {"type": "array", "items": dict(items)}:
                return f"List<{of(items, False)}>"
            case {"type": "object"}:
                value = schema.get("additionalProperties")
                return f"Map<String, {of(value, False) if isinstance(value, dict) else 'Object'}>"
            case {"type": str(kind)}:
                names = {"string": "String", "integer": "int", "number": "double", "boolean": "boolean"}
                boxes = {"int": "Integer", "double": "Double", "boolean": "Boolean"}
                plain = names[kind]
                return plain if required else boxes.get(plain, plain)
        raise ValueError(schema)

    def values(schema: dict[str, Any]) -> str:
        match schema:
            case {"$ref": str(reference)} if (name := reference.rsplit("/", 1)[1]) in named:
                return f"One of {{@link {name}}}."
            case {"enum": list(options)}:
                return "One of: " + ", ".join(options) + "."
        return ""

    def record(name: str, definition: dict[str, Any]) -> Iterator[str]:
        members = definition["properties"]
        required = definition["required"]
        typed = {key: of(member, key in required) for key, member in members.items()}
        told = definition.get("description", "")
        for key, member in members.items():
            if said := " ".join(filter(None, (member.get("description"), values(member)))):
                told += f"\n@param {key} {said}"
        if told:
            yield "/**"
            for part in told.strip().split("\n"):
                yield from (f" * {line}" for line in textwrap.wrap(part.replace("`", ""), 104))
            yield " */"
        yield f"public record {name}({', '.join(f'{typed[key]} {key}' for key in members)}) {{"
        if optional := [key for key in members if key not in required]:
            arguments = ", ".join(f"{typed[key]} {key}" for key in required)
            yield f"    public {name}({arguments}) {{"
            yield f"        this({', '.join(key if key in required else 'null' for key in members)});"
            yield "    }"
        for key in optional:
            yield ""
            yield f"    public {name} with{key[0].upper()}{key[1:]}({typed[key]} {key}) {{"
            yield f"        return new {name}({', '.join(members)});"
            yield "    }"
        yield "}"

    named = aliases()
    files = {}
    for name, definition in definitions().items():
        if name in _IMPORTS:
            continue
        if name in named:
            body = [f"public final class {name} {{", f"    private {name}() {{}}", ""]
            for value in named[name]:
                constant = "".join(f"_{c}" if c.isupper() else c.upper() for c in value)
                body.append(f'    public static final String {constant} = "{value}";')
            body.append("}")
        else:
            body = list(record(name, definition))
        used = set(re.findall(r"\w+", "\n".join(line for line in body if "record" in line or "with" in line)))
        imports = sorted(f"import {path};" for short, path in _IMPORTS.items() if short in used)
        head = [f"// {HEADER}", "package dev.lido.generated;", "", *imports, *[""] * bool(imports)]
        files[f"{name}.java"] = "\n".join([*head, *body]) + "\n"
    return files


# ---------------------------------------------------------------- files


def generated() -> dict[Path, str]:
    """What should stand in the checkout, by path from its root."""
    found = {SCHEMA: schema(), TYPESCRIPT: typescript()}
    return found | {JAVA / name: text for name, text in java().items()}


def drift(root: Path = ROOT) -> list[str]:
    """Paths that differ from what would be generated, or should not be there."""
    wanted = generated()
    differing = [
        path
        for path, text in wanted.items()
        if not (root / path).is_file() or (root / path).read_text("utf-8") != text
    ]
    stale = [path.relative_to(root) for path in (root / JAVA).glob("*.java")]
    return sorted(str(path) for path in {*differing, *(path for path in stale if path not in wanted)})


def main() -> int:
    differing = drift()
    if "--check" in sys.argv[1:]:
        for path in differing:
            sys.stderr.write(f"{path} is not as generated; run python -m lido.lsp.schema\n")
        return 1 if differing else 0
    wanted = generated()
    for name in differing:
        target = ROOT / name
        if Path(name) in wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted[Path(name)], "utf-8", newline="\n")
        else:
            target.unlink()
        sys.stdout.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
