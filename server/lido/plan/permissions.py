"""Which commands may run: only what a person agreed to. Nothing in a repository or a model's answer can
grant anything."""

from __future__ import annotations

import re
import shlex
from collections.abc import Awaitable, Callable, Sequence

_SHELL = re.compile(r"^[();<>|&]+$|`|\$\(")

Ask = Callable[[str], Awaitable[str]]
"""Puts a question to the person and waits for the answer."""


CHOICES = ("yes", "always", "no")
"""What consent is asked for in: once, for the session, not at all."""


def is_consent(question: str) -> bool:
    """Whether a run's question is one of ours for consent, to be answered with one of `CHOICES`. A model's
    own questions never begin so, they are marked as the model's."""
    return question.startswith("Run `")


class Denied(Exception):  # noqa: N818 - an answer, not a fault
    """The command may not run; the text is for the model."""


def parse(command: str) -> list[str]:
    """The argument list of a command line. Raises Denied for what only a shell could run."""
    try:
        argv = shlex.split(command)
        # As a shell would part it: an operator that is not quoted is a word of its own.
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = ""
        words = list(lexer)
    except ValueError as error:
        raise Denied(f"the command line cannot be read: {error}") from None
    if not argv or "\0" in command:
        raise Denied("there is no command")
    for word in words:
        if _SHELL.search(word):
            raise Denied(f"no shell is used, so {word!r} has no meaning; give one command with arguments")
    return argv


def _visible(text: str) -> str:
    """`text` with what a terminal or an editor would hide, obey or turn round written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class Permissions:
    """Consent of one run: configured exact prefixes, what was agreed to for the session, or a question. In a
    folder that the person does not trust nothing runs, and nothing is asked."""

    def __init__(
        self, prefixes: Sequence[str], session: set[tuple[str, ...]], ask: Ask, trusted: bool = True
    ) -> None:
        self._trusted = trusted
        self._prefixes = [tuple(shlex.split(prefix)) for prefix in prefixes if prefix.strip()]
        self._session = session
        self._ask = ask
        self._refused: set[tuple[str, ...]] = set()

    async def require(self, argv: Sequence[str], isolated: bool) -> None:
        """Returns when the person agrees. Raises Denied where not; the same command is not asked about
        again in this run."""
        if not self._trusted:
            raise Denied("the person does not trust this folder, so no command runs in it")
        command = tuple(argv)
        if command in self._refused:
            raise Denied("the person refused this command")
        if command in self._session or any(command[: len(p)] == p for p in self._prefixes):
            return
        network = "without network access" if isolated else "not confined, which this system cannot do"
        answer = await self._ask(
            f"Run `{_visible(shlex.join(command))}` in a copy of the project, {network}? "
            "Answer yes, always (for this session) or no."
        )
        match answer.strip().lower():
            case "yes" | "y" | "ok" | "once":
                return
            case "always" | "a" | "session":
                self._session.add(command)
            case _:
                self._refused.add(command)
                raise Denied("the person refused this command")
