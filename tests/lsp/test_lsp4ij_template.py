"""The template for LSP4IJ says what Lido takes: its settings are valid, its command is ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lido import settings
from lido.lsp.server import lido_section

FOLDER = Path(__file__).parents[2] / "clients" / "intellij" / "lsp4ij"


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text("utf-8"))


@pytest.mark.parametrize("name", ["settings.json", "initializationOptions.json"])
def test_its_settings_are_understood(name: str) -> None:
    loaded, problems = settings.load(lido_section(read(name)), [])
    assert problems == []
    assert loaded.completion.max_lines == read(name)["lido"]["completion"]["max_lines"]


def test_it_starts_the_server_for_each_pattern_once() -> None:
    template = read("template.json")
    assert template["programArgs"] == {"default": "lido serve", "windows": "lido.exe serve"}
    patterns = [p for mapping in template["fileTypeMappings"] for p in mapping["fileType"]["patterns"]]
    assert len(patterns) == len(set(patterns)) > 30
