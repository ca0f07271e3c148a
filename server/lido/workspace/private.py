"""Modes of new files: what Lido keeps for itself is the person's alone, what it makes in their folders is as
they set their umask. A process of Lido's own takes the umask 077: nothing it writes is open by mistake."""

from __future__ import annotations

import os

_persons: int | None = None


def keep() -> None:
    """Makes everything private that this process and its children write from now on. Once, at the start."""
    global _persons
    if os.name == "posix" and _persons is None:
        _persons = os.umask(0o077)


def persons_mode(asked: int) -> int | None:
    """The mode of a new file (0o666) or folder (0o777) of the person's; None where the process's own umask is
    still theirs."""
    return None if _persons is None else asked & ~_persons
