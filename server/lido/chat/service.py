"""Chat: a question with attachments → a prompt that fits the model → a streamed, stored answer."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from lido.chat.blocks import CodeBlock, code_blocks
from lido.chat.conversations import (
    Conversations,
    Rating,
    Role,
    StoredMessage,
    UnknownConversation,
    new_id,
    title_of,
)
from lido.models.base import Backend, ChatRequest, Message, ModelError, Usage
from lido.workspace.attachments import Attachment, Attachments, Excerpt, fenced, fit, tokens

if TYPE_CHECKING:
    from lido.events.attribution import Tracker
    from lido.models.registry import Models

COMMANDS = ("explain", "fix", "tests", "doc", "commit", "review")
"""Slash commands; each is a prompt in ``prompts/``."""

_WHOLE_WORKSPACE = re.compile(r"(?:^|\s)@workspace\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """`notes` are sentences for the person: what could not be read, what no longer fitted, which citations
    do not exist. `complete` is False where the answer ended at the model's length limit."""

    conversation_id: str
    message_id: str
    text: str
    code_blocks: tuple[CodeBlock, ...]
    usage: Usage
    model: str = ""
    notes: tuple[str, ...] = ()
    complete: bool = True


@cache
def prompt(name: str) -> str:
    """A prompt of this room, read once."""
    return resources.files("lido.chat").joinpath("prompts", f"{name}.md").read_text("utf-8").strip()


