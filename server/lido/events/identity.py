"""Who an event is from: a salted hash, so that people can be counted and not named."""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from lido.settings import EventSettings


def user(settings: EventSettings, home: Path) -> str:
    """The configured name, else a hash of the login name with a salt that never leaves this machine.

    Blocking. Without a home that can be written, the salt lasts as long as the process.
    """
    if settings.user:
        return settings.user
    salt_file = home / "salt"
    try:
        salt = salt_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        salt = ""
    if not salt:
        salt = secrets.token_hex(16)
        try:
            home.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(salt_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(salt)
        except OSError:
            with suppress(OSError):
                salt = salt_file.read_text(encoding="ascii").strip() or salt
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = "unknown"
    return hashlib.sha256(f"{salt}:{name}".encode()).hexdigest()[:16]
