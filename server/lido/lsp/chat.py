"""``lido/chat/…``: conversations over the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from lido.lsp import attachments
from lido.lsp import messages as m
from lido.lsp.server import RequestFailed, to_path, to_uri

if TYPE_CHECKING:
    from lido.chat.blocks import CodeBlock
    from lido.chat.service import Answer
    from lido.lsp.server import LidoServer


def register(server: LidoServer) -> None:
    async def answered(pieces: AsyncGenerator[str | Answer, None], token: str | int | None) -> m.ChatAnswer:
        """Sends the pieces as partial results; the answer at the end."""
        from lido.chat.conversations import UnknownConversation
        from lido.models.base import ModelError

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
                        server.progress(lsp.ProgressParams(token, m.ChatDelta(delta=piece).encode()))
        except ModelError as error:
            raise RequestFailed(str(error)) from None
        except UnknownConversation:
            raise RequestFailed("There is no such conversation; it may have been deleted.") from None
        raise RequestFailed("The model gave no answer.")

    @server.own("lido/chat/send")
    async def send(params: m.ChatSend) -> m.ChatAnswer:
        pieces = server.chat.send(
            params.conversation_id,
            params.text,
            attachments.decode(server, params.attachments),
            params.model,
            replaces=params.replaces,
        )
        return await answered(pieces, params.partial_result_token)

    @server.own("lido/chat/retry")
    async def retry(params: m.ConversationRef) -> m.ChatAnswer:
        return await answered(server.chat.retry(params.conversation_id), params.partial_result_token)

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
                )
            )
        return m.Conversation(conversation_id=found.id, title=found.title, messages=messages)

    @server.own("lido/chat/apply")
    async def apply(params: m.ChatApply) -> m.ReviewOpened:
        from lido.chat.applying import UnplacedError, review_block
        from lido.chat.blocks import CodeBlock
        from lido.edits.files import Refused

        path = to_path(params.uri)
        if path is None:
            raise RequestFailed("Only a block for a file can be applied.")
        block = CodeBlock(params.language, params.text)
        try:
            review = await review_block(block, str(path), server.files, server.reviews)
        except (UnplacedError, Refused) as error:
            raise RequestFailed(str(error)) from None
        return m.ReviewOpened(review_id=review.id)

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
