"""Reviewing in a terminal, as ``git add -p`` does: y, n, a, d, s (split), e (edit), q."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from lido.edits.apply import Reviews
    from lido.edits.review import Review
    from lido.plan.run import Step

HELP = """y - accept this hunk
n - reject this hunk
a - accept this hunk and all later ones of this file
d - reject this hunk and all later ones of this file
s - split this hunk into smaller ones
e - edit the new lines of this hunk, and accept them
q - reject this hunk and everything that is left
? - this help"""


@dataclass(frozen=True, slots=True)
class Piece:
    """A hunk or a part of one. `before` and `after` are lines around it that both sides have, which belong to
    its hunk; `whole` is one that stands for its file (creation, deletion)."""

    path: str
    hunk_id: str
    old: str
    new: str
    before: str = ""
    after: str = ""
    whole: bool = False


Decided = list[tuple[Piece, bool]]


def pieces(review: Review) -> list[Piece]:
    """Every hunk as one piece."""
    return [Piece(f.path, h.id, h.old, h.new, whole=h.whole) for f in review.files for h in f.hunks]


def split(piece: Piece) -> list[Piece]:
    """The piece by the lines that both sides have, else, where there are as many on both, line by line."""
    from lido.edits import hunks

    if piece.whole:
        return [piece]
    old, new = hunks.split_lines(piece.old), hunks.split_lines(piece.new)
    found: list[Piece] = []
    common = ""
    for block in hunks.diff_lines(old, new):
        if block.equal:
            common += "".join(old[block.a1 : block.a2])
            continue
        a, b = old[block.a1 : block.a2], new[block.b1 : block.b2]
        found.append(replace(piece, old="".join(a), new="".join(b), before=common, after=""))
        common = ""
    if len(found) < 2 and not common and len(old) == len(new) > 1:
        found = [replace(piece, old=a, new=b, before="", after="") for a, b in zip(old, new, strict=True)]
    if not found:
        return [piece]
    found[0] = replace(found[0], before=piece.before + found[0].before)
    found[-1] = replace(found[-1], after=common + piece.after)
    return found


def decide(
    found: Sequence[Piece],
    choose: Callable[[Sequence[Piece]], str],
    tell: Callable[[str], None],
    edit: Callable[[Piece], str | None],
) -> Decided:
    """The person's decision on each piece, in order; `choose` gets all that are left, `edit` gives the new
    lines of one, None where the person thought better of it."""
    decided: Decided = []
    left = list(found)
    while left:
        piece = left[0]
        match choose(left).strip().lower()[:1]:
            case "y" | "n" as choice:
                decided.append((left.pop(0), choice == "y"))
            case "a" | "d" as choice:
                decided += [(p, choice == "a") for p in left if p.path == piece.path]
                left = [p for p in left if p.path != piece.path]
            case "q":
                return decided + [(p, False) for p in left]
            case "s":
                parts = split(piece)
                if len(parts) == 1:
                    tell("This hunk cannot be split.")
                else:
                    tell(f"Split into {len(parts)} hunks.")
                    left[:1] = parts
            case "e":
                text = edit(piece) if piece.new or not piece.whole else None
                if text is None:
                    tell("It was not edited.")
                else:
                    decided.append((replace(left.pop(0), new=text), True))
            case _:
                tell(HELP)
    return decided


def text_of(decided: Decided, hunk_id: str) -> str:
    """What a hunk comes to."""
    mine = [(piece, yes) for piece, yes in decided if piece.hunk_id == hunk_id]
    return "".join(piece.before + (piece.new if yes else piece.old) + piece.after for piece, yes in mine)


async def apply(reviews: Reviews, review: Review, decided: Decided) -> None:
    """Writes what was accepted. Hunks that became something else go in as a review of their own, so that the
    journal can undo them like any other."""
    from lido.edits.apply import FileChange

    changes: list[FileChange] = []
    accepted: list[str] = []
    rejected: list[str] = []
    for file in review.files:
        others: dict[str, str] = {}
        for hunk in file.hunks:
            text = text_of(decided, hunk.id)
            mine = [yes for piece, yes in decided if piece.hunk_id == hunk.id]
            if hunk.whole and text in (hunk.new, hunk.old):
                (accepted if all(mine) else rejected).append(hunk.id)
            elif text in (hunk.new, hunk.old):
                (accepted if text == hunk.new else rejected).append(hunk.id)
            else:
                rejected.append(hunk.id)
                others[hunk.id] = text
        if not others:
            continue
        if file.kind == "create":
            changes.append(FileChange(file.path, "create", None, next(iter(others.values()))))
            continue
        # All of the file at once: what was accepted as it is, and what became something else.
        before = after = file.current or ""
        for hunk in sorted(file.hunks, key=lambda h: (h.start, h.end), reverse=True):
            if hunk.id in accepted:
                accepted.remove(hunk.id)
                rejected.append(hunk.id)
            after = after[: hunk.start] + text_of(decided, hunk.id) + after[hunk.end :]
        changes.append(FileChange(file.path, "modify", before, after))
    if accepted:
        await reviews.decide(review.id, accepted, "accept")
    if rejected:
        await reviews.decide(review.id, rejected, "reject")
    if changes:
        own = await reviews.open(changes, review.title, review.origin)
        await reviews.decide(own.id, [h.id for f in own.files for h in f.hunks], "accept")


# ---------------------------------------------------------------- the screen


def ask(console: Console, review: Review, left: Sequence[Piece], root: Path) -> str:
    """Shows the first of what is left, and asks."""
    show(console, review, left, root, 0)
    return console.input("[bold blue]Accept this hunk \\[y,n,a,d,s,e,q,?]?[/] ")


def show(console: Console, review: Review, left: Sequence[Piece], root: Path, total: int) -> None:
    """The first of `left` in colours, with the lines around it dimmed."""
    from rich.text import Text

    piece = left[0]
    file = next(f for f in review.files if f.path == piece.path)
    hunk = review.hunk(piece.hunk_id)
    name = Path(piece.path).relative_to(root) if Path(piece.path).is_relative_to(root) else piece.path
    count = f"({total - len(left) + 1}/{total})" if total else f"({len(left)} left)"
    console.print(Text.assemble("\n", (str(name), "bold"), f" {count} {hunk.description if hunk else ''}"))
    current = file.current or ""
    if hunk and not piece.whole:
        line = current.count("\n", 0, hunk.start) + 1
        console.print(Text(f"@@ line {line} @@", "cyan"))
        for text in (*current[: hunk.start].splitlines()[-2:], *piece.before.splitlines()[-2:])[-2:]:
            console.print(Text(f" {text}", "dim"))
    for text in piece.old.splitlines():
        console.print(Text(f"-{text}", "red"))
    for text in piece.new.splitlines():
        console.print(Text(f"+{text}", "green"))
    if hunk and not piece.whole:
        for text in (*piece.after.splitlines(), *current[hunk.end :].splitlines()[:2])[:2]:
            console.print(Text(f" {text}", "dim"))


def in_editor(text: str, suffix: str) -> str | None:
    """`text` as the person leaves it in $VISUAL or $EDITOR; None where it failed or changed nothing."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"LIDO_EDIT{suffix}"
        file.write_text(text, "utf-8", newline="")
        try:
            done = subprocess.run([*editor, str(file)], check=False)
        except OSError:
            return None
        after = file.read_bytes().decode("utf-8", "replace")
    return after if done.returncode == 0 and after != text else None


