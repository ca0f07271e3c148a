"""A notebook's code cells stand around each other in the prompt."""

from __future__ import annotations

from fakes.model_server import ModelServer, Script
from fakes.raw_client import RawClient


def cell(number: int, kind: int = 2) -> dict[str, object]:
    return {"kind": kind, "document": f"vscode-notebook-cell:/work/a.ipynb#c{number}"}


def text(number: int, code: str, language: str = "python") -> dict[str, object]:
    return {
        "uri": f"vscode-notebook-cell:/work/a.ipynb#c{number}",
        "languageId": language,
        "version": 0,
        "text": code,
    }


async def test_the_other_code_cells_stand_around_the_cursor(tmp_path):
    async with ModelServer(Script(["rows)"])) as backend:
        model = {"provider": "openai", "base_url": f"{backend.url}/v1", "model": "qwen2.5-coder-7b"}
        settings = {"models": {"m": model}, "completion": {"debounce_ms": 0}}
        async with RawClient(tmp_path, settings) as client:
            assert client.capabilities["notebookDocumentSync"]
            notebook = {
                "uri": (tmp_path / "a.ipynb").as_uri(),
                "notebookType": "jupyter-notebook",
                "version": 0,
            }
            client.notify(
                "notebookDocument/didOpen",
                {
                    "notebookDocument": {**notebook, "cells": [cell(1), cell(2, kind=1), cell(3)]},
                    "cellTextDocuments": [
                        text(1, "import pandas as pd\n"),
                        text(2, "# Words, not code", "markdown"),
                        text(3, "table.plot()\n"),
                    ],
                },
            )
            # A cell is put between them, and typed into.
            client.notify(
                "notebookDocument/didChange",
                {
                    "notebookDocument": {"uri": notebook["uri"], "version": 1},
                    "change": {
                        "cells": {
                            "structure": {
                                "array": {"start": 2, "deleteCount": 0, "cells": [cell(4)]},
                                "didOpen": [text(4, "table = ")],
                            },
                            "textContent": [],
                        }
                    },
                },
            )
            end = {"line": 0, "character": 8}
            client.notify(
                "notebookDocument/didChange",
                {
                    "notebookDocument": {"uri": notebook["uri"], "version": 2},
                    "change": {
                        "cells": {
                            "textContent": [
                                {
                                    "document": {"uri": cell(4)["document"], "version": 1},
                                    "changes": [
                                        {"range": {"start": end, "end": end}, "text": "pd.DataFrame("}
                                    ],
                                }
                            ]
                        }
                    },
                },
            )
            result = await client.request(
                "textDocument/inlineCompletion",
                {
                    "textDocument": {"uri": cell(4)["document"]},
                    "position": {"line": 0, "character": 21},
                    "context": {"triggerKind": 1},
                },
            )
            (item,) = result["items"]
            assert item["insertText"] == "rows)"
            assert item["range"]["start"] == {"line": 0, "character": 21}
            prompt = backend.seen[0].prompt
            assert "import pandas as pd\n\ntable = pd.DataFrame(<|fim_suffix|>" in prompt
            assert "table.plot()" in prompt.split("<|fim_suffix|>")[1]
            assert "Words" not in prompt
            client.notify(
                "notebookDocument/didClose", {"notebookDocument": notebook, "cellTextDocuments": []}
            )
            result = await client.request(
                "textDocument/inlineCompletion",
                {
                    "textDocument": {"uri": cell(4)["document"]},
                    "position": {"line": 0, "character": 21},
                    "context": {"triggerKind": 1},
                },
            )
            assert result["items"] == []
