"""Sixty small edits with a known result, to ask of a model: (path, text, [(instruction, old, new), …]).

`old` occurs once in the text; the expected result has `new` in its place.
"""

from __future__ import annotations

from typing import NamedTuple


class Task(NamedTuple):
    id: str
    path: str
    before: str
    instruction: str
    expected: str


_FILES: list[tuple[str, str, list[tuple[str, str, str]]]] = [
    (
        "cart.py",
        '''class Cart:
    """Items a customer wants to buy."""

    def __init__(self, currency="EUR"):
        self.currency = currency
        self.items = []

    def add(self, name, price, quantity=1):
        self.items.append((name, price, quantity))

    def total(self):
        result = 0
        for name, price, quantity in self.items:
            result += price + quantity
        return result

    def clear(self):
        self.items = []
''',
        [
            ("The total is wrong: price must be multiplied by quantity.", "price + quantity", "price * quantity"),
            ("Make the default currency USD.", 'currency="EUR"', 'currency="USD"'),
            ("Make add() return self, after appending.", "(name, price, quantity))\n", "(name, price, quantity))\n        return self\n"),
            ("In clear(), empty the list in place with self.items.clear() instead of assigning a new list.", "    def clear(self):\n        self.items = []", "    def clear(self):\n        self.items.clear()"),
            ("Start the total at 0.0 instead of 0.", "result = 0\n", "result = 0.0\n"),
        ],
    ),
    (
        "retry.py",
        '''import time


def retry(call, attempts=3, delay=1.0):
    """Call until it succeeds."""
    for attempt in range(attempts):
        try:
            return call()
        except Exception:
            if attempt == attempts - 1:
                raise
            time.sleep(delay)


def once(call):
    return retry(call, attempts=1)
''',
        [
            ("Make the default number of attempts 5.", "attempts=3", "attempts=5"),
            ("Catch only OSError instead of Exception.", "except Exception:", "except OSError:"),
            ("Double the delay after each sleep, by adding the line delay *= 2 after the sleep.", "time.sleep(delay)\n", "time.sleep(delay)\n            delay *= 2\n"),
            ("Change the docstring of retry to: Call until it succeeds, at most attempts times.", "Call until it succeeds.", "Call until it succeeds, at most attempts times."),
            ("Rename the function once to single.", "def once(call)", "def single(call)"),
        ],
    ),
    (
        "queue.js",
        """class Queue {
  constructor(limit = 100) {
    this.limit = limit;
    this.items = [];
  }

  push(item) {
    if (this.items.length > this.limit) {
      throw new Error("queue is full");
    }
    this.items.push(item);
  }

  pop() {
    return this.items.pop();
  }

  get size() {
    return this.items.length;
  }
}

module.exports = { Queue };
""",
        [
            ("The limit check lets one item too many in: use >= instead of >.", "length > this.limit", "length >= this.limit"),
            ("pop() must return the oldest item: use shift() on the array.", "return this.items.pop();", "return this.items.shift();"),
            ("Make the default limit 1000.", "limit = 100)", "limit = 1000)"),
            ("Change the error message to: the queue is full", '"queue is full"', '"the queue is full"'),
            ("Rename the getter size to length.", "get size()", "get length()"),
        ],
    ),
    (
        "server.go",
        """package server

import (
	"fmt"
	"net/http"
	"time"
)

const timeout = 10 * time.Second

func Start(port int) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/health", health)
	server := &http.Server{
		Addr:        fmt.Sprintf(":%d", port),
		Handler:     mux,
		ReadTimeout: timeout,
	}
	return server.ListenAndServe()
}

func health(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	fmt.Fprintln(w, "ok")
}
""",
        [
            ("Make the timeout 30 seconds.", "10 * time.Second", "30 * time.Second"),
            ('Listen on localhost only: the address format must be "localhost:%d".', '":%d"', '"localhost:%d"'),
            ("Serve the health check at /healthz.", '"/health"', '"/healthz"'),
            ('Write "healthy" instead of "ok" in the health handler.', '"ok"', '"healthy"'),
            ("Also set WriteTimeout: timeout, on its own line after ReadTimeout.", "		ReadTimeout: timeout,\n", "		ReadTimeout: timeout,\n		WriteTimeout: timeout,\n"),
        ],
    ),
    (
        "text.py",
        '''def words(text):
    return text.split(" ")


def count(text):
    seen = {}
    for word in words(text):
        seen[word] = seen.get(word, 0) + 1
    return seen


def longest(text):
    best = ""
    for word in words(text):
        if len(word) > len(best):
            best = word
    return best


def capitalise(text):
    return " ".join(word.capitalize() for word in words(text))
''',
        [
            ('In words(), split at any white space: call split() without an argument.', 'text.split(" ")', "text.split()"),
            ("In count(), compare words in lower case: iterate over words(text.lower()).", "    seen = {}\n    for word in words(text):", "    seen = {}\n    for word in words(text.lower()):"),
            ("In longest(), prefer the last of equally long words: use >=.", "len(word) > len(best)", "len(word) >= len(best)"),
            ('Join with a single dash instead of a space in capitalise().', '" ".join', '"-".join'),
            ("Rename the function longest to longest_word.", "def longest(text)", "def longest_word(text)"),
        ],
    ),
    (
        "stack.rs",
        """pub struct Stack<T> {
    items: Vec<T>,
}

impl<T> Stack<T> {
    pub fn new() -> Self {
        Stack { items: Vec::new() }
    }

    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    pub fn pop(&mut self) -> Option<T> {
        self.items.pop()
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }
}
""",
        [
            ("Create the vector with a capacity of 16: Vec::with_capacity(16).", "Vec::new()", "Vec::with_capacity(16)"),
            ("Make the items field public.", "    items: Vec<T>,", "    pub items: Vec<T>,"),
            ("Rename the method len to size.", "pub fn len(&self)", "pub fn size(&self)"),
            ("Make push return the new length as usize.", "item: T) {\n        self.items.push(item);\n", "item: T) -> usize {\n        self.items.push(item);\n        self.items.len()\n"),
            ("Derive Debug for the struct.", "pub struct", "#[derive(Debug)]\npub struct"),
        ],
    ),
    (
        "config.py",
        '''import json
import os

DEFAULTS = {"host": "localhost", "port": 8080, "debug": False}


def load(path):
    with open(path) as file:
        data = json.load(file)
    return {**DEFAULTS, **data}


def from_environment():
    return {
        "host": os.environ.get("HOST", DEFAULTS["host"]),
        "port": os.environ.get("PORT", DEFAULTS["port"]),
    }
''',
        [
            ("The port from the environment must be an integer: wrap it in int().", 'os.environ.get("PORT", DEFAULTS["port"])', 'int(os.environ.get("PORT", DEFAULTS["port"]))'),
            ("Make the default port 9000.", '"port": 8080', '"port": 9000'),
            ("Open the file with encoding utf-8.", "open(path)", 'open(path, encoding="utf-8")'),
            ("Switch debug on by default.", '"debug": False', '"debug": True'),
            ('Read the host from the variable APP_HOST.', 'get("HOST"', 'get("APP_HOST"'),
        ],
    ),
    (
        "user.ts",
        """export interface User {
  id: number;
  name: string;
  email?: string;
}

export function greeting(user: User): string {
  return "Hello, " + user.name;
}

export function sortByName(users: User[]): User[] {
  return users.sort((a, b) => a.name.localeCompare(b.name));
}

export function find(users: User[], id: number): User | undefined {
  return users.find((user) => user.id == id);
}
""",
        [
            ("Use strict equality (===) in find.", "user.id == id", "user.id === id"),
            ("Make email a required field.", "email?: string", "email: string"),
            ("sortByName must not change its argument: sort a copy made with [...users].", "return users.sort(", "return [...users].sort("),
            ("End the greeting with an exclamation mark.", '"Hello, " + user.name', '"Hello, " + user.name + "!"'),
            ("Change the type of id in the User interface to string.", "  id: number;", "  id: string;"),
        ],
    ),
    (
        "geometry.py",
        '''import math


class Circle:
    def __init__(self, radius):
        self.radius = radius

    def area(self):
        return math.pi * self.radius

    def circumference(self):
        return 2 * math.pi * self.radius


class Square:
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side * self.side

    def perimeter(self):
        return 3 * self.side
''',
        [
            ("The circle's area is wrong: square the radius with ** 2.", "return math.pi * self.radius\n", "return math.pi * self.radius ** 2\n"),
            ("The square's perimeter must be 4 times its side.", "3 * self.side", "4 * self.side"),
            ("Give Square's side a default of 1.", "def __init__(self, side):", "def __init__(self, side=1):"),
            ('Add the docstring """A square.""" to Square, as the first line of the class body.', "class Square:\n", 'class Square:\n    """A square."""\n'),
            ("Return the square's area as self.side ** 2.", "self.side * self.side", "self.side ** 2"),
        ],
    ),
    (
        "log.sh",
        """#!/bin/sh
set -e

directory=/var/log/app
days=7

clean() {
  find "$directory" -name '*.log' -mtime +"$days" -delete
}

archive() {
  tar czf /tmp/logs.tar.gz "$directory"
}

archive
clean
""",
        [
            ("Keep logs for 30 days.", "days=7", "days=30"),
            ("Also stop on unset variables: set -eu.", "set -e\n", "set -eu\n"),
            ("Write the archive to /backup/logs.tar.gz.", "/tmp/logs.tar.gz", "/backup/logs.tar.gz"),
            ("The logs are in /srv/log/app now.", "directory=/var/log/app", "directory=/srv/log/app"),
            ("Look for *.txt files instead of *.log files.", "'*.log'", "'*.txt'"),
        ],
    ),
    (
        "page.html",
        """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Shop</title>
  </head>
  <body>
    <h1>Welcome</h1>
    <ul class="list">
      <li>Apples</li>
      <li>Pears</li>
    </ul>
    <a href="/contact">Contact</a>
  </body>
</html>
""",
        [
            ("Change the title to Fruit shop.", "<title>Shop</title>", "<title>Fruit shop</title>"),
            ("Add a list item Plums after Pears.", "      <li>Pears</li>\n", "      <li>Pears</li>\n      <li>Plums</li>\n"),
            ("Link to /about instead of /contact.", '"/contact"', '"/about"'),
            ("Give the list the class fruit.", 'class="list"', 'class="fruit"'),
            ("The page is in German: set lang to de.", 'lang="en"', 'lang="de"'),
        ],
    ),
    (
        "bank.py",
        '''class InsufficientFunds(Exception):
    pass


class Account:
    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance

    def deposit(self, amount):
        if amount < 0:
            raise ValueError("amount must be positive")
        self.balance += amount

    def withdraw(self, amount):
        if amount > self.balance:
            raise InsufficientFunds()
        self.balance -= amount

    def __repr__(self):
        return "Account(%s, %s)" % (self.owner, self.balance)
''',
        [
            ("deposit() must refuse zero as well: use <= 0.", "amount < 0", "amount <= 0"),
            ("Pass the message \"not enough money\" to InsufficientFunds when raising it.", "raise InsufficientFunds()", 'raise InsufficientFunds("not enough money")'),
            ("Make withdraw() return the new balance.", "self.balance -= amount\n", "self.balance -= amount\n        return self.balance\n"),
            ("Use an f-string in __repr__.", '"Account(%s, %s)" % (self.owner, self.balance)', 'f"Account({self.owner}, {self.balance})"'),
            ("Make InsufficientFunds derive from ValueError.", "InsufficientFunds(Exception)", "InsufficientFunds(ValueError)"),
        ],
    ),
]  # fmt: skip


def _tasks() -> list[Task]:
    tasks: list[Task] = []
    for path, before, edits in _FILES:
        for n, (instruction, old, new) in enumerate(edits):
            assert before.count(old) == 1, (path, old)
            tasks.append(Task(f"{path}/{n}", path, before, instruction, before.replace(old, new)))
    return tasks


TASKS = _tasks()