class Chat:
    """Conversations with a model. One instance serves any number of conversations at once."""

    def __init__(
        self,
        models: Models,
        store: Conversations,
        attachments: Attachments,
        tracker: Tracker | None = None,
    ) -> None:
        self._models = models
        self._tracker = tracker
        self.store = store
        self._attachments = attachments

    async def send(
        self,
        conversation_id: str | None,
        text: str,
        attachments: Sequence[Attachment] = (),
        model: str | None = None,
        *,
        replaces: str | None = None,
    ) -> AsyncGenerator[str | Answer, None]:
        """Streams the answer's pieces and ends with the `Answer`. Without `conversation_id` a conversation
        begins. `replaces` is the id of an earlier question that this one takes the place of, with all that
        followed. Closing the iterator, or cancelling its reader, stops the model and keeps what came.

        Raises ModelError and UnknownConversation.
        """
        _, attachments = expand(text, attachments)
        resolved = await self._attachments.resolve(attachments, text)
        if conversation_id is None:
            conversation_id = await self.store.create(title_of(text))
        elif replaces:
            await self.store.cut(conversation_id, replaces)
        await self.store.append(
            conversation_id, "user", text, context=tuple(asdict(e) for e in resolved.excerpts)
        )
        history = (await self.store.get(conversation_id)).messages
        async with aclosing(self._answer(history, model, resolved.problems, conversation_id)) as stream:
            async for piece in stream:
                yield piece

    async def retry(
        self, conversation_id: str, model: str | None = None
    ) -> AsyncGenerator[str | Answer, None]:
        """Answers the last question again; the answer it had is dropped. Raises as `send`."""
        messages = (await self.store.get(conversation_id)).messages
        last = next((i for i in reversed(range(len(messages))) if messages[i].role == "user"), None)
        if last is None:
            raise UnknownConversation(conversation_id)
        if last + 1 < len(messages):
            await self.store.cut(conversation_id, messages[last + 1].id)
        history = messages[: last + 1]
        async with aclosing(self._answer(history, model, (), conversation_id)) as stream:
            async for piece in stream:
                yield piece

    async def reply(
        self,
        turns: Sequence[tuple[Role, str]],
        attachments: Sequence[Attachment] = (),
        model: str | None = None,
    ) -> AsyncGenerator[str | Answer, None]:
        """Answers a conversation that is kept elsewhere (a Markdown document, say): `turns` from the oldest
        to the question, which is the person's. Nothing is stored. Raises ModelError."""
        question = turns[-1][1]
        _, attachments = expand(question, attachments)
        resolved = await self._attachments.resolve(attachments, question)
        context = tuple(asdict(e) for e in resolved.excerpts)
        history = [StoredMessage("", "", role, text, "") for role, text in turns[:-1]]
        history.append(StoredMessage("", "", "user", question, "", context=context))
        async with aclosing(self._answer(history, model, resolved.problems, "")) as stream:
            async for piece in stream:
                yield piece

    async def feedback(self, message_id: str, rating: Rating) -> None:
        """Raises UnknownConversation where there is no such message."""
        await self.store.rate(message_id, rating)
        if self._tracker:
            if rating == "up":
                self._tracker.accepted(message_id)
            else:
                self._tracker.rejected(message_id, "rated down")

    async def _answer(
        self,
        history: Sequence[StoredMessage],
        model: str | None,
        problems: Sequence[str],
        conversation_id: str,
    ) -> AsyncGenerator[str | Answer, None]:
        """`conversation_id` "" where the answer is not to be stored."""
        message_id = new_id()
        if self._tracker:
            self._tracker.requested("chat", suggestion_id=message_id)
        notes = list(problems)
        parts: list[str] = []
        usage = Usage()
        finish: str | None = None
        answered_by = served_by = ""
        built: list[Built] = []
        began = first = time.monotonic()

        def build(backend: Backend) -> ChatRequest:
            built[:] = [build_request(history, backend)]
            return built[0].request

        try:
            async with aclosing(self._models.stream("chat", build, model)) as stream:
                async for backend, chunk in stream:
                    answered_by, served_by = backend.model, backend.provider
                    usage = chunk.usage or usage
                    finish = chunk.finish or finish
                    if chunk.text:
                        first = first if parts else time.monotonic()
                        parts.append(chunk.text)
                        yield chunk.text
        except ModelError as error:
            if self._tracker:
                self._tracker.failed(message_id, error.kind)
            raise
        finally:
            text = "".join(parts)
            if text:
                if self._tracker:
                    self._tracker.answered(
                        message_id, text, model=answered_by, backend=served_by,
                        latency_ms=(time.monotonic() - began) * 1000, first_token_ms=(first - began) * 1000,
                        prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens,
                    )  # fmt: skip
                    self._tracker.shown(message_id)
                    if finish is None:
                        self._tracker.ignored(message_id, "cancelled")
                # Shielded: what the person already saw is kept even while the request is being cancelled.
                if conversation_id:
                    await asyncio.shield(
                        self.store.append(
                            conversation_id, "assistant", text,
                            message_id=message_id, model=answered_by, complete=finish == "stop",
                        )
                    )  # fmt: skip
        if built and built[0].dropped:
            notes.append(
                f"{built[0].dropped} earlier message{'s' * (built[0].dropped > 1)} no longer fit the model "
                "and were left out."
            )
        if built:
            notes += [f"Only a part of {title} fitted the model." for title in built[0].cut]
        if finish == "length":
            notes.append("The answer reached the model's length limit.")
        shown = [Excerpt(**item) for message in history for item in message.context]
        notes += await asyncio.to_thread(self._check_citations, text, shown)
        attached = {(e.path, e.language) for e in shown if e.path}
        yield Answer(
            conversation_id, message_id, text, tuple(code_blocks(text, sorted(attached))), usage,
            answered_by, tuple(notes), finish != "length",
        )  # fmt: skip

    def _check_citations(self, text: str, shown: Sequence[Excerpt]) -> list[str]:
        """A sentence for each `path:line` in the answer that does not exist."""
        wrong = []
        for path, line in citations(text):
            place = self._attachments.locate(path)
            count = self._attachments.line_count(place) if place else None
            if count is None:
                if not any(path == e.path for e in shown):
                    wrong.append(f"The answer cites {path}:{line}, but there is no such file.")
            elif line > count:
                wrong.append(f"The answer cites {path}:{line}, but the file has {count} lines.")
        return wrong


