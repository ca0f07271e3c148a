"""What simulated people did, of whom it is known, against what the log says they did."""

from __future__ import annotations

import pytest

from events import simulated


@pytest.mark.parametrize("editor", simulated.EDITORS)
def test_outcomes_are_those_of_the_people(editor: str) -> None:
    explicit = editor in simulated.EXPLICIT
    least = 0.99 if explicit else 0.97
    found = simulated.scores(editor, range(8))
    every = found["all"]
    assert every.true > 500
    assert every.precision >= least, found
    assert every.recall >= least, found
    accepted = found["accepted"]
    assert accepted.precision >= least, found
    assert accepted.recall >= least, found


@pytest.mark.parametrize("editor", simulated.EDITORS)
def test_what_was_accepted_in_part_is_measured(editor: str) -> None:
    session = simulated.run(editor, 3)
    told = {
        event.suggestion_id: event.accepted_characters
        for event in session.log.events
        if event.kind == "partially_accepted"
    }
    true = {name: length for name, (kind, length) in session.truth.items() if kind == "partially_accepted"}
    both = true.keys() & told.keys()
    assert len(both) >= 0.9 * len(true)
    assert sum(told[name] == true[name] for name in both) >= 0.9 * len(both)
