"""Judges single messages of a session by the protocol's own models.

Three of them: LSP's meta model where a file of it is given (strict: nothing that is not in it), lsprotocol's
types else, and for ``lido/…`` the schema that is generated from the server's messages. Used by the conformance
tests of the server and by `client_check`, which judges editors.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from lsprotocol import converters
from lsprotocol import types as lsp

Sender = Literal["client", "server"]
Message = dict[str, Any]

OWN_SCHEMA = Path(__file__).parents[2] / "clients" / "schema" / "lido.json"
COPILOT = {
    "checkStatus",
    "signIn",
    "didChangeStatus",
    "textDocument/didFocus",
    "textDocument/didShowCompletion",
    "textDocument/didPartiallyAcceptCompletion",
    "textDocument/copilotPanelCompletion",
    "textDocument/copilotInlineEdit",
    "textDocument/didShowInlineEdit",
    "getVersion",
    "setEditorInfo",
    "signInInitiate",
    "signInConfirm",
    "getCompletions",
    "getCompletionsCycling",
    "getPanelCompletions",
    "PanelSolution",
    "PanelSolutionsDone",
    "notifyShown",
    "notifyAccepted",
    "notifyRejected",
}
"""Understood for the sake of Copilot's clients; no model of them is published."""

BASE = {
    "URI": {"type": "string"},
    "DocumentUri": {"type": "string"},
    "RegExp": {"type": "string"},
    "string": {"type": "string"},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "uinteger": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "decimal": {"type": "number"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
}


class MetaModel:
    """LSP's meta model as JSON Schema."""

    def __init__(self, path: Path) -> None:
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        self.model = json.loads(text)
        self.version = self.model["metaData"]["version"]
        self._structures = {each["name"]: each for each in self.model["structures"]}
        self.definitions: dict[str, Any] = {}
        for structure in self.model["structures"]:
            self.definitions[structure["name"]] = self._object(self._properties(structure["name"]))
        for enumeration in self.model["enumerations"]:
            values = [value["value"] for value in enumeration["values"]]
            open_ended = enumeration.get("supportsCustomValues")
            self.definitions[enumeration["name"]] = (
                self.schema(enumeration["type"]) if open_ended else {"enum": values}
            )
        for alias in self.model["typeAliases"]:
            self.definitions[alias["name"]] = self.schema(alias["type"])
        self.definitions["LSPAny"] = {}
        self.definitions["LSPObject"] = {"type": "object"}
        self.definitions["LSPArray"] = {"type": "array"}
        self.methods = {m["method"]: m for m in self.model["requests"] + self.model["notifications"]}

    def _properties(self, name: str) -> list[Any]:
        structure = self._structures[name]
        inherited = structure.get("extends", []) + structure.get("mixins", [])
        found = {p["name"]: p for parent in inherited for p in self._properties(parent["name"])}
        return list({**found, **{p["name"]: p for p in structure["properties"]}}.values())

    def _object(self, properties: list[Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {p["name"]: self.schema(p["type"]) for p in properties},
            "required": [p["name"] for p in properties if not p.get("optional")],
            "additionalProperties": False,
        }

    def schema(self, kind: dict[str, Any]) -> dict[str, Any]:
        match kind["kind"]:
            case "base":
                return dict(BASE[kind["name"]])
            case "reference":
                return {"$ref": f"#/$defs/{kind['name']}"}
            case "array":
                return {"type": "array", "items": self.schema(kind["element"])}
            case "map":
                return {"type": "object", "additionalProperties": self.schema(kind["value"])}
            case "or":
                return {"anyOf": [self.schema(item) for item in kind["items"]]}
            case "and":
                return {"allOf": [self.schema(item) for item in kind["items"]]}
            case "tuple":
                items = [self.schema(item) for item in kind["items"]]
                return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
            case "literal":
                return self._object(kind["value"]["properties"])
            case "stringLiteral" | "integerLiteral" | "booleanLiteral":
                return {"const": kind["value"]}
        raise ValueError(kind)

    @cache  # noqa: B019 - one instance a run
    def _validator(self, key: str) -> Draft202012Validator:
        return Draft202012Validator({**json.loads(key), "$defs": self.definitions})

    def errors(self, kind: dict[str, Any], value: Any) -> list[str]:
        return _errors(self._validator(json.dumps(self.schema(kind))), value)


class Judge:
    """Follows one session: requests are remembered, so that answers are judged by their method."""

    def __init__(self, meta_model: Path | None = None) -> None:
        self.meta = MetaModel(meta_model) if meta_model else None
        self.own = json.loads(OWN_SCHEMA.read_text("utf-8"))
        for definition in self.own["$defs"].values():
            if definition.get("type") == "object":
                definition.setdefault("additionalProperties", False)
        self._converter = converters.get_converter()
        self._asked: dict[tuple[Sender, str], str] = {}
        self._partial: dict[str, str] = {}

    def judge(self, sender: Sender, message: Message) -> list[str]:
        """What is wrong with a message, in sentences; empty where nothing is."""
        if message.get("jsonrpc") != "2.0":
            return ["jsonrpc is not 2.0"]
        method = message.get("method")
        if method is None:
            return self._answer(sender, message)
        if not isinstance(method, str):
            return ["method is not a string"]
        found = [f"{method}: {wrong}" for wrong in self._params(sender, method, message)]
        if "id" in message:
            key = (sender, repr(message["id"]))
            if key in self._asked:
                found.append(f"{method}: id {message['id']!r} is in use")
            self._asked[key] = method
            token = (message.get("params") or {}).get("partialResultToken")
            if token is not None:
                self._partial[repr(token)] = method
        return found

    def open_requests(self, sender: Sender) -> list[str]:
        """Methods that `sender` has not been answered."""
        return [method for (asker, _), method in self._asked.items() if asker == sender]

    def _answer(self, sender: Sender, message: Message) -> list[str]:
        asker: Sender = "client" if sender == "server" else "server"
        method = self._asked.pop((asker, repr(message.get("id"))), None)
        if method is None:
            return [f"an answer to nothing that was asked: id {message.get('id')!r}"]
        if ("result" in message) == ("error" in message):
            return [f"{method}: an answer has either result or error"]
        if "error" in message:
            error = message["error"]
            fits = isinstance(error, dict) and isinstance(error.get("code"), int)
            right = fits and isinstance(error.get("message"), str)
            return [] if right else [f"{method}: error {error!r} needs a code and a message"]
        return [f"{method} answered: {wrong}" for wrong in self._result(method, message)]

    # ------------------------------------------------------------------ by model

    def _params(self, sender: Sender, method: str, message: Message) -> list[str]:
        params = message.get("params")
        if method in COPILOT:
            return []
        if method in self.own["methods"]:
            described = self.own["methods"][method]
            right = "clientToServer" if sender == "client" else "serverToClient"
            if described["direction"] != right:
                return ["sent in the wrong direction"]
            if (described["kind"] == "request") != ("id" in message):
                return [f"it is a {described['kind']}"]
            return self._own(described["params"], params)
        if method == "$/progress" and isinstance(params, dict) and repr(params.get("token")) in self._partial:
            return self._partial_result(self._partial[repr(params["token"])], params.get("value"))
        if self.meta:
            return self._by_meta(sender, method, message)
        return self._by_lsprotocol(method, message)

    def _by_meta(self, sender: Sender, method: str, message: Message) -> list[str]:
        assert self.meta
        described = self.meta.methods.get(method)
        if described is None:
            return [] if method.startswith("$/") else ["no such method in LSP"]
        right = {"client": "clientToServer", "server": "serverToClient"}[sender]
        if described["messageDirection"] not in (right, "both"):
            return ["sent in the wrong direction"]
        if ("result" in described) != ("id" in message):
            return ["a request" if "result" in described else "a notification", "sent as the other"]
        params = message.get("params")
        if "params" not in described:
            # Absent, or what stands for nothing in the languages that clients are written in.
            return [] if params in (None, {}, []) else ["takes no params"]
        if method == "$/progress" and isinstance(params, dict):
            return self._work_done(params.get("value"))
        return self.meta.errors(described["params"], params)

    def _work_done(self, value: Any) -> list[str]:
        assert self.meta
        kind = value.get("kind") if isinstance(value, dict) else None
        name = {"begin": "Begin", "report": "Report", "end": "End"}.get(str(kind))
        if name is None:
            return [f"a token of no request, and no work-done progress: {value!r}"]
        return self.meta.errors({"kind": "reference", "name": f"WorkDoneProgress{name}"}, value)

    def _by_lsprotocol(self, method: str, message: Message) -> list[str]:
        types = lsp.METHOD_TO_TYPES.get(method)
        if types is None:
            return [] if method.startswith("$/") else ["no such method in LSP"]
        return self._structured(message, types[0])

    def _result(self, method: str, message: Message) -> list[str]:
        if method in COPILOT:
            return []
        if method in self.own["methods"]:
            return self._own(self.own["methods"][method]["result"], message["result"])
        if self.meta:
            described = self.meta.methods.get(method)
            return self.meta.errors(described["result"], message["result"]) if described else []
        types = lsp.METHOD_TO_TYPES.get(method)
        return self._structured(message, types[1]) if types and types[1] else []

    def _partial_result(self, method: str, value: Any) -> list[str]:
        own = self.own["methods"].get(method)
        if own:
            return self._own(own["partialResult"], value) if "partialResult" in own else ["streams nothing"]
        described = self.meta.methods.get(method, {}).get("partialResult") if self.meta else None
        return self.meta.errors(described, value) if self.meta and described else []

    def _own(self, schema: dict[str, Any], value: Any) -> list[str]:
        return _errors(Draft202012Validator({**schema, "$defs": self.own["$defs"]}), value)

    def _structured(self, message: Message, kind: Any) -> list[str]:
        try:
            self._converter.structure(message, kind)
        except Exception as error:  # noqa: BLE001 - cattrs raises groups of anything
            return [f"does not fit lsprotocol's {kind.__name__}: {error!r}"]
        return []


def _errors(validator: Draft202012Validator, value: Any) -> list[str]:
    error = best_match(validator.iter_errors(value))
    if error is None:
        return []
    place = "/".join(map(str, error.absolute_path)) or "params"
    return [f"{place}: {error.message[:300]}"]
