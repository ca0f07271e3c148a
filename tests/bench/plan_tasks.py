"""Small tasks for the planner, each a few lines of Python and the tests that decide. Written for this
purpose, so that no model has seen them; kept small because a processor's model has to read them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    name: str
    instruction: str
    files: dict[str, str]
    tests: str
    """The text of test_task.py, unittest."""


def task(name: str, instruction: str, tests: str, **files: str) -> Task:
    """`files` by stem; `tests` are the lines of one test method each, given as ``name: statement``."""
    modules = "".join(f"from {stem} import *\n" for stem in files)
    methods = ""
    for number, line in enumerate(tests.strip().splitlines()):
        methods += f"    def test_{number}(self):\n        {line.strip()}\n\n"
    text = f"import unittest\n{modules}\n\nclass T(unittest.TestCase):\n{methods}"
    return Task(name, instruction, {f"{stem}.py": code.lstrip("\n") for stem, code in files.items()}, text)


FIX = "Fix the defect that makes the tests fail."

TASKS = (
    task(
        "off_by_one",
        FIX,
        "self.assertEqual(countdown(3), [3, 2, 1, 0])\nself.assertEqual(countdown(0), [0])",
        timers='''
def countdown(start):
    """From start down to and with 0."""
    return list(range(start, 0, -1))
''',
    ),
    task(
        "wrong_operator",
        FIX,
        "self.assertTrue(fits(3, 4, 12))\nself.assertFalse(fits(4, 4, 12))",
        boxes='''
def fits(width, height, area):
    """Whether a sheet of width times height needs no more than the area."""
    return width + height <= area
''',
    ),
    task(
        "mutable_default",
        FIX,
        "self.assertEqual((collect(1), collect(2)), ([1], [2]))",
        bag='''
def collect(item, into=[]):
    """Appends to the list, by default a new one."""
    into.append(item)
    return into
''',
    ),
    task(
        "missing_return",
        FIX,
        "self.assertEqual(grade(95), 'A')\n"
        "self.assertEqual(grade(80), 'B')\n"
        "self.assertEqual(grade(10), 'C')",
        marks='''
def grade(points):
    """A from 90, B from 75, else C."""
    if points >= 90:
        return "A"
    if points >= 75:
        "B"
    return "C"
''',
    ),
    task(
        "empty_input",
        "mean() must return 0.0 for an empty list instead of raising.",
        "self.assertEqual(mean([]), 0.0)\nself.assertEqual(mean([1, 2, 6]), 3.0)",
        stats="""
def mean(values):
    return sum(values) / len(values)


def span(values):
    return max(values) - min(values)
""",
    ),
    task(
        "swapped_arguments",
        FIX,
        "self.assertEqual(full_name('Ada', 'Lovelace'), 'Lovelace, Ada')\n"
        "self.assertEqual(badge('Ada', 'Lovelace'), '[Lovelace, Ada]')",
        people='''
def full_name(first, last):
    """Last name first, with a comma."""
    return f"{first}, {last}"


def badge(first, last):
    return "[" + full_name(first, last) + "]"
''',
    ),
    task(
        "case_insensitive",
        "Make count_word() ignore upper and lower case.",
        "self.assertEqual(count_word('The cat the', 'the'), 2)\nself.assertEqual(count_word('A a', 'A'), 2)",
        texts='''
def count_word(text, word):
    """How often the word occurs."""
    return text.split().count(word)
''',
    ),
    task(
        "add_parameter",
        "Add an optional parameter currency to price_label(), default 'EUR', shown after the amount.",
        "self.assertEqual(price_label(5), '5.00 EUR')\n"
        "self.assertEqual(price_label(5, currency='USD'), '5.00 USD')",
        labels="""
def price_label(amount):
    return f"{amount:.2f} EUR"
""",
    ),
    task(
        "add_method",
        "Add a method remove(name) to Shelf. It takes the book out and returns True, or returns False where there is none.",
        "s = Shelf(); s.put('x'); self.assertTrue(s.remove('x')); self.assertEqual(s.books, [])\n"
        "self.assertFalse(Shelf().remove('y'))",
        shelf="""
class Shelf:
    def __init__(self):
        self.books = []

    def put(self, name):
        self.books.append(name)

    def __len__(self):
        return len(self.books)
""",
    ),
    task(
        "two_methods",
        "Write the bodies of push() and pop(). pop() returns None where the stack is empty.",
        "s = Stack(); s.push(1); s.push(2); self.assertEqual((s.pop(), s.pop(), s.pop()), (2, 1, None))",
        stack="""
class Stack:
    def __init__(self):
        self._items = []

    def push(self, item):
        raise NotImplementedError

    def pop(self):
        raise NotImplementedError
""",
    ),
    task(
        "raise_error",
        "withdraw() must raise ValueError where the amount is more than the balance.",
        "a = Account(10); self.assertRaises(ValueError, a.withdraw, 11)\n"
        "a = Account(10); a.withdraw(4); self.assertEqual(a.balance, 6)",
        account="""
class Account:
    def __init__(self, balance=0):
        self.balance = balance

    def deposit(self, amount):
        self.balance += amount

    def withdraw(self, amount):
        self.balance -= amount
""",
    ),
    task(
        "write_function",
        "Write is_palindrome(text): letters and digits only, upper and lower case alike.",
        "self.assertTrue(is_palindrome('A man, a plan, a canal: Panama'))\n"
        "self.assertFalse(is_palindrome('ab'))\n"
        "self.assertTrue(is_palindrome(''))",
        palindromes="""
