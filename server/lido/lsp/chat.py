"""``lido/chat/…``: conversations over the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from lido.lsp import attachments
from lido.lsp import messages as m
from lido.lsp.server import RequestFailed, to_path, to_uri

if TYPE_CHECKING:
    from lido.chat.blocks import CodeBlock
    from lido.chat.service import Answer
    from lido.lsp.server import LidoServer


def register(server: LidoServer) -> None:
    async def answered(
        pieces: AsyncGenerator[str | Answer, None], token: str | int | None, conversation_id: str
    ) -> m.ChatAnswer:
        """Sends the pieces as partial results; the answer at the end."""
        from lido.chat.conversations import UnknownConversation
        from lido.models.base import ModelError

        known: str | None = conversation_id
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if not isinstance(piece, str):
                        return m.ChatAnswer(
                            conversation_id=piece.conversation_id,
                            message_id=piece.message_id,
                            text=piece.text,
                            code_blocks=await asyncio.to_thread(_blocks, server, piece.code_blocks),
                            usage=m.TokenUsage(
                                prompt_tokens=piece.usage.prompt_tokens,
                                completion_tokens=piece.usage.completion_tokens,
                                cached_tokens=piece.usage.cached_tokens,
                            ),
                            notes=list(piece.notes),
                        )
                    if token is not None:
                        delta = m.ChatDelta(delta=piece, conversation_id=known)
                        server.progress(lsp.ProgressParams(token, delta.encode()))
                        known = None
        except ModelError as error:
            # The question is kept, so the client can offer to try again.
            raise RequestFailed(str(error), data={"conversationId": conversation_id}) from None
        except UnknownConversation:
            raise RequestFailed("There is no such conversation; it may have been deleted.") from None
        raise RequestFailed("The model gave no answer.")

    @server.own("lido/chat/send")
    async def send(params: m.ChatSend) -> m.ChatAnswer:
        from lido.chat.conversations import title_of

        conversation_id = params.conversation_id or await server.chat.store.create(title_of(params.text))
        pieces = server.chat.send(
            conversation_id,
            params.text,
            attachments.decode(server, params.attachments),
            params.model,
            replaces=params.replaces,
        )
        return await answered(pieces, params.partial_result_token, conversation_id)

    @server.own("lido/chat/retry")
    async def retry(params: m.ChatRetry) -> m.ChatAnswer:
        pieces = server.chat.retry(params.conversation_id, params.model)
        return await answered(pieces, params.partial_result_token, params.conversation_id)

    @server.own("lido/chat/list")
    async def list_conversations(params: m.ChatList) -> list[dict[str, object]]:
        found = await server.chat.store.list(params.query, params.limit)
        return [
            m.ConversationSummary(
                conversation_id=s.id, title=s.title, updated=s.updated, messages=s.messages
            ).encode()
            for s in found
        ]

    @server.own("lido/chat/get")
    async def get(params: m.ConversationRef) -> m.Conversation:
        from lido.chat.blocks import code_blocks
        from lido.chat.conversations import UnknownConversation

        try:
            found = await server.chat.store.get(params.conversation_id)
        except UnknownConversation:
            raise RequestFailed("There is no such conversation; it may have been deleted.") from None
        files = {(e["path"], e["language"]) for msg in found.messages for e in msg.context if e.get("path")}
        messages = []
        for message in found.messages:
            blocks = code_blocks(message.text, sorted(files)) if message.role == "assistant" else []
            messages.append(
                m.ChatMessage(
                    message_id=message.id,
                    role=message.role,
                    text=message.text,
                    code_blocks=await asyncio.to_thread(_blocks, server, blocks),
                    time=message.time,
                    model=message.model,
                    rating=message.rating,
                    complete=message.complete,
                    attachments=await asyncio.to_thread(_attachments, server, message.context),
                )
            )
        return m.Conversation(conversation_id=found.id, title=found.title, messages=messages)

    @server.own("lido/chat/apply")
    async def apply(params: m.ChatApply) -> m.ReviewOpened:
        from lido.chat.applying import UnplacedError, review_block
        from lido.chat.blocks import CodeBlock
        from lido.edits.files import Refused

        path = to_path(params.uri)
        if path is None and (server.document(params.uri) is None or not params.uri.startswith("untitled:")):
            raise RequestFailed("Only a block for a file can be applied.")
        block = CodeBlock(params.language, params.text)
        try:
            review = await review_block(block, str(path or params.uri), server.files, server.reviews)
        except (UnplacedError, Refused) as error:
            raise RequestFailed(str(error)) from None
        return m.ReviewOpened(review_id=review.id)

    @server.own("lido/chat/rename")
    async def rename(params: m.ChatRename) -> None:
        from lido.chat.conversations import UnknownConversation

        try:
            await server.chat.store.rename(params.conversation_id, params.title)
        except UnknownConversation:
            raise RequestFailed("There is no such conversation; it may have been deleted.") from None

    @server.own("lido/chat/export")
    async def export(params: m.ConversationRef) -> m.ChatExported:
        from lido.chat.conversations import UnknownConversation

        try:
            return m.ChatExported(text=await server.chat.store.export(params.conversation_id))
        except UnknownConversation:
            raise RequestFailed("There is no such conversation; it may have been deleted.") from None

    @server.own("lido/chat/delete")
    async def delete(params: m.ConversationRef) -> None:
        from lido.chat.conversations import UnknownConversation

        try:
            await server.chat.store.delete(params.conversation_id)
        except UnknownConversation:
            raise RequestFailed("There is no such conversation; it may have been deleted.") from None

    @server.own("lido/chat/feedback")
    async def feedback(params: m.ChatFeedback) -> None:
        from lido.chat.conversations import UnknownConversation

        try:
            await server.chat.feedback(params.message_id, params.rating)
        except UnknownConversation:
            return  # a notification has no answer; the conversation was deleted meanwhile


def _attachments(server: LidoServer, context: Sequence[dict[str, Any]]) -> list[m.Attachment]:
    """What went along with a question, so that it can be sent again. Blocking."""
    from lido.edits.files import Refused

    found = []
    for excerpt in context:
        title, text, first = str(excerpt["title"]), str(excerpt["text"]), int(excerpt["first"])
        try:
            uri = to_uri(server.files.locate(excerpt["path"])) if excerpt["path"] else None
        except Refused:
            uri = None
        if uri is None:
            found.append(m.Attachment(kind="output", name=title, text=text))
        elif excerpt["whole"]:
            found.append(m.Attachment(kind="file", name=title, uri=uri))
        else:
            last = m.Position(line=first + len(text.splitlines()), character=0)
            span = m.Range(start=m.Position(line=first, character=0), end=last)
            found.append(m.Attachment(kind="selection", name=title, uri=uri, range=span))
    return found


def _blocks(server: LidoServer, blocks: Sequence[CodeBlock]) -> list[m.CodeBlock]:
    """Blocks with the URI of the file they are for, where that lies in the workspace. Blocking."""
    from lido.edits.files import Refused

    encoded = []
    for block in blocks:
        uri = None
        if block.path:
            try:
                uri = to_uri(server.files.locate(block.path))
            except Refused:
                uri = None
        encoded.append(m.CodeBlock(language=block.language, text=block.text, uri=uri))
    return encoded
