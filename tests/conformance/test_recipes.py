"""The settings on the page on editors, as far as they can be judged without the editor. Vim's and Kate's are
used as they stand there by `tests/e2e/editors`.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lido.cli.app import app

CLIENTS = Path(__file__).parents[2] / "clients"
PAGE = (CLIENTS / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.S | re.M)

TEMPLATE_KEYS = {"id", "name", "programArgs", "fileTypeMappings"}
TEMPLATE_FILES = {
    "template.json",
    "settings.json",
    "settings.schema.json",
    "initializationOptions.json",
    "clientSettings.json",
    "installer.json",
    "README.md",
}
"""As LSP4IJ's page "User-defined language server template" has them."""


def commands() -> set[str]:
    return {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }


@pytest.mark.parametrize("language", ["json", "toml"])
def test_every_block_can_be_read(language: str) -> None:
    found = [text for name, text in BLOCKS if name == language]
    assert found
    for text in found:
        assert json.loads(text) if language == "json" else tomllib.loads(text)


def test_what_is_started_is_a_command_of_lidos() -> None:
    between = r"""(?:,\s*"args":\s*\[|,?\s*)"""
    started = re.findall(rf"""lido["']{between}["'](\w+)["'](?!\s*:)""", PAGE)
    assert len(started) > 8
    assert set(started) == {"serve", "acp"}
    assert set(started) <= commands()


def test_the_entry_for_jetbrains_chat() -> None:
    """`~/.jetbrains/acp.json`: a program, its arguments and its environment, by the agent's name."""
    (entry,) = [json.loads(text) for name, text in BLOCKS if name == "json" and "agent_servers" in text]
    assert set(entry) == {"agent_servers"}
    ((name, agent),) = entry["agent_servers"].items()
    assert name == "Lido"
    assert set(agent) == {"command", "args", "env"}
    assert agent["args"] == ["acp"]
    assert isinstance(agent["command"], str)
    assert isinstance(agent["env"], dict)


def test_the_template_for_lsp4ij_keeps_its_form() -> None:
    folder = CLIENTS / "intellij" / "lsp4ij"
    assert {path.name for path in folder.iterdir()} <= TEMPLATE_FILES
    template: dict[str, Any] = json.loads((folder / "template.json").read_text("utf-8"))
    assert set(template) == TEMPLATE_KEYS
    assert re.fullmatch(r"[a-z][a-z-]*", template["id"])
    assert set(template["programArgs"]) <= {"default", "windows", "linux", "mac"}
    languages = set()
    for mapping in template["fileTypeMappings"]:
        assert set(mapping) == {"fileType", "languageId"}
        assert set(mapping["fileType"]) <= {"name", "patterns"}
        assert mapping["fileType"]["patterns"]
        assert re.fullmatch(r"[a-z][a-z+#-]*", mapping["languageId"]), mapping
        languages.add(mapping["languageId"])
    assert len(languages) == len(template["fileTypeMappings"])
