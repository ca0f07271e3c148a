"""``python tests/completion/compare_continue.py DATA``: Lido's shaping beside what another project's filters
make of the same model answers, case by case where they differ."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

from lido.completion import shaping
from lido.completion.filters import Place
from lido.workspace import syntax
from lido.workspace.documents import Document


def main() -> None:
    path = Path(sys.argv[1]) / "completion" / "continue_llm_output_filtering.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    same = equal = 0
    for row in rows:
        before, after = row["prompt"] or "", row["suffix"] or ""
        language = syntax.language_of(row["filename"])
        document = Document.of(before + after, "file:///f", language)
        parsed = syntax.Trees().of(document)
        place = Place(before, after, language)
        inside = syntax.inside(parsed, len(before)) if parsed else None
        place = Place(before, after, language, shaping.mode(place, inside, True))
        got = shaping.shape(row["llm_output"], place, parsed, len(before))
        want = row["expected_completion"] or ""
        equal += got == want
        if got.strip() == want.strip():
            same += 1
            continue
        print(f"--- {row['id']}: {row['description']} [{language}, {place.mode}]")
        print(f"  around  {before[-60:]!r} ‸ {after[:60]!r}")
        print(f"  answer  {row['llm_output'][:240]!r}")
        print(f"  theirs  {want[:240]!r}")
        print(f"  ours    {got[:240]!r}")
    print(f"{len(rows)} cases: {equal} the same, {same} the same but for white space at the ends.")


if __name__ == "__main__":
    main()
