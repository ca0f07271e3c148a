"""The server's own log: JSON lines below ``logs/`` of `LIDO_HOME`, a file for each process, and warnings on
standard error.

Never in it: keys, and text of prompts, documents and answers. What libraries and exceptions say may quote
them, so of the former the template is kept and of the latter, where they are about a value, the kind alone.
Python's own logging, for structlog takes a tenth of a second to import at each start of an editor.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from lido import settings as configuration

SIZE = 4 * 2**20
"""Bytes of a file before it is put aside; one that was put aside is kept."""
FILES = 40
"""Files kept, of all processes; the oldest are removed when a server starts."""
BACKLOG = 10_000
"""Lines that wait for a slow disk; more are dropped, and counted."""
MESSAGE = 600
"""Characters of what is said, and of the reason that an exception gives."""

request: ContextVar[tuple[str, str, float] | None] = ContextVar("request", default=None)
"""What is being answered: the message's id, its method, and when it came (of the performance counter)."""

_ABOUT_VALUES = ("pydantic", "cattrs", "json", "lsprotocol", "pygls")
_FOREIGN = ("pygls", "lsprotocol", "asyncio", "websockets", "httpx", "httpcore")
_NO_NEWS = (
    "Cancel notification for unknown",
    "Exception occurred for",
    "Failed to handle",
    "Server shutting down",
)
_FIELDS = ("method", "milliseconds", "outcome", "model", "tokens", "first_milliseconds")


@contextmanager
def written(home: configuration.Home, stream: IO[str]) -> Iterator[Path | None]:
    """Everything that is logged meanwhile goes to the log, and from warnings on to `stream`, by a thread of
    its own. Gives the file; None where none can be written, which is said on `stream`."""
    handlers: list[logging.Handler] = []
    path = None
    try:
        handlers.append(_File(path := _place(home.logs)))
    except OSError as error:
        path = None
        stream.write(f"lido: no log can be kept in {home.logs}: {error.strerror or error}\n")
    shown = logging.StreamHandler(stream)
    shown.setLevel(logging.WARNING)
    shown.setFormatter(_Plain())
    handlers.append(shown)
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(BACKLOG)
    listener = logging.handlers.QueueListener(waiting, *handlers, respect_handler_level=True)
    entrance = _Entrance(waiting)
    root = logging.getLogger()
    before = root.level
    root.addHandler(entrance)
    root.setLevel(logging.INFO)
    for name in _FOREIGN:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("pygls.protocol.json_rpc").addFilter(_expected)
    listener.start()
    try:
        yield path
    finally:
        root.removeHandler(entrance)
        root.setLevel(before)
        listener.stop()
        for handler in handlers[:-1]:
            with suppress(OSError):  # a full disk refuses the last lines again
                handler.close()


def _place(folder: Path) -> Path:
    """A new file's path, with room made for it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = []
    for each in folder.glob("serve-*.jsonl*"):
        with suppress(OSError):
            found.append((each.stat().st_mtime, each))
    for _, old in sorted(found)[: -FILES + 1]:
        with suppress(OSError):  # another process's, on Windows
            old.unlink()
    return folder / f"serve-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.jsonl"


class _File(logging.handlers.RotatingFileHandler):
    """Readable by its person alone. A disk that is full or gone loses lines, nothing else."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=SIZE, backupCount=1, encoding="utf-8", errors="replace")
        self.setFormatter(_Json())

    def _open(self) -> Any:
        return open(
            self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors,
            opener=lambda name, flags: os.open(name, flags, 0o600),
        )  # fmt: skip

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        pass


class _Entrance(logging.handlers.QueueHandler):
    """Takes records from wherever they are logged, with the request that they belong to, at no cost to it."""

    def __init__(self, waiting: queue.Queue[logging.LogRecord]) -> None:
        super().__init__(waiting)
        self._dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        record.request = request.get()
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            if self._dropped:
                record.dropped, self._dropped = self._dropped, 0
            self.queue.put_nowait(record)
        except queue.Full:
            self._dropped += 1 + getattr(record, "dropped", 0)


def _expected(record: logging.LogRecord) -> bool:
    """Whether a record of pygls' is news: a cancelled request that was answered meanwhile is none, and an
    exception is told by `LidoServer.report_server_error`."""
    return not str(record.msg).startswith(_NO_NEWS)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": said(record),
        }
        if asked := getattr(record, "request", None):
            line["request"], line["method"] = asked[0], asked[1]
        line |= {name: record.__dict__[name] for name in _FIELDS if name in record.__dict__}
        if dropped := getattr(record, "dropped", 0):
            line["dropped"] = dropped
        if record.exc_info and record.exc_info[1]:
            line["error"] = reason(record.exc_info[1])
            line["trace"] = trace(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = f"{record.levelname.lower()}: {said(record)}"
        if record.exc_info and record.exc_info[1]:
            text += f" ({reason(record.exc_info[1])})"
        return text


def said(record: logging.LogRecord) -> str:
    """What a record says, without what may be a document's text, and without secrets."""
    if record.name.split(".")[0] in _FOREIGN or not record.args:
        return str(record.msg).split("\n")[0][:MESSAGE]
    from lido.workspace.privacy import scrub

    try:
        text = record.getMessage()
    except (TypeError, ValueError):
        text = str(record.msg)
    return scrub(text)[:MESSAGE]


def reason(error: BaseException) -> str:
    """An exception in a line; only its kind where it is about a value, which it would quote."""
    kind = type(error).__name__
    if type(error).__module__.split(".")[0] in _ABOUT_VALUES or isinstance(error, UnicodeError | KeyError):
        return kind
    if (model := getattr(error.__context__ or error, "kind", None)) is not None:
        return f"{kind}: {model}"  # a backend's answer may quote the prompt
    from lido.workspace.privacy import scrub

    return scrub(f"{kind}: {error}".split("\n")[0])[:MESSAGE]


def trace(error: BaseException) -> list[str]:
    """Where it was raised, innermost last: ``module.py:12 function``."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    return [f"{'/'.join(Path(f.filename).parts[-2:])}:{f.lineno} {f.name}" for f in frames]
