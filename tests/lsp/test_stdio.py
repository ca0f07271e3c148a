"""Standard input and output of every kind that a person or an editor may connect."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

MESSAGES = [
    {"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}},
    {"method": "initialized", "params": {}},
    {"id": 2, "method": "shutdown"},
    {"method": "exit"},
]


def wire() -> bytes:
    bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in MESSAGES]
    return b"".join(b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies)


@pytest.mark.parametrize("kind", ["pipe", "file", "socket"])
def test_a_session_over(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lido", "serve"]
    environment = {**os.environ, "LIDO_HOME": str(tmp_path / "home")}
    if kind == "pipe":
        ran = subprocess.run(command, input=wire(), capture_output=True, timeout=60, env=environment)
        said, code = ran.stdout, ran.returncode
    elif kind == "file":
        (tmp_path / "in").write_bytes(wire())
        with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as sink:
            code = subprocess.run(command, stdin=source, stdout=sink, timeout=60, env=environment).returncode
        said = (tmp_path / "out").read_bytes()
    else:  # as Node starts its children
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = subprocess.Popen(command, stdin=theirs, stdout=theirs, env=environment)
            theirs.close()
            ours.settimeout(60)
            ours.sendall(wire())
            said = b""
            while piece := ours.recv(1 << 16):
                said += piece
            code = process.wait(60)
    assert code == 0
    assert b'"id":1' in said.replace(b" ", b"")
    assert b'"id":2' in said.replace(b" ", b"")


async def test_a_keystroke_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pygls keeps a future for each notification; with thousands of keystrokes that is a leak."""
    from lsprotocol import types as lsp

    from lido.lsp.server import LidoServer
    from lido.lsp.transport import dispatch

    monkeypatch.setenv("LIDO_HOME", str(tmp_path / "home"))
    server = LidoServer()
    server.protocol.server_capabilities = lsp.ServerCapabilities(position_encoding="utf-16")

    def tell(method: str, **parameters: object) -> None:
        message = {"jsonrpc": "2.0", "method": f"textDocument/{method}", "params": parameters}
        dispatch(server, json.dumps(message).encode())

    uri = "file:///a.py"
    tell("didOpen", textDocument={"uri": uri, "languageId": "python", "version": 0, "text": ""})
    at = {"line": 0, "character": 0}
    for version in range(1, 101):
        change = {"range": {"start": at, "end": at}, "text": "x"}
        tell("didChange", textDocument={"uri": uri, "version": version}, contentChanges=[change])
    document = server.documents.get(uri)
    assert document
    assert document.text == "x" * 100
    assert not server.protocol._request_futures
