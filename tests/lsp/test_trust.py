"""Whether the person trusts the workspace, as editors say it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from lsprotocol import types as lsp

from lido.lsp.review import has_own_review, trusted


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, True),
        ({}, True),
        ({"lido": {"review": True}}, True),
        ({"lido": {"trusted": True}}, True),
        ({"lido": {"trusted": False}}, False),
        (SimpleNamespace(lido=SimpleNamespace(trusted=False)), False),
    ],
)
def test_a_workspace_is_trusted_unless_the_editor_says_otherwise(said: Any, expected: bool) -> None:
    server: Any = SimpleNamespace(client_capabilities=lsp.ClientCapabilities(experimental=said))
    assert trusted(server) is expected
    assert not has_own_review(server) or said == {"lido": {"review": True}}
