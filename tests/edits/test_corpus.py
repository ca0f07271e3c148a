"""The corpus table's promise: nothing is applied wrongly, and what was applied once stays applied."""

from __future__ import annotations

import gzip
import json

import pytest

from edits import corpus, outputs
from lido.edits.formats import parse


def test_nothing_of_the_corpus_is_applied_wrongly() -> None:
    data = corpus.folder()
    if data is None:
        pytest.skip("the evaluation data is not beside this checkout")
    results = corpus.judge_all(data)
    assert [r.row.id for r in results if r.outcome == "wrong"] == []
    due = [r for r in results if r.outcome in ("correct", "refused")]
    assert sum(r.outcome == "correct" for r in due) >= 0.98 * len(due)


def test_unresolved_chats_are_read_without_a_fault() -> None:
    data = corpus.folder()
    if data is None:
        pytest.skip("the evaluation data is not beside this checkout")
    with gzip.open(data / "aider_real_chat_unresolved.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if row["reference_parse"]:
                assert parse(row["model_output"]).edits or parse(row["model_output"]).problems


def test_what_the_embedded_models_wrote_is_applied_as_it_was_read() -> None:
    """Every result is the expected edit, or refused, or was read and found to be what the model wrote."""
    results = list(outputs.judged())
    assert len({r.row["task"] for r in results}) >= 60
    assert outputs.unread(results) == []
    assert outputs.disagreeing(results) == []
