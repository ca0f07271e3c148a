import pytest

from lido.cli.plan import decide

HUNKS = [("a.py", "1"), ("a.py", "2"), ("b.py", "3"), ("b.py", "4")]


@pytest.mark.parametrize(
    ("keys", "accepted"),
    [
        ("ynyn", {"1", "3"}),
        ("ad", {"1", "2"}),
        ("dyn", {"3"}),
        ("yq", {"1"}),
        ("q", set()),
        ("?xyyyy", {"1", "2", "3", "4"}),
    ],
)
def test_keys_as_in_git_add_p(keys: str, accepted: set[str]):
    left = list(keys)
    told: list[str] = []
    decided = decide(HUNKS, lambda path, hunk: left.pop(0), told.append)
    assert [h for h, _ in decided] == ["1", "2", "3", "4"]
    assert {h for h, yes in decided if yes} == accepted
    assert left == []
    assert len(told) == keys.count("?") + keys.count("x")
