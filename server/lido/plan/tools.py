"""What an agent can do in its copy of the project. Every answer is text for the model, also a refusal."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import shlex
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lido.edits.apply import resolve
from lido.edits.files import Refused, Workspace
from lido.edits.formats import FileEdit, Replace, Whole
from lido.models.base import Tool
from lido.plan import sandbox
from lido.plan.editing import SyntaxErrors, no_syntax
from lido.plan.permissions import Denied, Permissions, parse
from lido.plan.run import GaveUp, Run
from lido.plan.workcopy import Workcopy
from lido.workspace import git, search
from lido.workspace.attachments import definition_of

RESULT = 6000
"""Characters of one result; a model can ask for more."""
LINES = 200


def _tool(name: str, description: str, optional: tuple[str, ...] = (), /, **parameters: str) -> Tool:
    kinds = {"first": "integer", "last": "integer"}
    return Tool(
        name,
        description,
        {
            "type": "object",
            "properties": {
                key: {"type": kinds.get(key, "string"), "description": text}
                for key, text in parameters.items()
            },
            "required": [key for key in parameters if key not in optional],
            "additionalProperties": False,
        },
    )


TOOLS = (
    _tool("list", "The files below a folder.", ("path",), path="Folder; default the whole project."),
    _tool(
        "read", f"Lines of a file, at most {LINES} at once, with their numbers.", ("first", "last"),
        path="File.", first="First line, from 1.", last="Last line.",
    ),
    _tool(
        "search", "Lines that match a regular expression.", ("path",),
        pattern="Regular expression.", path="Only in files whose path contains this.",
    ),
    _tool("symbol", "Where a function, class or type is defined, and where it is used.", name="Its name."),
    _tool(
        "diagnostics", "What the editor reports of the person's files: errors and warnings of compilers and "
        "linters, as they were before your changes.", ("path",), path="Only of this file.",
    ),
    _tool(
        "git", "The repository's history.", ("path",),
        command="One of: status, diff, log, blame.", path="File; needed for blame.",
    ),
    _tool(
        "edit", "Replaces lines of a file. `search` must be copied exactly from the file and be unique.",
        path="File.", search="Lines that are there now.", replace="Lines that take their place.",
    ),
    _tool("create", "Writes a new file, or the whole text of one.", path="File.", text="Its text."),
    _tool("delete", "Deletes a file.", path="File."),
    _tool("run", "Runs a program, without a shell.", command="Program and arguments."),
    _tool("test", "Runs the project's tests."),
    _tool("ask", "Asks the person. Only where the task cannot be decided otherwise.", question="Question."),
    _tool("finish", "The task is done.", summary="What was done, in one or two sentences."),
    _tool("give_up", "The task cannot be done.", reason="What was tried, and why it cannot be done."),
)  # fmt: skip


class Diagnostic(NamedTuple):
    """`line` from 0; `severity` is error, warning, information or hint."""

    path: Path
    line: int
    severity: str
    message: str


Diagnostics = Callable[[Path | None], Awaitable[Sequence[Diagnostic]]]
"""Asks the editor what it reports, of one file or all."""


class Finished(Exception):  # noqa: N818 - the end of the work, not an error
    """The model says that the task is done."""


class Toolbox:
    """The tools of one run. `tested` is the last test result of the present state of the files, None where
    they changed since."""

    def __init__(
        self,
        run: Run,
        copy: Workcopy,
        blocked: Callable[[Path], str | None],
        permissions: Permissions,
        test_command: str,
        syntax_errors: SyntaxErrors = no_syntax,
        diagnostics: Diagnostics | None = None,
    ) -> None:
        self._diagnosed = diagnostics
        self._session = run
        self._copy = copy
        self._blocked = blocked
        self._permissions = permissions
        self._test_command = test_command
        self._syntax = syntax_errors
        self.workspace = Workspace([copy.root], blocked)
        self.tested: sandbox.Result | None = None
        self.edited = False

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Those that make sense: "test" where there is a test command, "diagnostics" where an editor is."""
        absent = {"test"} if not self._test_command else set()
        if self._diagnosed is None:
            absent.add("diagnostics")
        return tuple(tool for tool in TOOLS if tool.name not in absent)

    async def call(self, name: str, arguments: dict[str, Any]) -> str:
        """The result of one call. Raises Finished and GaveUp, which end the run."""
        try:
            result = await getattr(self, f"_{name}")(**arguments)
        except (Refused, Denied) as error:
            result = f"Not done: {error}."
        except git.GitError as error:
            result = f"git: {error}"
        text = str(result)
        if len(text) > RESULT:
            gap = f"\n… {len(text) - RESULT} characters left out …\n"
            text = text[: RESULT * 2 // 3] + gap + text[-RESULT // 3 :]
        return text

    # ------------------------------------------------------------------ reading

    async def _names(self, containing: str = "") -> list[str]:
        names = await asyncio.to_thread(search.files, self._copy.root, self._blocked)
        return [name for name in names if containing in name]

    async def _list(self, path: str = "") -> str:
        folder = path.strip("./")
        names = [n for n in await self._names() if not folder or n.startswith(folder + "/")]
        more = f"\n… and {len(names) - LINES} more" if len(names) > LINES else ""
        return "\n".join(names[:LINES]) + more or "There are no files."

    async def _read(self, path: str, first: int = 1, last: int = 0) -> str:
        text = await asyncio.to_thread(self.workspace.read, path)
        if text is None:
            return f"There is no file {path}."
        lines = text.splitlines()
        first = max(1, first)
        last = min(last or first + LINES - 1, first + LINES - 1, len(lines))
        shown = "\n".join(f"{n:5} {lines[n - 1]}" for n in range(first, last + 1))
        return f"{path}, lines {first} to {last} of {len(lines)}:\n{shown}"

    async def _search(self, pattern: str, path: str = "") -> str:
        # git's own engines: unlike Python's they have limits, so a pattern cannot hang the server.
        where = ("--no-index", "-n", "-I", "--no-color", "-m", "20")
        files = ("--", f":(glob)**/*{path}*", f":(glob)**/*{path}*/**") if path else ("--", ".")
        for kind in ("-P", "-E", "-F"):
            try:
                text = await git.git(self._copy.root, "grep", *where, kind, "-e", pattern, *files, timeout=10)
            except git.GitError:  # nothing matches, or this kind of pattern is not understood
                continue
            return "\n".join(line[:300] for line in text.splitlines()[:60])
        return "Nothing matches."

    async def _symbol(self, name: str) -> str:
        if not re.fullmatch(r"\w{1,100}", name):
            return f"{name!r} is not a name."
        names = await self._names()
        root = self._copy.root
        defined = await asyncio.to_thread(search.grep, root, names, definition_of(name), 10)
        used = await asyncio.to_thread(search.grep, root, names, re.compile(rf"\b{name}\b"), 40)
        there = {(m.path, m.line) for m in defined}
        lines = [f"defined {m.path}:{m.line + 1}: {m.text.strip()[:200]}" for m in defined]
        lines += [
            f"used {m.path}:{m.line + 1}: {m.text.strip()[:200]}"
            for m in used
            if (m.path, m.line) not in there
        ]
        return "\n".join(lines) or f"{name} is not in the project."

    async def _diagnostics(self, path: str = "") -> str:
        if self._diagnosed is None:
            return "There is no editor to ask."
        origin = self._copy.origin
        wanted = None
        if path:
            wanted = origin / self.workspace.name(await asyncio.to_thread(self.workspace.locate, path))
        found = [
            f"{problem.path.relative_to(origin).as_posix()}:{problem.line + 1}: {problem.severity}: "
            f"{' '.join(problem.message.split())[:300]}"
            for problem in await self._diagnosed(wanted)
            if problem.path.is_relative_to(origin)
            and not self._blocked(self._copy.real / problem.path.relative_to(origin))
        ]
        return "\n".join(found[:LINES]) or "Nothing is reported."

    async def _git(self, command: str, path: str = "") -> str:
        files = []
        if path:
            files = ["--", self.workspace.name(await asyncio.to_thread(self.workspace.locate, path))]
        origin = self._copy.origin
        match command.split()[0] if command.split() else "":
            case "status":
                return await git.git(origin, "status", "--short", *files) or "Nothing is changed."
            case "diff":
                changed = (await git.diff(origin, "HEAD", "--name-only", "--relative", *files)).splitlines()
                allowed = [name for name in changed if not self._blocked(self._copy.root / name)]
                return await git.diff(origin, "HEAD", "--", *allowed) if allowed else "Nothing is changed."
            case "log":
                return await git.git(origin, "log", "--oneline", "--no-decorate", "-20", *files)
            case "blame" if files:
                return await git.git(origin, "blame", "--date=short", *files)
        return "The command must be one of status, diff, log, or blame with a path."

    # ------------------------------------------------------------------ changing

    async def _edit(self, path: str, search: str, replace: str) -> str:
        edit = FileEdit(path, "modify", "search_replace", (Replace(search, replace, inline=True),))
        resolution = await asyncio.to_thread(resolve, [edit], self.workspace.read, self._syntax)
        if resolution.rejected:
            return resolution.feedback()
        return await self._write(path, resolution.changes[0].after or "")

    async def _create(self, path: str, text: str) -> str:
        edit = FileEdit(path, "modify", "whole_file", (Whole(text),))
        resolution = await asyncio.to_thread(resolve, [edit], self.workspace.read, self._syntax)
        if resolution.rejected:
            return resolution.feedback()
        return await self._write(path, resolution.changes[0].after or "")

    async def _write(self, path: str, text: str) -> str:
        await asyncio.to_thread(self.write, path, text)
        return f"{path} is written."

    def write(self, name: str, text: str) -> None:
        """Puts `text` into the copy. Blocking. Raises Refused."""
        path = self.workspace.locate(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        self._copy.created.add(self.workspace.name(path))
        self.edited, self.tested = True, None

    def restore(self, name: str, text: str | None) -> None:
        """Takes a change back: `text` is what was there, None for no file. Blocking."""
        if text is None:
            self.workspace.locate(name).unlink(missing_ok=True)
            self.edited, self.tested = True, None
        else:
            self.write(name, text)

    async def _delete(self, path: str) -> str:
        place = await asyncio.to_thread(self.workspace.locate, path)
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread(place.unlink)
        self.edited, self.tested = True, None
        return f"{path} is deleted."

    # ------------------------------------------------------------------ running

    async def _run(self, command: str) -> str:
        return _told(await self.execute(parse(command)))

    async def _test(self) -> str:
        return _told(await self.test())

    async def test(self) -> sandbox.Result:
        """Runs the tests, or gives the last result where nothing changed since. Raises Denied."""
        if self.tested is None:
            state = self._session.update.state
            self._session.tell("testing", message=self._test_command)
            self.tested = await self.execute(parse(self._test_command))
            self._session.tell(state)
        return self.tested

    async def execute(self, argv: list[str]) -> sandbox.Result:
        """Runs a command in the copy once the person agrees. Raises Denied."""
        await self._permissions.require(argv, await sandbox.can_isolate())
        program = self._copy.origin / argv[0]
        if "/" in argv[0] and not (self._copy.root / argv[0]).exists() and program.exists():
            argv = [str(program), *argv[1:]]  # a virtual environment is not copied
        self._session.trajectory.record("command", argv=shlex.join(argv))
        result = await self._session.runner(argv, self._copy.root, 120, self._copy.root.parent)
        # Paths as the person and the model know them, not those of the copy.
        result = dataclasses.replace(result, output=result.output.replace(f"{self._copy.real}/", ""))
        self._session.trajectory.record("output", code=result.code, text=result.output[-4000:])
        return result

    # ------------------------------------------------------------------ talking

    async def _ask(self, question: str) -> str:
        return await self._session.ask_human(f"The model asks: {question[:1000]}")

    async def _finish(self, summary: str) -> str:
        raise Finished(summary)

    async def _give_up(self, reason: str) -> str:
        raise GaveUp(reason)


def _told(result: sandbox.Result) -> str:
    how = "took too long and was stopped" if result.timed_out else f"exit code {result.code}"
    return f"{how}\n{result.output}"
