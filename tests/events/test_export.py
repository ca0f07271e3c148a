"""The log as training data: shapes, what is left out, and that nothing secret gets in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lido.cli.app import app
from lido.events import export
from lido.events.attribution import Context, Tracker
from lido.events.store import EventLog
from lido.settings import Home
from lido.workspace.documents import Documents

SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


class Desk:
    """One person, one document; each suggestion at its end is judged by `accept`."""

    def __init__(self, *, store_text: bool = True, project: str = "shop") -> None:
        self.log = EventLog(Home().events)
        self.documents = Documents()
        self.tracker = Tracker(
            self.log, Context(project=project), store_text=store_text, read=self.documents.get
        )

    def judge(self, before: str, text: str, accept: bool) -> None:
        self.documents.open("file:///a.py", "python", 0, before + "\n# after\n")
        identifier = self.tracker.requested("completion", "python")
        self.tracker.answered(identifier, text, uri="file:///a.py", start=len(before))
        self.tracker.shown(identifier)
        if accept:
            self.tracker.accepted(identifier)
        else:
            self.tracker.rejected(identifier, "escape")

    def close(self) -> None:
        self.tracker.close()
        self.log.close()


def run(*arguments: str) -> tuple[int, list[dict[str, object]], str]:
    result = CliRunner().invoke(app, ["export", "preferences", *arguments])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def test_accepted_against_rejected_at_the_same_place() -> None:
    desk = Desk()
    desk.judge("x = ", "wrong()", accept=False)
    desk.judge("x = ", "right()", accept=True)
    desk.judge("y = ", "alone()", accept=True)
    desk.close()
    code, rows, _ = run()
    assert code == 0
    assert rows == [{"prompt": "x = ", "chosen": "right()", "rejected": "wrong()"}]
    _, rows, _ = run("--format", "trl-kto")
    assert {(row["completion"], row["label"]) for row in rows} == {
        ("wrong()", False),
        ("right()", True),
        ("alone()", True),
    }
    assert all(set(row) == {"prompt", "completion", "label"} for row in rows)
    _, rows, _ = run("--format", "sft", "--template", "<P>{prefix}<S>{suffix}<M>")
    assert {"prompt": "<P>x = <S>\n# after\n<M>", "completion": "right()"} in rows
    assert all(set(row) == {"prompt", "completion"} for row in rows)


def test_each_is_said_once_and_the_later_judgement_counts() -> None:
    desk = Desk()
    for accept in (True, True, False):
        desk.judge("x = ", "f()", accept)
    desk.close()
    _, rows, _ = run("--format", "trl-kto")
    assert rows == [{"prompt": "x = ", "completion": "f()", "label": False}]


def test_secrets_are_scrubbed_everywhere() -> None:
    desk = Desk()
    desk.judge(f'token = "{SECRET}"\nx = ', f'"{SECRET}"', accept=True)
    desk.judge(f'key = "{SECRET[:20]}', f'{SECRET[20:]}"', accept=True)  # half of it typed, half suggested
    desk.close()
    code, rows, _ = run("--format", "sft")
    assert code == 0
    assert len(rows) == 1
    assert SECRET not in json.dumps(rows)


def test_without_stored_texts_it_says_so_and_nothing_is_in_the_log() -> None:
    desk = Desk(store_text=False)
    desk.judge("the code before = ", "f(secret)", accept=True)
    desk.close()
    code, rows, said = run()
    assert (code, rows) == (1, [])
    assert "store_text" in said
    for file in Home().root.glob("events.sqlite3*"):
        assert b"the code before" not in file.read_bytes()
        assert b"f(secret)" not in file.read_bytes()


def test_a_project_is_in_one_part_only(tmp_path: Path) -> None:
    for number in range(20):
        desk = Desk(project=f"p{number}")
        desk.judge(f"x{number} = ", "a()", accept=True)
        desk.judge(f"z{number} = ", "b()", accept=True)
        desk.close()
    code, _, _ = run("--format", "sft", "--split", "0.4", "--output", str(tmp_path))
    assert code == 0
    parts = [
        {str(json.loads(line)["prompt"])[1:] for line in (tmp_path / name).read_text().splitlines()}
        for name in ("train.jsonl", "test.jsonl")
    ]
    assert parts[0]
    assert parts[1]
    assert not parts[0] & parts[1]
    assert len(parts[0] | parts[1]) == 20


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_nothing_can_be_held_out(share: float) -> None:
    assert export.held_out("p", share) is (share == 1.0)
