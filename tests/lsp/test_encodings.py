"""What an independent client does with an item gives exactly the text that was promised, in each encoding."""

from __future__ import annotations

import random

import pytest

from fakes.model_server import ModelServer, Script
from fakes.raw_client import RawClient

PIECES = ["x", " = ", "f(", ")", "é", "ß", "😀", "𝒳", "漢", "ا", "\t", "# ", "'", "e\u0301", "\u2028", "\x0b"]
ENDS = ["\n", "\r\n", "\r"]
CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def position(text: str, offset: int, encoding: str) -> dict[str, int]:
    """By the letter of the specification: lines end at \\n, \\r\\n and \\r; characters are code units."""
    before = text[:offset].replace("\r\n", "\n\0").replace("\r", "\n")
    if offset and text[offset - 1 : offset + 1] == "\r\n":
        raise AssertionError("between the two halves of a line's end there is no position")
    line = before.count("\n")
    start = before.rfind("\n") + 1
    codec, width = CODECS[encoding]
    return {
        "line": line,
        "character": len(text[start:offset].replace("\0", "").lstrip("\n").encode(codec)) // width,
    }


def offset_of(text: str, where: dict[str, int], encoding: str) -> int:
    return next(
        offset
        for offset in range(len(text) + 1)
        if text[max(0, offset - 1) : offset + 1] != "\r\n" and position(text, offset, encoding) == where
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_items_land_where_they_should(tmp_path, encoding):
    chance = random.Random(7)
    root = tmp_path / "project"
    root.mkdir()
    async with ModelServer(Script(["ok_😀", "é"])) as backend:
        model = {"provider": "openai", "base_url": f"{backend.url}/v1", "model": "qwen2.5-coder-7b"}
        settings = {"models": {"m": model}, "completion": {"debounce_ms": 0}}
        async with RawClient(root, settings, encoding) as client:
            assert client.capabilities["positionEncoding"] == encoding
            answered = 0
            for number in range(60):
                end = chance.choice(ENDS)
                lines = [
                    "".join(chance.choices(PIECES, k=chance.randrange(6)))
                    for _ in range(chance.randrange(1, 6))
                ]
                text = end.join(lines)
                line = chance.randrange(len(lines))
                offset = sum(len(each) + len(end) for each in lines[:line]) + chance.randrange(
                    len(lines[line]) + 1
                )
                uri = (root / f"a{number}.txt").as_uri()
                client.notify(
                    "textDocument/didOpen",
                    {"textDocument": {"uri": uri, "languageId": "plaintext", "version": 0, "text": text}},
                )
                # Half of the documents become what they are by a change.
                if number % 2:
                    at = position(text, offset, encoding)
                    client.notify(
                        "textDocument/didChange",
                        {
                            "textDocument": {"uri": uri, "version": 1},
                            "contentChanges": [{"range": {"start": at, "end": at}, "text": "y😀"}],
                        },
                    )
                    text = text[:offset] + "y😀" + text[offset:]
                    offset += 2
                result = await client.request(
                    "textDocument/inlineCompletion",
                    {
                        "textDocument": {"uri": uri},
                        "position": position(text, offset, encoding),
                        "context": {"triggerKind": 1},
                    },
                )
                for item in result["items"]:
                    answered += 1
                    begin = offset_of(text, item["range"]["start"], encoding)
                    stop = offset_of(text, item["range"]["end"], encoding)
                    assert (begin, stop) == (offset, offset)
                    applied = text[:begin] + item["insertText"] + text[stop:]
                    assert applied.startswith(text[:offset] + "ok_😀")
                    assert item["insertText"] in ("ok_😀é", "ok_😀")
            assert answered > 20
