"""``python tests/bench/cross_file.py ROOT``: how much of what comes next the prompt already names.

At random places of a repository's Python files, the rest of the line is hidden; of its identifiers that are not in
the file before the cursor, the share that is in the prompt: with Lido's context, with as many characters of the
best pieces by BM25 alone, and with the file alone (prefix and suffix).
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

from lido.completion import context
from lido.workspace.documents import Documents
from lido.workspace.index import Index, identifiers, location, update


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokens-per-second", type=float, default=2000)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    root = chosen.root.resolve()
    files = sorted(path for path in root.rglob("*.py") if "/." not in str(path))
    with tempfile.TemporaryDirectory() as folder:
        update(location(Path(folder), root), root)
        index = Index(Path(folder), root)
        relative = lambda path: str(path.relative_to(root))  # noqa: E731
        names = ("Lido", "BM25", "file alone")
        found = dict.fromkeys(names, 0)
        outside = dict.fromkeys(names, 0)
        total = total_outside = places = 0
        while places < chosen.count:
            path = chance.choice(files)
            text = path.read_text("utf-8", errors="replace")
            lines = text.splitlines(keepends=True)
            number = chance.randrange(len(lines)) if lines else 0
            line = lines[number] if lines else ""
            indent = len(line) - len(line.lstrip())
            truth = [word for word in dict.fromkeys(identifiers(line)) if word not in context._COMMON]
            if len(truth) < 2 or line.lstrip().startswith(("#", '"', "'", "import", "from")):
                continue
            offset = sum(map(len, lines[:number])) + indent
            document = Documents().open(
                path.as_uri(), "python", 0, text[:offset] + text[offset + len(line) - indent - 1 :], path
            )
            room = context.budget(32768, 192, chosen.tokens_per_second, False)
            alone = context.before(document, offset, room.prefix) + context.after(
                document, offset, room.suffix
            )
            mine = context.Elsewhere(lambda: [index], relative=relative).snippets(
                document, offset, room.elsewhere
            )
            around = document.slice(max(0, offset - 1500), offset + 300)
            pieces, left = [], room.elsewhere
            for piece in index.similar(reversed(identifiers(around)), 24):
                if piece.path != relative(path):
                    pieces.append(piece.text[:left])
                    left -= len(pieces[-1])
            more = {
                "Lido": "\n".join(snippet.text for snippet in mine),
                "BM25": "\n".join(pieces),
                "file alone": "",
            }
            words = set(identifiers(alone))
            total += len(truth)
            missing = [word for word in truth if word not in words]
            total_outside += len(missing)
            for name, text_ in more.items():
                there = words | set(identifiers(text_))
                found[name] += sum(word in there for word in truth)
                outside[name] += sum(word in there for word in missing)
            places += 1
    print(
        f"{places} places, {total} identifiers, {total_outside} of them not in the file's part of the prompt\n"
    )
    print("| context | identifiers in the prompt | of those not in the file |\n|---|---|---|")
    for name in names:
        print(f"| {name} | {found[name] / total:.1%} | {outside[name] / max(1, total_outside):.1%} |")


if __name__ == "__main__":
    main()