_CITATION = re.compile(r"(?<![\w/:.-])(?P<path>(?:[\w.-]+/)*[\w-]+\.[A-Za-z]\w{0,9}):(?P<line>\d{1,7})\b")


def citations(text: str) -> list[tuple[str, int]]:
    """The (path, line from 1) pairs that `text` cites as ``path:line``, each once, outside code fences."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return list(dict.fromkeys((m["path"], int(m["line"])) for m in _CITATION.finditer(prose)))


def expand(text: str, attachments: Sequence[Attachment]) -> tuple[str, list[Attachment]]:
    """The question that a slash command stands for, and the attachments it brings."""
    found = list(attachments)
    question = text
    if match := re.match(r"/([a-z]+)(?:\s+|$)", text):
        name = match[1]
        if name in COMMANDS:
            question = prompt(name).replace("{rest}", text[match.end() :]).strip()
            if name in ("commit", "review") and not found:
                found.append(Attachment("diff"))
    if _WHOLE_WORKSPACE.search(text) and not any(a.kind == "workspace" for a in found):
        found.append(Attachment("workspace"))
        question = _WHOLE_WORKSPACE.sub("", question).strip()
    return question, found


@dataclass(frozen=True, slots=True)
class Built:
    """`dropped` counts messages that did not fit, `cut` are titles of excerpts that were shortened."""

    request: ChatRequest
    dropped: int
    cut: tuple[str, ...]


def build_request(history: Sequence[StoredMessage], backend: Backend) -> Built:
    """The conversation as a request that fits `backend`: the newest question and its excerpts first, then
    earlier messages from the newest back. Pure.

    Small models run on the person's processor, where reading a prompt takes most of the time, so theirs is
    kept far below what their window could hold.
    """
    capabilities = backend.capabilities
    answer = 500 if capabilities.small else min(4096, capabilities.context_window // 4)
    budget = capabilities.context_window - answer - 100
    if capabilities.small:
        budget = min(budget, 1500)
    system = prompt("system_small" if capabilities.small else "system")
    budget -= tokens(system)
    latest = history[-1]
    question = _clip(expand(latest.text, ())[0], budget)
    budget -= tokens(question)
    wanted = [Excerpt(**item) for item in latest.context]
    excerpts = fit(wanted, budget)
    budget -= sum(tokens(e.text) + 20 for e in excerpts)
    texts = {e.title: e.text for e in wanted}
    cut = [e.title for e in excerpts if e.text != texts[e.title]]
    cut += [title for title in texts if title not in {e.title for e in excerpts}]
    turns = [_message(question, excerpts)]
    dropped = 0
    for index in reversed(range(len(history) - 1)):
        message = history[index]
        cost = tokens(message.text) + 10
        if cost > budget:
            dropped = index + 1
            break
        budget -= cost
        if message.role == "assistant":
            turns.insert(0, Message("assistant", message.text))
        else:
            earlier = [Excerpt(**item) for item in message.context]
            new = [e for e in earlier if e.title not in texts]
            fitting = fit(new, budget)
            budget -= sum(tokens(e.text) + 20 for e in fitting)
            turns.insert(0, _message(expand(message.text, ())[0], fitting))
    while len(turns) > 1 and turns[0].role == "assistant":  # many chat templates insist on a user's turn
        turns.pop(0)
        dropped += 1
    request = ChatRequest((Message("system", system), *turns), max_tokens=answer, temperature=0.2)
    return Built(request, dropped, tuple(cut))


def _message(text: str, excerpts: Sequence[Excerpt]) -> Message:
    return Message("user", "\n\n".join((*(fenced(e) for e in excerpts), text)))


def _clip(text: str, budget: int) -> str:
    """A question longer than the whole budget keeps its beginning and its end."""
    if tokens(text) <= budget:
        return text
    half = max(100, budget * 3 // 2 - 20)
    return f"{text[:half]}\n… (shortened) …\n{text[-half:]}"
