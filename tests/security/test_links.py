"""Links in a question: whoever wrote the document, nothing is fetched and nothing outside is read or named."""

from __future__ import annotations

from pathlib import Path

import pytest

from lido.chat import notebook
from lido.settings import PrivacySettings
from lido.workspace.attachments import Attachments
from lido.workspace.privacy import Privacy

CANARY = "canary-4c1f"


@pytest.mark.parametrize(
    "target",
    [
        "../outside/note-canary-4c1f.txt",
        "../outside/note-canary-4c1f.txt#L1-L1",
        "../outside/",
        "..%2Foutside%2Fnote-canary-4c1f.txt",
        "link.txt",
        "linked/",
        "{outside}/note-canary-4c1f.txt",
        "//{outside}/note-canary-4c1f.txt",
        "file://{outside}/note-canary-4c1f.txt",
        "http://127.0.0.1:9/note",
        "FTP://127.0.0.1/note",
    ],
)
async def test_no_link_brings_what_lies_outside(tmp_path: Path, target: str):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    note = outside / f"note-{CANARY}.txt"
    note.write_text(f"inside: {CANARY}\n")
    (root / "link.txt").symlink_to(note)
    (root / "linked").symlink_to(outside)
    (root / "mine.txt").write_text("mine\n")
    question = f"Read [this]({target.format(outside=outside)}) and [that](mine.txt)."
    attachments = Attachments([root], Privacy([root], PrivacySettings()).blocked)
    linked = notebook.attachments(question, root, root)

    if notebook.outside(linked, [root]):
        return  # refused as a whole, before anything is read

    found = await attachments.resolve(linked, question)
    read = "\n".join(f"{excerpt.title}\n{excerpt.text}" for excerpt in found.excerpts)
    assert "mine" in read
    assert CANARY not in read
