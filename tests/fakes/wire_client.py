"""`lido serve` as a child process, spoken to in raw bytes, without an event loop: for hostile traffic."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from hypothesis import strategies as st


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def encoded(message: Any) -> bytes:
    return framed(json.dumps(message).encode("utf-8", "surrogatepass"))


class WireClient:
    """Over the server's stdio, or an open socket. `alive` asks whether the server still answers."""

    def __init__(
        self, root: Path, settings: dict[str, Any], sock: socket.socket | None = None, **options: Any
    ) -> None:
        self.root, self.settings, self.options = root, settings, options
        self.process: subprocess.Popen[bytes] | None = None
        self.sock = sock
        if sock is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lido", "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONUTF8": "1"},
            )
            assert self.process.stdin
            assert self.process.stdout
            self._in, self._out = self.process.stdin, self.process.stdout
        else:
            self._in = sock.makefile("wb")
            self._out = sock.makefile("rb")
        self.news = threading.Condition()
        self.seen: list[dict[str, Any]] = []
        """Every message that came."""
        self.ended = False
        self._answers: dict[Any, dict[str, Any]] = {}
        self._number = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.sock:
            with suppress(OSError):  # the server closed it
                self.sock.shutdown(socket.SHUT_RDWR)
        self._reader.join(5)
        self._out.close()
        with suppress(OSError):  # what was not sent any more
            self._in.close()
        if self.sock:
            self.sock.close()

    def initialize(self) -> Self:
        self.request(
            "initialize",
            {
                "processId": None,
                "rootUri": self.root.as_uri(),
                "initializationOptions": {"lido": self.settings, **self.options},
                "capabilities": {"textDocument": {"inlineCompletion": {}}},
            },
        )
        self.notify("initialized", {})
        return self

    def raw(self, data: bytes) -> None:
        self._in.write(data)
        self._in.flush()

    def notify(self, method: str, params: Any) -> None:
        self.raw(encoded({"jsonrpc": "2.0", "method": method, "params": params}))

    def ask(self, method: str, params: Any, timeout: float = 20) -> dict[str, Any]:
        """The whole answer, with its result or its error."""
        self._number += 1
        number = f"right-{self._number}"
        self.raw(encoded({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        with self.news:
            came = self.news.wait_for(lambda: number in self._answers or self.ended, timeout)
        assert came, f"{method} was not answered within {timeout} s"
        assert number in self._answers, f"the server went away: {self.process and self.process.poll()}"
        return self._answers.pop(number)

    def request(self, method: str, params: Any, timeout: float = 20) -> Any:
        answer = self.ask(method, params, timeout)
        assert "error" not in answer, answer
        return answer["result"]

    def ends(self, timeout: float = 10) -> int:
        """Waits for the server's end; its exit code."""
        assert self.process
        return self.process.wait(timeout)

    def end_of_input(self) -> None:
        self._in.close()

    def _read(self) -> None:
        try:
            while header := self._out.readline():
                length = 0
                while header.strip():
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                    header = self._out.readline()
                body = json.loads(self._out.read(length))
                with self.news:
                    self.seen.append(body)
                    if "method" not in body and isinstance(body.get("id"), str):
                        self._answers[body["id"]] = body
                    self.news.notify_all()
        except (OSError, ValueError):
            return
        finally:
            with self.news:
                self.ended = True
                self.news.notify_all()


# ---------------------------------------------------------------- hostile messages

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
METHODS = [
    "initialize", "initialized", "textDocument/didOpen", "textDocument/didChange", "textDocument/didClose",
    "textDocument/didSave", "textDocument/inlineCompletion", "textDocument/completion",
    "textDocument/codeAction", "codeAction/resolve", "workspace/executeCommand",
    "workspace/didChangeConfiguration", "workspace/didChangeWorkspaceFolders",
    "workspace/didChangeWatchedFiles", "notebookDocument/didOpen", "notebookDocument/didChange",
    "notebookDocument/didClose", "window/workDoneProgress/cancel", "$/cancelRequest", "$/setTrace",
    "$/progress", "lido/completion/shown", "lido/completion/partiallyAccepted", "lido/completion/dismissed",
    "lido/chat/send", "lido/chat/list", "lido/chat/get", "lido/chat/delete", "lido/chat/retry",
    "lido/chat/feedback", "lido/plan/start", "lido/plan/answer", "lido/plan/cancel", "lido/review/get",
    "lido/review/decide", "lido/review/undo", "lido/metrics", "textDocument/didShowCompletion",
    "textDocument/didPartiallyAcceptCompletion", "textDocument/didFocus",
    "textDocument/copilotPanelCompletion", "textDocument/copilotInlineEdit", "textDocument/didShowInlineEdit",
    "checkStatus", "signIn", "nothing/known", "$/nothing", "",
]  # fmt: skip
OPEN = "file:///w/a.py"
URIS = st.sampled_from([OPEN, "file:///w/b.py", "", "x", "file:", "file://%00", "untitled:1", "file:///%ff"])
NUMBER = st.integers(-2, 5) | st.sampled_from([2**31 - 1, 2**31, 2**63, -(2**40)])
POSITION = st.fixed_dictionaries({"line": NUMBER, "character": NUMBER})
RANGE = st.fixed_dictionaries({"start": POSITION, "end": POSITION})
CHANGE = st.fixed_dictionaries(
    {"text": st.text(max_size=9)}, optional={"range": RANGE, "rangeLength": NUMBER}
)
ALMOST = st.fixed_dictionaries(
    {},
    optional={
        "textDocument": st.fixed_dictionaries(
            {"uri": URIS}, optional={"version": NUMBER, "languageId": st.text(max_size=5), "text": st.text()}
        ),
        "position": POSITION,
        "range": RANGE,
        "context": JSON | st.fixed_dictionaries({"triggerKind": NUMBER, "diagnostics": st.just([])}),
        "contentChanges": st.lists(CHANGE, max_size=3),
        "command": st.sampled_from(["lido.completion.accepted", "lido.none"]),
        "arguments": JSON,
        "settings": JSON,
        "id": JSON,
        "conversationId": JSON,
        "text": JSON,
        "attachments": JSON,
        "hunkIds": JSON,
        "decision": JSON,
        "instruction": st.none(),
    },
)
ENVELOPE = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.sampled_from(["2.0", "2.0", "2.0", "1.0", 2]),
        "id": st.integers(0, 50) | JSON,
        "method": st.sampled_from(METHODS) | JSON,
        "params": ALMOST | JSON,
        "result": JSON,
        "error": JSON,
    },
)
LIKELY = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": st.sampled_from(METHODS), "params": ALMOST | JSON},
    optional={"id": st.integers(0, 50)},
)
MESSAGE = (LIKELY | LIKELY | ENVELOPE | JSON).map(encoded) | st.binary(max_size=60).map(framed)
