"""Finds every line of signatures.txt in the api-dump*.txt files of an IntelliJ Platform checkout.

    python compare.py PATH/TO/intellij-community

Prints what is not there; exit 1 where there is any.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

members: dict[str, set[str]] = defaultdict(set)
parents: dict[str, set[str]] = defaultdict(set)


def read(dump: Path) -> None:
    """A class stands at a line's beginning; below it, each after a dash, its parents and its members. A mark
    such as ``sf:`` (static, final) may stand before a name."""
    current = ""
    for line in dump.read_text("utf-8").splitlines():
        text = line.removeprefix("- ").lstrip("*@!")
        unmarked = re.sub(r"^[@*!]?[A-Za-z]{1,5}:(?=[\w<])", "", text).lstrip("*")
        if not line.startswith("- "):
            current = unmarked
        elif ":" not in text:
            parents[current].add(text)
        else:
            members[current] |= {text, unmarked}


def declared(type_name: str, member: str) -> bool:
    return member in members[type_name] or any(
        declared(parent, member) for parent in list(parents[type_name])
    )


def main(checkout: Path) -> int:
    for dump in checkout.rglob("api-dump*.txt"):
        read(dump)
    lines = (Path(__file__).with_name("signatures.txt")).read_text("utf-8").splitlines()
    wanted = [line.split("#", 1) for line in lines if line and not line.startswith("#")]
    missing = [f"{name}#{member}" for name, member in wanted if not declared(name, member)]
    sys.stdout.write("\n".join(missing) + "\n" * bool(missing))
    sys.stderr.write(f"{len(wanted) - len(missing)} of {len(wanted)} found\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
