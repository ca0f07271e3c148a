"""The parsers of what others wrote: what fuzzing found, the seeds it begins with, and random bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faults import parser_targets

FOUND: list[tuple[str, bytes]] = [
    # A repository's file kept Lido from starting: neither is tomllib's own error.
    ("repository_settings", b"a = " + b"[" * 5000),
    ("repository_settings", b"a = " + b"9" * 5000),
    ("own_settings", b"a = " + b"[" * 5000),
    ("own_settings", b"a = " + b"9" * 5000),
    ("own_settings", b"x" * 1_000_000),
    # A block without an end, whose fence closes before another divider.
    ("edits", b"\2```p\n<<<<< SEARCH\nx\n=======\ny\n```\nz\n=======\ny\n"),
]
SEEDS = [(target, seed) for target, seeds in parser_targets.SEEDS.items() for seed in seeds]


@pytest.mark.parametrize(("target", "data"), [*FOUND, *SEEDS], ids=lambda value: repr(value[:12]))
def test_what_was_found_and_what_it_began_with(target: str, data: bytes) -> None:
    parser_targets.TARGETS[target](data)


@pytest.mark.parametrize("target", parser_targets.TARGETS)
def test_random_bytes_and_damaged_seeds(target: str) -> None:
    seeds = parser_targets.SEEDS[target]
    damaged = st.tuples(st.sampled_from(seeds), st.integers(0, 200), st.binary(max_size=9), st.integers(0, 9))

    @settings(max_examples=60, database=None)
    @given(st.binary(max_size=200) | damaged.map(lambda d: d[0][: d[1]] + d[2] + d[0][d[1] + d[3] :]))
    def check(data: bytes) -> None:
        parser_targets.TARGETS[target](data)

    check()


@pytest.mark.skipif(not os.environ.get("LIDO_FUZZ_SECONDS"), reason="LIDO_FUZZ_SECONDS is not set")
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed: pip install atheris")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("target", parser_targets.TARGETS)
def test_fuzzing_by_coverage_finds_nothing(target: str, tmp_path: Path) -> None:
    program = Path(parser_targets.__file__).with_name("fuzz_atheris.py")
    command = [sys.executable, str(program), target, "--findings", str(tmp_path)]
    done = subprocess.run(
        [*command, "--seconds", os.environ["LIDO_FUZZ_SECONDS"]], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
