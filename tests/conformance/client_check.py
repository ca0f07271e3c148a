"""A language server that judges the editor it is started by.

    python tests/conformance/client_check.py --report FILE [--meta-model metaModel.json]

Point any LSP client at it instead of ``lido serve``, open a file, type, ask for an inline completion and take
it, run the code action "conformance: edit this file", close, quit. FILE then says what the client did that the
protocol does not allow, and which of these it was not seen doing. Exit 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from conformance.protocol import Judge, Message

EDIT = "conformance.edit"
ACCEPTED = "conformance.accepted"
INSERTED = "checked"

CHECKS = {
    "initialize": "says initialize first, and initialized after the answer",
    "documents": "opens a document, and tells of each change with the next version",
    "inline": "asks for an inline completion",
    "accepted": "runs the suggestion's command once it is taken",
    "action": "asks for code actions, and runs one's command",
    "edit": "applies a workspace edit, and tells of the change",
    "configuration": "answers workspace/configuration with one value for each item",
    "close": "closes what it has opened",
    "end": "asks for shutdown, then says exit",
}


@dataclass
class Document:
    version: int
    text: str

    def offset(self, position: Any) -> int | None:
        """Of a UTF-16 position; None outside the text."""
        lines = self.text.splitlines(keepends=True) or [""]
        if self.text.endswith(("\n", "\r")):
            lines.append("")
        if position["line"] >= len(lines):
            return None
        line = lines[position["line"]].rstrip("\r\n")
        units = line.encode("utf-16-le")
        if position["character"] * 2 > len(units):
            return None
        before = sum(map(len, lines[: position["line"]]))
        return before + len(units[: position["character"] * 2].decode("utf-16-le", "replace"))


@dataclass
class Report:
    wrong: list[str] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)

    def text(self) -> str:
        lines = [f"WRONG {wrong}" for wrong in self.wrong] or ["nothing wrong was seen"]
        lines += [f"{'yes  ' if key in self.done else 'never'} {what}" for key, what in CHECKS.items()]
        lines += [f"{count:5} {method}" for method, count in sorted(self.seen.items())]
        return "\n".join(lines) + "\n"


class Server:
    """One session over a pair of streams."""

    def __init__(self, judge: Judge, source: BinaryIO, sink: BinaryIO) -> None:
        self.judge = judge
        self.source = source
        self.sink = sink
        self.report = Report()
        self.documents: dict[str, Document] = {}
        self.state = "new"
        self.capabilities: dict[str, Any] = {}
        self._count = 0
        self._answers: dict[str, Callable[[Any], None]] = {}
        self._edited = ""
        self._told: Callable[[Report], None] = lambda report: None

    # ------------------------------------------------------------------ wire

    def run(self, told: Callable[[Report], None] = lambda report: None) -> Report:
        """Serves until the client says exit or goes; `told` whenever the report has changed."""
        self._told = told
        while (message := self._read()) is not None:
            self.report.wrong += self.judge.judge("client", message)
            try:
                self._take(message)
            except (KeyError, TypeError, AttributeError) as error:
                self.report.wrong.append(f"{message.get('method')}: could not be read ({error!r})")
                if "id" in message and "method" in message:
                    self._fail(message["id"], -32602, "invalid params")
            told(self.report)
            if self.state == "over":
                break
        if self.state not in ("new", "over"):
            self.report.wrong.append("went without shutdown and exit")
        told(self.report)
        return self.report

    def _read(self) -> Message | None:
        length = None
        while line := self.source.readline():
            if not line.endswith(b"\r\n"):
                self.report.wrong.append("a header does not end with CR LF")
            if not line.strip():
                break
            name, _, value = line.decode("ascii", "replace").partition(":")
            if name.lower() == "content-length":
                length = int(value)
        if length is None:
            return None
        body = self.source.read(length)
        return json.loads(body) if len(body) == length else None

    def _send(self, message: Message) -> None:
        message = {"jsonrpc": "2.0", **message}
        wrong = self.judge.judge("server", message)
        assert not wrong, wrong  # the judge must keep the law itself
        self._told(self.report)  # some clients end the process as soon as they have their answer
        body = json.dumps(message).encode()
        self.sink.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.sink.flush()

    def _ask(self, method: str, params: Any, then: Callable[[Any], None]) -> None:
        self._count += 1
        identifier = f"check-{self._count}"
        self._answers[identifier] = then
        self._send({"id": identifier, "method": method, "params": params})

    def _fail(self, identifier: Any, code: int, text: str) -> None:
        self._send({"id": identifier, "error": {"code": code, "message": text}})

    # ------------------------------------------------------------------ session

    def _take(self, message: Message) -> None:
        method = message.get("method")
        if method is None:
            then = self._answers.pop(str(message.get("id")), None)
            if then and "result" in message:
                then(message["result"])
            return
        self.report.seen[method] += 1
        self._order(method)
        params = message.get("params")
        if "id" in message:
            known, result = self._request(method, params)
            if known:
                self._send({"id": message["id"], "result": result})
                if method == "initialize":
                    self.state = "answered"
            else:
                self._fail(message["id"], -32601, f"not served here: {method}")
        else:
            self._notification(method, params)

    def _order(self, method: str) -> None:
        if self.state == "new" and method not in ("initialize", "exit"):
            self.report.wrong.append(f"{method} before initialize")
        if self.state == "answered" and method not in ("initialized", "shutdown", "exit", "$/setTrace"):
            self.report.wrong.append(f"{method} before initialized")
        if self.state == "shut" and method != "exit":
            self.report.wrong.append(f"{method} after shutdown")
        if method == "initialize" and self.state != "new":
            self.report.wrong.append("initialize a second time")

    def _request(self, method: str, params: Any) -> tuple[bool, Any]:
        match method:
            case "initialize":
                self.capabilities = params["capabilities"]
                return True, {
                    "capabilities": {
                        "positionEncoding": "utf-16",
                        "textDocumentSync": {"openClose": True, "change": 2},
                        "inlineCompletionProvider": {},
                        "codeActionProvider": True,
                        "executeCommandProvider": {"commands": [EDIT, ACCEPTED]},
                        "experimental": {"lido": {"version": 1}},
                    },
                    "serverInfo": {"name": "conformance"},
                }
            case "shutdown":
                self.state = "shut"
                return True, None
            case "textDocument/inlineCompletion":
                self.report.done.add("inline")
                here = params["position"]
                self._inside(method, params["textDocument"]["uri"], here)
                item = {
                    "insertText": "conformance",
                    "filterText": "conformance",
                    "range": {"start": here, "end": here},
                    "command": {"title": "Accepted", "command": ACCEPTED, "arguments": ["1"]},
                }
                return True, {"items": [item]}
            case "textDocument/codeAction":
                uri = params["textDocument"]["uri"]
                for side in ("start", "end"):
                    self._inside(method, uri, params["range"][side])
                title = "conformance: edit this file"
                command = {"title": title, "command": EDIT, "arguments": [uri]}
                return True, [{"title": title, "kind": "refactor.rewrite", "command": command}]
            case "workspace/executeCommand":
                return True, self._command(params["command"], params.get("arguments") or [])
            case "lido/chat/list":
                return True, []
        return False, None

    def _command(self, name: str, arguments: list[Any]) -> None:
        if name == ACCEPTED:
            self.report.done.add("accepted")
        elif name == EDIT:
            self.report.done.add("action")
            self._edit(str(arguments[0]))
        else:
            self.report.wrong.append(f"{name} is no command of this server")

    def _edit(self, uri: str) -> None:
        if not self.capabilities.get("workspace", {}).get("applyEdit"):
            return  # it has said that it takes no edits
        document = self.documents.get(uri)
        start = {"line": 0, "character": 0}
        insertion = {"range": {"start": start, "end": start}, "newText": f"{INSERTED}\n"}
        able = self.capabilities.get("workspace", {}).get("workspaceEdit", {})
        if not able.get("documentChanges"):
            edit: dict[str, Any] = {"changes": {uri: [insertion]}}
        else:
            identifier = {"uri": uri, "version": document.version if document else None}
            edit = {"documentChanges": [{"textDocument": identifier, "edits": [insertion]}]}
            if able.get("changeAnnotationSupport") is not None:
                edit["changeAnnotations"] = {"a": {"label": "Check"}}
                insertion["annotationId"] = "a"

        def applied(result: Any) -> None:
            if result["applied"] and document is not None:
                self._edited = uri
                self._look(uri)

        self._ask("workspace/applyEdit", {"label": "Conformance", "edit": edit}, applied)

    def _look(self, uri: str) -> None:
        """The change may be told before the edit is answered, or after."""
        if self._edited == uri and self.documents[uri].text.startswith(f"{INSERTED}\n"):
            self.report.done.add("edit")

    def _notification(self, method: str, params: Any) -> None:
        match method:
            case "initialized":
                self.state = "running"
                self.report.done.add("initialize")
                if self.capabilities.get("workspace", {}).get("configuration"):
                    items = [{"section": "lido"}, {"section": "editor"}]
                    self._ask("workspace/configuration", {"items": items}, self._configured)
            case "exit":
                if self.state == "shut":
                    self.report.done.add("end")
                else:
                    self.report.wrong.append("exit without shutdown")
                self.state = "over"
            case "textDocument/didOpen":
                item = params["textDocument"]
                if item["uri"] in self.documents:
                    self.report.wrong.append(f"{item['uri']} is opened a second time")
                self.documents[item["uri"]] = Document(item["version"], item["text"])
            case "textDocument/didChange":
                self._change(params)
            case "textDocument/didClose":
                self.report.done.add("close")
                if self.documents.pop(params["textDocument"]["uri"], None) is None:
                    self.report.wrong.append("closes what is not open")

    def _configured(self, values: Any) -> None:
        if isinstance(values, list) and len(values) == 2:
            self.report.done.add("configuration")
        else:
            self.report.wrong.append("workspace/configuration: two items were asked for, not " + repr(values))

    def _change(self, params: Any) -> None:
        uri, version = params["textDocument"]["uri"], params["textDocument"]["version"]
        document = self.documents.get(uri)
        if document is None:
            self.report.wrong.append(f"didChange of {uri}, which is not open")
            return
        if version <= document.version:
            self.report.wrong.append(f"version {version} after {document.version}")
        document.version = version
        for change in params["contentChanges"]:
            if "range" not in change:
                document.text = change["text"]
                continue
            start, end = (document.offset(change["range"][side]) for side in ("start", "end"))
            if start is None or end is None or end < start:
                self.report.wrong.append(f"didChange: {change['range']} is not in the document")
                return
            document.text = document.text[:start] + change["text"] + document.text[end:]
        self.report.done.add("documents")
        self._look(uri)

    def _inside(self, method: str, uri: str, position: Any) -> None:
        document = self.documents.get(uri)
        if document is None:
            self.report.wrong.append(f"{method} in {uri}, which is not open")
        elif document.offset(position) is None:
            self.report.wrong.append(f"{method}: {position} is not in the document")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--report", type=Path, required=True, help="where the verdict is written")
    parser.add_argument(
        "--meta-model", type=Path, help="LSP's metaModel.json; else lsprotocol's types are used"
    )
    options, _ = parser.parse_known_args()  # editors may add flags such as --stdio
    server = Server(Judge(options.meta_model), sys.stdin.buffer, sys.stdout.buffer)
    fresh = options.report.with_suffix(".new")

    def write(report: Report) -> None:
        fresh.write_text(report.text(), "utf-8")
        fresh.replace(options.report)

    report = server.run(write)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