def edited(piece: Piece) -> str | None:
    """The new lines of a piece, edited."""
    return in_editor(piece.new, Path(piece.path).suffix)


STEPS = """
# One step a line: its files, a colon, what is to be done. Indented lines below are its reasons.
# Change, add, move or remove lines; with none left the plan ends.
"""


def write_steps(steps: Sequence[Step]) -> str:
    lines = []
    for step in steps:
        lines.append(f"{', '.join(step.files)}: {' '.join(step.title.split())}")
        lines += [f"    {line}" for line in step.detail.splitlines()]
    return "\n".join(lines) + "\n" + STEPS


def read_steps(text: str) -> list[Step]:
    """What `write_steps` wrote, as a person left it."""
    from lido.plan.run import Step

    found: list[Step] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and found:
            detail = f"{found[-1].detail}\n{line.strip()}".strip()
            found[-1] = replace(found[-1], detail=detail)
        elif match := re.match(r"\s*([^\s:][^:]*):\s+(.+)", line):
            found.append(Step(match[2].strip(), "", tuple(name.strip() for name in match[1].split(","))))
        else:
            found.append(Step(line.strip(" :")))
    return found


def go_over(console: Console, steps: Sequence[Step]) -> list[Step] | None:
    """The steps the person wants, None for none."""
    while True:
        match console.input("[bold blue]Go on with these steps \\[y,n,e]?[/] ").strip().lower()[:1]:
            case "y" | "":
                return list(steps)
            case "n" | "q":
                return None
            case "e":
                text = in_editor(write_steps(steps), ".txt")
                if text is not None:
                    return read_steps(text) or None
            case _:
                console.print("y - go on\nn - end here\ne - edit the steps first")
