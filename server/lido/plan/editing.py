"""From steps to agreed changes: asks for each file's edits in the form that suits the model.

Small models rewrite a whole short file, or the lines that matter of a long one; larger ones write
search/replace blocks. What cannot be applied goes back to the model once, with the true text.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import replace

from lido.edits import formats, prompting
from lido.edits.apply import FileChange, Resolution, resolve
from lido.edits.files import Refused
from lido.edits.formats import FileEdit, Whole
from lido.models.base import Capabilities, Message
from lido.plan import answers, regions
from lido.plan.run import Run, prompt
from lido.workspace.attachments import Excerpt, fenced, language, tokens

Read = Callable[[str], str | None]
"""A file's present text by its relative name; None where there is none. Raises Refused."""
SyntaxErrors = Callable[[str, str], int]


def no_syntax(_path: str, _text: str) -> int:
    """Where no grammar is at hand, nothing is held against a text."""
    return 0


class Editor:
    """Makes the changes of one run. `talk` is the conversation so far; every request extends it, so that
    an engine with a prompt cache reads only what is new."""

    def __init__(
        self,
        run: Run,
        talk: Sequence[Message],
        read: Read,
        capabilities: Capabilities,
        syntax_errors: SyntaxErrors = no_syntax,
    ) -> None:
        self._run = run
        self._talk = tuple(talk)
        self._read = read
        self._can = capabilities
        self._syntax = syntax_errors
        self.problems: list[str] = []

    async def changes(self) -> list[FileChange]:
        """The changes for all pending steps of the run. Sets each step's state; `problems` says in
        sentences what could not be done."""
        if prompting.preferred(self._can) == "region":
            return await self._by_file()
        return await self._by_blocks()

    # ------------------------------------------------------------------ small models

    async def _by_file(self) -> list[FileChange]:
        done: list[FileChange] = []
        steps = self._run.update.steps
        for path in dict.fromkeys(name for step in steps for name in step.files):
            indexes = [i for i, step in enumerate(steps) if path in step.files]
            for i in indexes:
                self._run.step(i, "running")
            wanted = [steps[i].title for i in indexes]
            change = await self._file(path, wanted)
            for i in indexes:
                self._run.step(i, "done" if change else "failed")
            if change:
                done.append(change)
        return done

    async def _file(self, path: str, wanted: Sequence[str]) -> FileChange | None:
        try:
            before = await asyncio.to_thread(self._read, path)
        except Refused as error:
            self.problems.append(f"{path} is not edited: {error}.")
            return None
        lines = (before or "").splitlines(keepends=True)
        if before is None:
            region = regions.Region(0, 0)
            request = prompt("create_file").format(path=path, changes="; ".join(wanted))
        elif len(lines) <= regions.WHOLE_LINES:
            region = regions.Region(0, len(lines))
            request = prompt("edit_file").format(path=path, task=self._run.instruction.strip()[:1200])
            if not any(f"{path}\n```" in message.content for message in self._talk):
                request = fenced(Excerpt(path, before, path, 0, language(path))) + "\n\n" + request
        else:
            task = " ".join((*wanted, self._run.instruction))
            region = await asyncio.to_thread(regions.region, lines, task)
            part = "".join(lines[region.first : region.last])
            request = prompt("edit_region").format(
                path=path,
                first=region.first + 1,
                last=region.last,
                code=fenced(Excerpt("", part, path, 0, language(path))).strip(),
                changes="; ".join(wanted),
            )
        old = lines[region.first : region.last]
        limit = min(self._can.context_window // 2, max(300, tokens("".join(old)) * 3 // 2 + 250))
        talk = [*self._talk, Message("user", request)]
        for attempt in range(2):
            reply = await self._run.ask(
                talk, max_tokens=limit, progress=self._writing(path), temperature=0.4 if attempt else None
            )
            change, problem = await asyncio.to_thread(
                self._rewritten, path, before, lines, region, reply.text, reply.finish == "length"
            )
            if change:
                return change
            talk += [
                Message("assistant", reply.text or "(nothing)"),
                Message("user", prompt("again").format(problem=problem)),
            ]
        self.problems.append(f"{path}: {problem}")
        return None

    def _rewritten(
        self,
        path: str,
        before: str | None,
        lines: Sequence[str],
        region: regions.Region,
        answer: str,
        broken_off: bool,
    ) -> tuple[FileChange | None, str]:
        """The answered region in its file, checked; or what is wrong with it."""
        if broken_off:
            return None, "the answer broke off; write only the code, and nothing twice."
        new = answers.code(answer)
        if new is None:
            return None, "there was no code in the answer."
        old = lines[region.first : region.last]
        new = regions.fitted(new, old)
        if _size(new) * 2 < _size("".join(old)) and _size("".join(old)) > 400:
            return None, "more than half of the lines are missing; unchanged lines must be there, too."
        text = "".join((*lines[: region.first], new, *lines[region.last :]))
        if text == (before or ""):
            return None, "nothing was changed."
        edit = FileEdit(path, "modify" if before is not None else "create", "whole_file", (Whole(text),))
        resolution = resolve([edit], self._read, self._syntax)
        if resolution.changes:
            return resolution.changes[0], ""
        return None, resolution.feedback()

    # ------------------------------------------------------------------ larger models

    async def _by_blocks(self) -> list[FileChange]:
        steps = self._run.update.steps
        for i in range(len(steps)):
            self._run.step(i, "running")
        paths = list(dict.fromkeys(name for step in steps for name in step.files))
        path = paths[0] if len(paths) == 1 else "path/of/the/file"
        form = prompting.instructions("search_replace", path)
        talk = [*self._talk, Message("user", prompt("edit_blocks").format(format=form))]
        limit = min(8192, self._can.context_window // 3)
        agreed: dict[str, FileChange] = {}
        problems: list[str] = []
        for attempt in range(2):
            reply = await self._run.ask(talk, max_tokens=limit, progress=self._writing(None))
            parsed = formats.parse(reply.text, paths[0] if len(paths) == 1 else None)
            edits = [e for e in parsed.edits if posixpath.normpath(e.path) not in agreed or not attempt]
            resolution: Resolution = await asyncio.to_thread(resolve, edits, self._read, self._syntax)
            agreed |= {change.path: change for change in resolution.changes}
            problems = list(parsed.problems)
            if resolution.rejected:
                problems.append(resolution.feedback())
            if not edits and not agreed:
                problems.append("there were no edits in the answer.")
            if not problems:
                break
            talk += [
                Message("assistant", reply.text or "(nothing)"),
                Message("user", prompt("again").format(problem="\n".join(problems))),
            ]
        self.problems += problems
        for i, step in enumerate(steps):
            done = not step.files or any(posixpath.normpath(name) in agreed for name in step.files)
            self._run.step(i, "done" if done and agreed else "failed")
        named = {posixpath.normpath(name) for name in paths}
        return [
            c if c.path in named or not named else replace(c, note=c.note or "no step of the plan names it")
            for c in agreed.values()
            if c.before != c.after
        ]

    def _writing(self, path: str | None) -> Callable[[str], None]:
        """Tells, line by line, how far the answer has come."""
        told = 0

        def progress(text: str) -> None:
            nonlocal told
            count = text.count("\n")
            if count > told:
                told = count
                self._run.say(f"Writing {path or 'the changes'}: {count} lines")

        return progress


def _size(text: str) -> int:
    return sum(len(line.strip()) for line in text.splitlines())
