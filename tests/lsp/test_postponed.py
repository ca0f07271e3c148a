"""Modules that load with their first use, in whichever thread that is."""

from __future__ import annotations

import importlib.util
import sys
import threading
import types
from pathlib import Path

import pytest

from lido.lsp import Postponed

SLOW = "import threading\nBEGUN.set()\nGO.wait(10)\nVALUE = 1\nLOADED.append(1)\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    path = tmp_path / "slow_module.py"
    path.write_text(SLOW)
    spec = importlib.util.spec_from_file_location("slow_module", path)
    assert spec
    module = Postponed("slow_module")
    module.__spec__ = spec
    monkeypatch.setitem(sys.modules, "slow_module", module)
    return module


def test_other_threads_wait_until_the_module_is_whole(module: types.ModuleType) -> None:
    begun, go, loaded = threading.Event(), threading.Event(), []
    for name, value in {"BEGUN": begun, "GO": go, "LOADED": loaded}.items():
        object.__setattr__(module, name, value)
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(module.VALUE)) for _ in range(8)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert (seen, loaded) == ([1] * 8, [1])


def test_what_fails_to_load_fails_again_and_says_why(module: types.ModuleType) -> None:
    for _ in range(2):
        with pytest.raises(NameError, match="BEGUN"):
            _ = module.VALUE
