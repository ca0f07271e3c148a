"""The soak, short; `make soak` runs the long ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faults.soak import soak

SECONDS = float(os.environ.get("LIDO_SOAK_SECONDS", "20"))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.timeout(SECONDS + 200)
@pytest.mark.parametrize("clients", [0, 50], ids=["one editor", "50 over TCP"])
async def test_work_under_outages_loses_nothing_and_memory_stays_flat(clients: int, tmp_path: Path) -> None:
    report = await soak(SECONDS, clients, tmp_path)
    assert report.done["inlineCompletion"] > 100
    assert report.shown > 20
    assert report.files[-1] <= report.files[0] + 20 + 12 * clients
    assert report.growth < 15 + clients, str(report)
    assert report.children <= 4, "all sessions are in one folder; one process keeps its index current"
