"""Builds a release of the commit that is checked out: wheel, sdist, bill of materials, checksums.

    python tools/release.py [--out dist] [--no-install]

Everything is built twice, from two exports of the commit at different places, under different umasks, time
zones and hash seeds, and kept only where both are the same, byte for byte. The wheel is then installed with
the locked dependencies into an environment of its own, asked for its version, and what is in that environment
is the bill of materials (CycloneDX). Needs git, and the packages `build`, `hatchling`, `editables` and
`cyclonedx-bom`.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def version(root: Path = ROOT) -> str:
    """The one place where the server's version stands."""
    for node in ast.parse((root / "server/lido/__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__version__":
            return str(ast.literal_eval(node.value))
    raise ValueError("server/lido/__init__.py has no __version__")


def changes(text: str, number: str) -> str:
    """What CHANGELOG.md says of that version. Raises ValueError where it says nothing."""
    found = re.search(rf"^## {re.escape(number)}(?![\w.])[^\n]*\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if not found or not found[1].strip():
        raise ValueError(f"CHANGELOG.md has no entry for {number}")
    return found[1].strip()


def export(commit: str, to: Path) -> None:
    """The files of the commit, and nothing else that lies around."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(to, filter="data")


def build(commit: str, epoch: str, place: Path, *, umask: int, zone: str, seed: str) -> dict[str, bytes]:
    """Wheel and sdist by name; the wheel is built from the sdist."""
    place.mkdir(parents=True)
    export(commit, place)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch, "TZ": zone, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "made"]
    done = subprocess.run(command, cwd=place, env=environment, umask=umask, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return {path.name: path.read_bytes() for path in sorted((place / "made").iterdir())}


def built(commit: str = "HEAD") -> dict[str, bytes]:
    """What both builds agree on. Raises RuntimeError where they differ."""
    epoch = subprocess.run(
        ["git", "log", "-1", "--format=%ct", commit], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        one = build(commit, epoch, Path(folder) / "a", umask=0o022, zone="UTC", seed="1")
        two = build(
            commit, epoch, Path(folder) / "another" / "place", umask=0o077, zone="Pacific/Auckland", seed="2"
        )
    differing = [name for name in one.keys() | two.keys() if one.get(name) != two.get(name)]
    if differing:
        raise RuntimeError(f"two builds differ in {', '.join(sorted(differing))}")
    return one


def installed(wheel: Path, bill: Path) -> None:
    """Installs the wheel with its locked dependencies, asks its version, and writes the bill of materials."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "locks/run.txt")], check=True)
        subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
        said = subprocess.run(
            [str(python), "-m", "lido", "--version"], check=True, capture_output=True, text=True
        )
        if version() not in said.stdout:
            raise RuntimeError(f"the installed wheel says it is {said.stdout.strip()}")
        # pip itself is how things are installed here, not a part of what runs.
        subprocess.run([str(python), "-m", "pip", "uninstall", "-q", "-y", "pip", "setuptools"], check=True)
        command = [sys.executable, "-m", "cyclonedx_py", "environment", str(python)]
        command += ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"]
        subprocess.run([*command, "--output-reproducible", "--of", "JSON", "-o", str(bill)], check=True)
    content = json.loads(bill.read_text())
    content["metadata"]["component"]["version"] = version()
    bill.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--no-install", action="store_true", help="Leave out the installation and its bill.")
    options = parser.parse_args()
    number = version()
    print(f"Lido {number}\n\n{changes((ROOT / 'CHANGELOG.md').read_text(), number)}\n")
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    for name, data in built().items():
        (options.out / name).write_bytes(data)
    if not options.no_install:
        (wheel,) = options.out.glob("*.whl")
        installed(wheel, options.out / f"lido-lsp-{number}.cdx.json")
    sums = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(options.out.iterdir())
    }
    (options.out / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    print("".join(f"{digest}  {options.out / name}\n" for name, digest in sums.items()), end="")


if __name__ == "__main__":
    main()
