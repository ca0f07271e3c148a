import ast
import math
from itertools import combinations
from pathlib import Path

import pytest

from lido.plan.removal import callers, mean_pass_at_k, pass_at_k, removals

PYTHON = '''\
import os


def total(prices: list[int], tax: float = 0.2) -> float:
    """The sum with tax."""
    net = sum(prices)
    return net * (1 + tax)


class Basket:
    def add(self, item):
        self.items.append(item)
        self.count += 1
        return self

    def __len__(self):
        return self.count


def twice():
    a = 1
    return a


class Other:
    def twice(self):
        b = 2
        return b
'''
GO = "package a\n\nfunc Add(a int, b int) int {\n\tc := a + b\n\treturn c\n}\n"
TS = "export class A {\n  add(a: number): number {\n    const b = a;\n    return b;\n  }\n}\n"


def found(root: Path, **files: str):
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text)
    return {r.name: r for r in removals(root, lambda _: None)}


def test_a_body_goes_and_its_signature_and_docstring_stay(tmp_path: Path):
    tasks = found(tmp_path, shop__py=PYTHON)
    assert set(tasks) == {"total", "add"}, "not what is trivial, nor what is not clear by its name"
    total = tasks["total"]
    assert total.whole == PYTHON
    assert '"""The sum with tax."""\n    raise NotImplementedError\n\n\nclass' in total.hidden
    assert "net" not in total.hidden
    ast.parse(total.hidden)
    ast.parse(tasks["add"].hidden)
    assert "def add(self, item):\n        raise NotImplementedError\n\n    def __len__" in tasks["add"].hidden
    assert "def total(prices: list[int], tax: float = 0.2) -> float:" in total.instruction()


def test_bodies_in_braces(tmp_path: Path):
    tasks = found(tmp_path, a__go=GO, b__ts=TS)
    assert 'int {\n    panic("not implemented")\n}\n' in tasks["Add"].hidden
    assert "c :=" not in tasks["Add"].hidden
    assert 'number {\n      throw new Error("not implemented");\n  }\n}' in tasks["add"].hidden


def test_tests_lose_nothing_and_callers_are_told(tmp_path: Path):
    tasks = found(tmp_path, shop__py=PYTHON, test_shop__py="def check():\n    x = total([1])\n    assert x\n")
    assert {t.path for t in tasks.values()} == {"shop.py"}
    assert callers(tmp_path, tasks["total"], lambda _: None) == "test_shop.py:2: x = total([1])"


@pytest.mark.parametrize(("samples", "passed"), [(5, 0), (5, 2), (5, 5), (1, 1), (4, 1)])
def test_pass_at_k_is_the_share_of_draws_with_a_pass(samples: int, passed: int):
    outcomes = [True] * passed + [False] * (samples - passed)
    for k in range(1, samples + 1):
        draws = list(combinations(outcomes, k))
        assert math.isclose(pass_at_k(samples, passed, k), sum(map(any, draws)) / len(draws))


def test_the_mean_is_over_tasks():
    assert mean_pass_at_k([(2, 2), (2, 0)], 1) == 0.5
    assert mean_pass_at_k([(1, 1)], 2) is None
    with pytest.raises(ValueError, match="pass@3"):
        pass_at_k(2, 1, 3)
