"""Real commits: any subset of hunks, in any order, while someone types, and back again."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lido.edits import hunks as diff
from lido.edits import review
from lido.edits.apply import FileChange
from lido.workspace.documents import Edit

SEEDS = range(20 if os.environ.get("LIDO_TEST_LONG") else 1)


def _shared() -> Path | None:
    return next(
        (
            p / "../shared/data/commits"
            for p in Path(__file__).resolve().parents
            if (p / "../shared/data/commits").is_dir()
        ),
        None,
    )


def _changes() -> Iterator[tuple[str, str]]:
    folder = _shared()
    if folder is not None:
        for name in ("click", "gin"):
            with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
                for line in file:
                    for changed in json.loads(line)["files"]:
                        if changed["before"] is not None and changed["after"] is not None:
                            yield changed["before"], changed["after"]
        return
    # Without them, this project's own history.
    root = Path(__file__).parents[2]
    log = subprocess.run(
        ["git", "log", "--format=%H", "-n", "60", "--diff-filter=M", "--", "*.py"],
        cwd=root, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    for commit in log:
        names = subprocess.run(
            ["git", "diff-tree", "--no-commit-id", "--name-only", "-r", "--diff-filter=M", commit],
            cwd=root, capture_output=True, text=True, check=False,
        ).stdout.split()  # fmt: skip
        for name in names:
            texts = [
                subprocess.run(
                    ["git", "show", f"{at}:{name}"], cwd=root, capture_output=True, check=False
                ).stdout
                for at in (f"{commit}~1", commit)
            ]
            try:
                before, after = (text.decode() for text in texts)
            except UnicodeDecodeError:
                continue
            yield before, after


def _odd() -> list[tuple[str, str]]:
    """What real commits lack: endings, scripts and characters that go wrong."""
    base = "".join(f"\tline {n} 😀 سطر {n}\n" for n in range(40))
    changed = (
        base.replace("line 7 ", "zeile 7 ").replace("line 8 ", "").replace("\tline 30 ", "neu\n\tline 30 ")
    )
    return [
        (base, changed),
        (base.replace("\n", "\r\n"), changed.replace("\n", "\r\n")),
        (base[:-1], changed[:-1] + "!"),
        (base[:-1], changed),
        (base.replace("line 9", "line \ud83d 9"), changed.replace("line 20", "line \udc00 20")),
        (base.replace("\n", "\r", 5), changed),
        (base + "\x0c\u2028\x85", changed + "\x0c\u2028x\x85"),
        ("", "a\n"),
        ("a", ""),
    ]


CASES = [*_odd(), *_changes()]


def _opened(before: str, after: str) -> review.Review:
    counter = iter(range(10**9))
    change = FileChange("/w/a", "modify", before, after)
    return review.start([change], "r", "", lambda: str(next(counter)))


def _git_applied(folder: Path, before: str, after: str, wanted: list[diff.Hunk]) -> str:
    """What ``git apply`` makes of a patch that holds only the wanted hunks. The patch is written from the
    hunks' line numbers here, so that nothing of Lido's own applying is used."""
    (folder / "a").write_bytes(before.encode("utf-8", "surrogatepass"))
    patch = ["diff --git a/a b/a\n", "--- a/a\n", "+++ b/a\n"]
    shift = 0
    for hunk in wanted:
        line = before.count("\n", 0, hunk.start)
        old, new = (_patch_lines(text) for text in (hunk.old, hunk.new))
        start = line + (1 if old else 0)
        patch.append(
            f"@@ -{start},{len(old)} +{start + shift + (0 if old else 1) - (0 if new else 1)},{len(new)} @@\n"
        )
        patch += [_sign("-", text) for text in old] + [_sign("+", text) for text in new]
        shift += len(new) - len(old)
    (folder / "p").write_bytes("".join(patch).encode("utf-8", "surrogatepass"))
    done = subprocess.run(
        ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "p"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    file = folder / "a"
    return file.read_bytes().decode("utf-8", "surrogatepass") if file.exists() else ""


def _patch_lines(text: str) -> list[str]:
    return [line + "\n" for line in text.split("\n")[:-1]] + (
        [text.split("\n")[-1]] if text and not text.endswith("\n") else []
    )


def _sign(sign: str, line: str) -> str:
    return sign + line if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def test_hunks_make_exactly_the_new_text() -> None:
    for before, after in CASES:
        found = diff.hunks(before, after)
        assert diff.apply_edits(before, [Edit(h.start, h.end, h.new) for h in found]) == after
        assert all(before[h.start : h.end] == h.old for h in found)
        assert all(
            a.end < b.start or (a.end == b.start and a.end > a.start) for a, b in itertools.pairwise(found)
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_any_subset_in_any_order_is_what_git_apply_makes_of_it(repository: Path, seed: int) -> None:
    chance = random.Random(seed)
    for before, after in CASES:
        if "\r" in before.replace("\r\n", "") or "\r" in after.replace("\r\n", ""):
            continue  # git knows no lone \r as a line end
        made = _opened(before, after)
        if not made.files:
            continue
        ids = [hunk.id for hunk in made.files[0].hunks]
        chosen = [i for i in ids if chance.random() < 0.5]
        order = chosen[:]
        chance.shuffle(order)
        while order:
            size = chance.randint(1, len(order))
            step, order = order[:size], order[size:]
            decided = review.decide(made, step, "accept")
            assert not decided.messages
            made = decided.review
        found = diff.hunks(before, after)
        wanted = [hunk for hunk, i in zip(found, ids, strict=True) if i in chosen]
        assert made.files[0].current == (
            _git_applied(repository, before, after, wanted) if wanted else before
        )


def test_git_applies_the_unified_diff(repository: Path) -> None:
    for before, after in CASES:
        if before == after or "\r" in (before + after).replace("\r\n", "") or not before or not after:
            continue
        (repository / "a").write_bytes(before.encode("utf-8", "surrogatepass"))
        (repository / "p").write_bytes(diff.unified_diff("a", before, after).encode("utf-8", "surrogatepass"))
        done = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", "p"], cwd=repository, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        assert (repository / "a").read_bytes() == after.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("seed", SEEDS)
def test_typing_in_between_neither_loses_nor_misplaces_a_hunk(tmp_path: Path, seed: int) -> None:
    """Expected is the text as it was with both sides' changes, each at its original place. ``git merge-file``
    must agree, but for the few where it sees a repeated line as the other of two equal ones."""
    chance = random.Random(1000 + seed)
    agreed = asked = 0
    for before, after in CASES:
        found = diff.hunks(before, after)
        if not found or "\r" in before + after or "\ud83d" in before:
            continue
        made = _opened(before, after)
        ids = [h.id for h in made.files[0].hunks]
        chance.shuffle(ids)
        taken: set[str] = set()
        typed: dict[int, str] = {}
        for n, hunk_id in enumerate(ids):
            current = made.files[0].current or ""
            own = made.files[0].hunks
            # Type a whole line somewhere that no hunk holds and nobody has typed before.
            places = [(p, _original(p, current, made, typed)) for p in _line_starts(current)]
            free = [
                (p, o) for p, o in places if o not in typed and all(not h.start <= p <= h.end for h in own)
            ]
            if free:
                at, original = chance.choice(free)
                line = typed[original] = f"typed {n} 😀\n"
                made = review.changed(made, "/w/a", current[:at] + line + current[at:], [Edit(at, at, line)])
            if chance.random() < 0.6:
                decided = review.decide(made, [hunk_id], "accept")
                assert not decided.messages, decided.messages
                made = decided.review
                taken.add(hunk_id)
        accepted = [
            Edit(h.start, h.end, h.new)
            for h, own_hunk in zip(found, made.files[0].hunks, strict=True)
            if own_hunk.id in taken
        ]
        lines = [Edit(o, o, line) for o, line in typed.items()]
        assert made.files[0].current == diff.apply_edits(before, [*accepted, *lines])
        sides = (diff.apply_edits(before, lines), before, diff.apply_edits(before, accepted))
        if seed == 0 and (merged := _merged(tmp_path, *sides)) is not None:
            asked += 1
            agreed += made.files[0].current == merged
    assert agreed >= 0.97 * asked


def _original(at: int, current: str, made: review.Review, typed: dict[int, str]) -> int:
    """Where the line that begins at `at` in `current` began before anything was typed or accepted."""
    grown = sum(len(line) for line in typed.values() if current.index(line) < at)
    accepted = [h for h in made.files[0].hunks if h.state == "accepted" and h.end <= at]
    return at - grown - sum(len(h.new) - len(h.old) for h in accepted)


def _line_starts(text: str) -> list[int]:
    starts, at = [0], 0
    for line in diff.split_lines(text):
        at += len(line)
        if line.endswith("\n"):
            starts.append(at)
    return starts


def _merged(folder: Path, ours: str, base: str, theirs: str) -> str | None:
    """None where git sees a conflict: to it, changes that touch are one."""
    for name, text in (("ours", ours), ("base", base), ("theirs", theirs)):
        (folder / name).write_bytes(text.encode())
    done = subprocess.run(
        ["git", "merge-file", "-p", "ours", "base", "theirs"], cwd=folder, capture_output=True, check=False
    )
    return done.stdout.decode() if done.returncode == 0 else None


def test_merge_takes_back_what_was_accepted_and_keeps_what_was_typed() -> None:
    chance = random.Random(3)
    for before, after in CASES:
        lines = diff.split_lines(after)
        if len(lines) < 2 or before == after:
            continue
        at = chance.randrange(len(lines))
        typed = "".join(lines[:at]) + "typed\n" + "".join(lines[at:])
        merged = diff.merge(after, typed, before)
        if not merged.conflicts:
            assert merged.text.replace("typed\n", "", 1) == before
            assert merged.text.count("typed\n") == before.count("typed\n") + 1


TEXTS = st.lists(
    st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "d", "\te\n", "é😀\n", "\ud800\n", "\r"]), max_size=12
).map("".join)


@given(TEXTS, TEXTS)
def test_any_two_texts(before: str, after: str) -> None:
    found = diff.hunks(before, after)
    assert diff.apply_edits(before, [Edit(h.start, h.end, h.new) for h in found]) == after


@given(TEXTS, TEXTS, TEXTS)
def test_merge_is_exact_where_only_one_side_changed(base: str, one: str, other: str) -> None:
    assert diff.merge(base, base, other).text == other
    assert diff.merge(base, one, base).text == one
    assert diff.merge(base, one, one).text == one
    both = diff.merge(base, one, other)
    if both.conflicts:
        assert all(c.ours in both.text for c in both.conflicts)


@given(TEXTS, TEXTS, st.data())
def test_undoing_the_typing_makes_a_conflict_pending_again(
    before: str, after: str, data: st.DataObject
) -> None:
    made = _opened(before, after)
    if not made.files:
        return
    at = data.draw(st.integers(0, len(before)))
    end = data.draw(st.integers(at, len(before)))
    typed = data.draw(TEXTS)
    changed = before[:at] + typed + before[end:]
    there = review.changed(made, "/w/a", changed, [Edit(at, end, typed)])
    for hunk in there.files[0].hunks:
        if hunk.state == "pending":
            assert changed[hunk.start : hunk.end] == hunk.old
        else:
            assert hunk.conflict_text == changed[hunk.start : hunk.end]


def test_fifty_thousand_lines_take_no_minute() -> None:
    chance = random.Random(5)
    lines = [f"value_{chance.randrange(400)} = {chance.randrange(50)}\n" for _ in range(50_000)]
    changed = list(lines)
    for _ in range(500):
        at = chance.randrange(len(changed))
        changed[at : at + chance.randrange(3)] = [f"new_{chance.random()}\n"]
    found = diff.hunks("".join(lines), "".join(changed))
    assert diff.apply_edits("".join(lines), [Edit(h.start, h.end, h.new) for h in found]) == "".join(changed)
    chance.shuffle(changed)
    diff.hunks("".join(lines), "".join(changed))  # hardly anything in common
