"""Coverage-guided fuzzing of the parsers: ``make fuzz``, or for one of them

    python tests/faults/fuzz_atheris.py edits --seconds 60

Atheris has wheels for Linux on x86-64. What it finds lies in ``--findings``, one file for each, and is printed;
it belongs into ``test_parsers.py`` with its mending.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def fuzz(target: str, seconds: int, findings: Path) -> None:
    """Does not come back: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["lido"]):
        from faults import parser_targets

    corpus = Path(tempfile.mkdtemp(prefix="lido-corpus-"))
    for number, seed in enumerate(parser_targets.SEEDS[target]):
        (corpus / str(number)).write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={findings}/{target}-", "-timeout=10"]
    options += ["-max_len=8192", "-rss_limit_mb=2000", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], str(corpus), *options], parser_targets.TARGETS[target])
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="*", help="none: all of them, one after the other")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "lido-findings")
    options = parser.parse_args()
    options.findings.mkdir(parents=True, exist_ok=True)
    if len(options.target) == 1:
        fuzz(options.target[0], options.seconds, options.findings)
    from faults.parser_targets import TARGETS

    failed = []
    for target in options.target or TARGETS:
        command = [sys.executable, __file__, target, "--seconds", str(options.seconds)]
        done = subprocess.run(
            [*command, "--findings", str(options.findings)], stderr=subprocess.PIPE, text=True
        )
        runs = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        print(f"{target}: {runs[0].split()[-1] if runs else 'no'} inputs, exit {done.returncode}", flush=True)
        if done.returncode:
            failed.append(target)
            print(done.stderr[-3000:])
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
