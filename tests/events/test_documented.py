"""What is recorded, counted and served is what the pages say: all of it, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from lido.events import metrics
from lido.events.schema import COLUMNS, Kind

DOCS = Path(__file__).parents[2] / "docs"


def table(page: str, heading: str) -> list[tuple[str, str]]:
    """Names in the first column of the first table after `heading`, with what the second says."""
    text = (DOCS / page).read_text(encoding="utf-8").partition(heading)[2]
    rows = re.search(r"(?:^\|.*\n)+", text, re.M)
    assert rows
    lines = [line.strip("|").split("|", 1) for line in rows[0].splitlines()[2:]]
    return [(name, what) for names, what in lines for name in re.findall(r"`([^`]+)`", names)]


def test_every_field_is_listed() -> None:
    listed = table("events.md", "## Every field")
    assert [name for name, _ in listed] == list(COLUMNS)
    assert set(re.findall(r"\w+", dict(listed)["kind"])) == set(Kind.__args__)


def test_every_number_is_explained() -> None:
    listed = [name for name, _ in table("metrics.md", "# Metrics")]
    assert sorted(listed) == sorted(metrics.columns(()))


def test_every_path_of_the_collector_is_listed() -> None:
    from lido.collect import openapi

    listed = " ".join(name for name, _ in table("collector.md", "## Endpoints"))
    for path in openapi._description()["paths"]:
        shown = path.replace("{org}", "ORG").replace("{team}", "TEAM").replace("/enterprises", "/orgs")
        assert shown in listed
