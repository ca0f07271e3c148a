"""What was edited lately, as people would say it: one edit for a word typed, not one for each key."""

from __future__ import annotations

from lido.workspace.documents import Documents
from lido.workspace.recent import Recent

URI = "file:///a.py"


def follow(text="a = 1\nb = 2\nc = 3\n"):
    documents, recent = Documents(), Recent()
    documents.listen(recent.changed)
    documents.on_close(recent.closed)
    documents.open(URI, "python", 0, text)
    return documents, recent


def type_(documents, offset, text, delete=0):
    document = documents.get(URI)
    for number, letter in enumerate(text):
        documents.replace(URI, document.version + 1, [(offset + number, offset + number, letter)])
    if delete:
        documents.replace(URI, document.version + 1, [(offset, offset + delete, "")])


def test_keystrokes_on_one_line_are_one_edit():
    documents, recent = follow()
    type_(documents, 1, "bcd")
    assert [(edit.before, edit.after) for edit in recent.edits()] == [("a = 1", "abcd = 1")]


def test_edits_elsewhere_are_apart_and_the_latest_is_first():
    documents, recent = follow()
    type_(documents, 1, "x")
    type_(documents, 14, "y")
    assert [edit.after for edit in recent.edits()] == ["cy = 3", "ax = 1"]


def test_what_came_back_to_what_it_was_is_no_edit():
    documents, recent = follow()
    type_(documents, 1, "x")
    type_(documents, 1, "", delete=1)
    assert recent.edits() == []


def test_new_lines_grow_the_edit():
    documents, recent = follow()
    type_(documents, 5, "\nz = 9")
    assert [(edit.before, edit.after) for edit in recent.edits()] == [("a = 1", "a = 1\nz = 9")]


def test_files_by_when_they_were_used():
    documents, recent = follow()
    documents.open("file:///b.py", "python", 0, "")
    documents.replace("file:///b.py", 1, [(0, 0, "x")])
    type_(documents, 0, "x")
    assert recent.used() == [URI, "file:///b.py"]
    documents.close(URI)
    assert recent.used() == ["file:///b.py"]