def is_palindrome(text):
    raise NotImplementedError
""",
    ),
    task(
        "write_parser",
        "Write parse_duration(text): '1h30m' is 5400 seconds, '45s' is 45, '2m' is 120.",
        "self.assertEqual(parse_duration('1h30m'), 5400)\n"
        "self.assertEqual(parse_duration('45s'), 45)\n"
        "self.assertEqual(parse_duration('2m'), 120)",
        durations='''
def parse_duration(text):
    """Seconds."""
    raise NotImplementedError
''',
    ),
    task(
        "chunks",
        FIX,
        "self.assertEqual(chunks([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]])\n"
        "self.assertEqual(chunks([], 3), [])",
        pieces='''
def chunks(items, size):
    """Lists of at most size items."""
    return [items[i : i + size] for i in range(0, len(items) - size, size)]
''',
    ),
    task(
        "leap_year",
        FIX,
        "self.assertFalse(is_leap(1900))\n"
        "self.assertTrue(is_leap(2000))\n"
        "self.assertTrue(is_leap(2024))\n"
        "self.assertFalse(is_leap(2023))",
        calendar_rules='''
def is_leap(year):
    """By the Gregorian calendar."""
    return year % 4 == 0
''',
    ),
    task(
        "dedupe_in_order",
        FIX,
        "self.assertEqual(unique([3, 1, 3, 2, 1]), [3, 1, 2])",
        uniques='''
def unique(items):
    """Each item once, in the order of its first occurrence."""
    return sorted(set(items))
''',
    ),
    task(
        "string_number",
        FIX,
        "self.assertEqual(total('3, 4,5'), 12)\nself.assertEqual(total(''), 0)",
        sums='''
def total(text):
    """The sum of the numbers between commas; 0 for an empty text."""
    return sum(part for part in text.split(","))
''',
    ),
    task(
        "two_files",
        "The discount of a member is 10 percent. Fix what makes the tests fail.",
        "self.assertEqual(discount(True), 0.1)\n"
        "self.assertEqual(pay(200, True), 180)\n"
        "self.assertEqual(pay(200, False), 200)",
        rates="""
def discount(member):
    return 0.01 if member else 0
""",
        checkout="""
from rates import discount


def pay(amount, member):
    return amount - amount * discount(member)
""",
    ),
    task(
        "rename_across_files",
        "Rename the function area to rectangle_area everywhere.",
        "self.assertEqual(rectangle_area(2, 3), 6)\n"
        "self.assertEqual(tiles(4, 4, 2), 8)\n"
        "self.assertNotIn('area', globals())",
        shapes="""
def area(width, height):
    return width * height
""",
        floor="""
from shapes import area


def tiles(width, height, tile):
    return area(width, height) // tile
""",
    ),
    task(
        "use_helper",
        "greet() must use clean() on the name before greeting.",
        "self.assertEqual(greet('  ada '), 'Hello, Ada!')",
        names="""
def clean(name):
    return name.strip().title()
""",
        greeting="""
def greet(name):
    return f"Hello, {name}!"
""",
    ),
    task(
        "sort_key",
        FIX,
        "self.assertEqual(by_age([('a', 30), ('b', 4)]), [('b', 4), ('a', 30)])",
        ages='''
def by_age(people):
    """(name, age) pairs, the youngest first."""
    return sorted(people)
''',
    ),
    task(
        "boundary",
        FIX,
        "self.assertEqual(clamp(5, 1, 3), 3)\n"
        "self.assertEqual(clamp(0, 1, 3), 1)\n"
        "self.assertEqual(clamp(2, 1, 3), 2)",
        limits='''
def clamp(value, low, high):
    """The value, not below low and not above high."""
    return min(low, max(value, high))
''',
    ),
    task(
        "nested_dict",
        "Write deep_get(data, path): follow the keys in path, separated by dots; None where one is missing.",
        "self.assertEqual(deep_get({'a': {'b': 1}}, 'a.b'), 1)\n"
        "self.assertIsNone(deep_get({'a': {}}, 'a.b.c'))\n"
        "self.assertEqual(deep_get({'x': 2}, 'x'), 2)",
        nested="""
def deep_get(data, path):
    raise NotImplementedError
""",
    ),
    task(
        "property",
        "Add a read-only property full to Tank that says whether level has reached capacity.",
        "t = Tank(2); self.assertFalse(t.full); t.fill(2); self.assertTrue(t.full)",
        tank="""
class Tank:
    def __init__(self, capacity):
        self.capacity = capacity
        self.level = 0

    def fill(self, amount):
        self.level = min(self.capacity, self.level + amount)
""",
    ),
    task(
        "roman",
        "Write to_roman(number) for 1 to 3999.",
        "self.assertEqual(to_roman(4), 'IV')\n"
        "self.assertEqual(to_roman(1994), 'MCMXCIV')\n"
        "self.assertEqual(to_roman(3), 'III')",
        roman="""
def to_roman(number):
    raise NotImplementedError
""",
    ),
    task(
        "average_column",
        FIX,
        "self.assertEqual(column_mean([{'v': '1'}, {'v': '3'}], 'v'), 2.0)\n"
        "self.assertEqual(column_mean([{'v': '1'}, {}], 'v'), 1.0)",
        table='''
def column_mean(rows, column):
    """The mean of a column of number texts; rows without it do not count."""
    values = [row[column] for row in rows]
    return sum(values) / len(values)
''',
    ),
)
