import pytest

from lido.plan.rounds import OUTPUT, failures, summary, telling
from lido.plan.sandbox import Result

UNITTEST = """\
======================================================================
FAIL: test_0 (test_task.T.test_0)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "test_task.py", line 7, in test_0
    self.assertEqual(countdown(3), [3, 2])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
AssertionError: [3] != [3, 2]

----------------------------------------------------------------------
Ran 2 tests in 0.001s

FAILED (failures=1)
"""
PYTEST = """\
    def test_a():
>       assert double(2) == 4
E       assert 3 == 4
a.py:2: AssertionError
FAILED a.py::test_a - assert 3 == 4
FAILED a.py::test_b - assert 3 == 5
2 failed in 0.1s
"""
GO = "--- FAIL: TestDouble (0.00s)\n    a_test.go:8: got 3, want 4\nFAIL\nexit status 1\n"


def test_what_is_wrong_is_kept_and_the_rest_is_not():
    assert telling(UNITTEST) == "self.assertEqual(countdown(3), [3, 2])\nAssertionError: [3] != [3, 2]"
    assert "assert double(2) == 4" in telling(PYTEST)
    assert "got 3, want 4" in telling(GO)
    assert telling("boom\nlast words\n") == "boom\nlast words"
    assert len(telling("error in line\n" * 500 + "".join(f"error {i}\n" for i in range(500)))) <= OUTPUT


@pytest.mark.parametrize(("output", "count"), [(PYTEST, 2), ("syntax trouble", 10_000)])
def test_failures_are_counted(output: str, count: int):
    assert failures(Result(1, output, 0.1)) == count
    assert failures(Result(0, output, 0.1)) == 0


def test_a_run_in_a_few_words():
    assert summary(Result(1, UNITTEST, 0.1)) == "failed (FAILED (failures=1))"
    assert summary(Result(None, "", 9.0, timed_out=True)) == "stopped after its time limit"
    assert summary(None) == "not run"
