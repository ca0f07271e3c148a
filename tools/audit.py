"""Asks the database of known vulnerabilities (OSV) about every locked dependency.

    python tools/audit.py [--required]

Where the database cannot be reached that is said, and the exit code is 0, unless it is `--required`. A
dependency that it could not judge counts as a failure. Needs the package `pip-audit`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import urllib.request
from pathlib import Path

LOCKS = Path(__file__).resolve().parents[1] / "locks"
DATABASE = "https://api.osv.dev/v1/query"


def reachable() -> str:
    """Why the database cannot be asked; "" where it can."""
    question = urllib.request.Request(
        DATABASE,
        b'{"package": {"name": "jinja2", "ecosystem": "PyPI"}}',
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(question, timeout=15) as answer:  # noqa: S310 - the address above
            answer.read()
    except OSError as error:
        return str(error)
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--required", action="store_true", help="Fail where the database cannot be reached.")
    options = parser.parse_args()
    if why := reachable():
        print(f"audit skipped: {DATABASE} cannot be reached ({why})")
        sys.exit(1 if options.required else 0)
    failed = False
    for lock in ("run.txt", "collect.txt"):
        command = [sys.executable, "-m", "pip_audit", "--strict", "--disable-pip", "--require-hashes"]
        failed |= subprocess.run([*command, "-s", "osv", "-r", str(LOCKS / lock)]).returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
