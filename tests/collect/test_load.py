"""A small version of `load.py`; the whole of it: `make load`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_counts_stay_exact_through_restarts_of_collector_and_database():
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    words = ["--clients", "20", "--rate", "300", "--seconds", "6", "--every", "0.5"]
    script = Path(__file__).with_name("load.py")
    ran = subprocess.run([sys.executable, script, *words], capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = json.loads(ran.stdout)
    assert report["exact"]
    assert report["events"] >= 1000
    assert report["failed_attempts"] > 0, "nothing was interrupted"
    assert len(report["troubles"]) == 3
