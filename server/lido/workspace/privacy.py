"""The one gate to the outside: which files may be read, sent or edited, and which strings never leave.

Ignored files (``.gitignore``, ``.lidoignore``, the ``privacy.ignore`` setting), files that hold secrets by
their name, and strings that look like secrets.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lido.settings import PrivacySettings

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

SECRET_FILES = (
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.asc",
    "*.ovpn",
    ".env",
    ".env.*",
    "!.env.example",
    "!.env.sample",
    "!.env.template",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".htpasswd",
    ".git-credentials",
    "credentials",
    "credentials.json",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    "*.tfstate",
    "*.tfvars",
    ".aws/",
    ".ssh/",
    ".gnupg/",
    ".git/",
)

# Well-known shapes, as their issuers publish them. The named group "secret" is what must not pass.
_SECRETS = re.compile(
    "|".join(
        (
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]{0,20000}?"
            r"(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
            r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b",
            r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b",
            r"\bgithub_pat_[A-Za-z0-9_]{60,255}\b",
            r"\bglpat-[A-Za-z0-9_\-]{20,64}",
            r"\bxox[abeoprs]-[A-Za-z0-9\-]{10,250}",
            r"\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9_\-]{20,200}",
            r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,200}\b",
            r"\bAIza[A-Za-z0-9_\-]{35}",
            r"\bya29\.[A-Za-z0-9_\-]{20,500}",
            r"\bnpm_[A-Za-z0-9]{36}\b",
            r"\bpypi-[A-Za-z0-9_\-]{50,500}",
            r"\bhf_[A-Za-z0-9]{30,100}\b",
            r"\bSG\.[A-Za-z0-9_\-]{16,64}\.[A-Za-z0-9_\-]{16,64}",
            r"\beyJ[A-Za-z0-9_\-]{10,2000}\.eyJ[A-Za-z0-9_\-]{10,4000}\.[A-Za-z0-9_\-]{10,2000}",
        )
    )
)
_SECRET_HINTS = (
    *("-----BEGIN", "AKIA", "ASIA", "AROA", "AIDA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("glpat-", "xox", "sk-", "sk_", "rk_", "pk_", "AIza", "ya29.", "npm_", "pypi-", "hf_", "SG.", "eyJ"),
)
# `password = "…"` and its kin: only quoted literals, so that code that reads a secret is left alone.
_ASSIGNED = re.compile(
    r"""(?ix)
    \b[a-z0-9_\-]{0,40}(?:passw(?:or)?d|secret|api_?key|access_?key|auth_?token|private_?key|client_?secret)
    [a-z0-9_\-]{0,20}["']?\s{0,4}(?:=|:|=>|:=)\s{0,4}
    (?P<quote>["'])(?P<secret>[^"'\s$<{%]{8,500})(?P=quote)
    """
)
_ASSIGNED_HINTS = (
    *("passw", "secret", "api_key", "apikey", "access_key", "accesskey", "auth_token", "authtoken"),
    *("private_key", "privatekey"),
)
# user:password@ in URLs.
_URL_PASSWORD = re.compile(
    r"\b[a-z][a-z0-9+.\-]{1,20}://[^\s/:@\"']{1,100}:(?P<secret>[^\s/@\"']{3,200})@", re.I
)
_PLACEHOLDERS = re.compile(
    r"(?i)^(?:x+|\*+|\.+|your[-_].*|.*example.*|.*changeme.*|.*placeholder.*|.*redacted.*|<.*>)$"
)

REDACTED = "REDACTED"


def find_secrets(text: str) -> list[tuple[int, int]]:
    """Spans (code-point offsets) of `text` that look like secrets, in order, without overlap."""
    # Looking for what each pattern must contain is a hundred times faster than the pattern, and every
    # keystroke's prompt comes through here.
    lowered = text.lower()
    spans: list[tuple[int, int]] = []
    if any(hint in text for hint in _SECRET_HINTS):
        spans = [m.span() for m in _SECRETS.finditer(text)]
    patterns = []
    if any(hint in lowered for hint in _ASSIGNED_HINTS):
        patterns.append(_ASSIGNED)
    if "://" in text and "@" in text:
        patterns.append(_URL_PASSWORD)
    for pattern in patterns:
        spans += [m.span("secret") for m in pattern.finditer(text) if not _PLACEHOLDERS.match(m["secret"])]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def scrub(text: str) -> str:
    """`text` with every detected secret replaced by a placeholder; line breaks inside a secret stay."""
    spans = find_secrets(text)
    if not spans:
        return text
    pieces: list[str] = []
    at = 0
    for start, end in spans:
        pieces += (text[at:start], REDACTED + "\n" * text.count("\n", start, end))
        at = end
    return "".join((*pieces, text[at:]))


class Privacy:
    """The gate for a set of workspace roots. Thread-safe; ignore files are read again when they change."""

    def __init__(self, roots: list[Path], settings: PrivacySettings) -> None:
        from pathspec import GitIgnoreSpec

        self._secret = GitIgnoreSpec.from_lines(SECRET_FILES)
        self.configure(roots, settings)
        self._specs: dict[Path, tuple[tuple[int, ...], GitIgnoreSpec | None]] = {}
        self._lock = threading.Lock()

    def configure(self, roots: list[Path], settings: PrivacySettings) -> None:
        """Other roots or patterns from now on; whoever holds this gate keeps it."""
        from pathspec import GitIgnoreSpec

        self.roots = [Path(os.path.realpath(root)) for root in roots]
        self._own = GitIgnoreSpec.from_lines(settings.ignore)

    def scrub(self, text: str) -> str:
        """See :func:`scrub`."""
        return scrub(text)

    def root_of(self, path: Path) -> Path | None:
        """The innermost workspace root that holds `path` (after links are followed), or None."""
        real = Path(os.path.realpath(path))
        inside = [root for root in self.roots if real.is_relative_to(root)]
        return max(inside, key=lambda root: len(root.parts), default=None)

    def blocked(self, path: Path | str) -> str | None:
        """Why the file may not be read, sent to a model or edited; None where it may.

        Files outside every root (a scratch file the person opened) are judged by their name alone.
        """
        path = Path(path)
        real = Path(os.path.realpath(path))
        root = self.root_of(real)
        relative = real.relative_to(root).as_posix() if root else real.as_posix().lstrip("/")
        if self._secret.match_file(relative):
            return "it may hold secrets"
        if self._own.match_file(relative):
            return "the privacy.ignore setting excludes it"
        if root is None:
            return None
        parts = relative.split("/")
        # Nearest last, as git reads them; a parent directory that is ignored cannot be re-included.
        for depth in range(len(parts)):
            folder = root.joinpath(*parts[:depth])
            spec = self._spec(folder)
            if spec is None:
                continue
            inner = "/".join(parts[depth:])
            if spec.match_file(inner):
                return "a .gitignore or .lidoignore file excludes it"
        return None

    def _spec(self, folder: Path) -> GitIgnoreSpec | None:
        files = (folder / ".gitignore", folder / ".lidoignore")
        stamp = tuple(_mtime(file) for file in files)
        with self._lock:
            known = self._specs.get(folder)
            if known and known[0] == stamp:
                return known[1]
        from pathspec import GitIgnoreSpec

        lines: list[str] = []
        for file, time in zip(files, stamp, strict=True):
            if time:
                try:
                    lines += file.read_text(encoding="utf-8", errors="replace").splitlines()
                except OSError:
                    continue
        spec = GitIgnoreSpec.from_lines(lines) if lines else None
        with self._lock:
            self._specs[folder] = (stamp, spec)
        return spec


def _mtime(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
