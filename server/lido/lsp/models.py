"""``lido/models…``: which models there are, and one by itself for editors with a chat of their own."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from lido.lsp import messages as m
from lido.lsp.server import RequestFailed

if TYPE_CHECKING:
    from lido.lsp.server import LidoServer
    from lido.models.base import Backend, ChatRequest
    from lido.settings import Role


def register(server: LidoServer) -> None:
    @server.own("lido/models")
    async def models(params: m.ModelsQuery) -> m.Models:
        from lido.models.base import Capabilities, ModelError

        found = []
        for status in server.models.statuses():
            try:
                can = server.models.backend(status.name).capabilities
            except ModelError:  # its configuration is at fault, which its status says
                can = Capabilities()
            found.append(
                m.ModelInfo(
                    name=status.name,
                    provider=status.provider,
                    model=status.model,
                    state=status.state,
                    message=status.message,
                    tools=can.tools,
                    context_window=can.context_window,
                )
            )
        roles: tuple[Role, ...] = ("chat", "completion", "plan")
        return m.Models(models=found, roles={role: server.settings.role(role) for role in roles})

    @server.own("lido/models/ask")
    async def ask(params: m.ModelAsk) -> m.ModelAnswer:
        from lido.models.base import ChatRequest, Message, ModelError, Tool, ToolCall

        messages = tuple(
            Message(
                turn.role,
                turn.text,
                tuple(ToolCall(call.id, call.name, call.arguments) for call in turn.tool_calls),
                turn.tool_call_id or "",
            )
            for turn in params.turns
        )
        tools = tuple(Tool(tool.name, tool.description, tool.parameters) for tool in params.tools)

        def build(backend: Backend) -> ChatRequest:
            can = backend.capabilities
            longest = min(4096, can.context_window // 4)
            return ChatRequest(
                messages, max_tokens=longest, temperature=0.2, tools=tools if can.tools else ()
            )

        answer = m.ModelAnswer(text="", tool_calls=[], usage=m.TokenUsage())
        try:
            async with aclosing(server.models.stream("chat", build, params.model)) as stream:
                async for _, chunk in stream:
                    answer.text += chunk.text
                    for call in chunk.tool_calls:
                        told = m.ModelToolCall(id=call.id, name=call.name, arguments=call.arguments)
                        answer.tool_calls.append(told)
                    if chunk.usage:
                        answer.usage = m.TokenUsage(
                            prompt_tokens=chunk.usage.prompt_tokens,
                            completion_tokens=chunk.usage.completion_tokens,
                            cached_tokens=chunk.usage.cached_tokens,
                        )
                    if chunk.text and params.partial_result_token is not None:
                        delta = m.ChatDelta(delta=chunk.text).encode()
                        server.progress(lsp.ProgressParams(params.partial_result_token, delta))
        except ModelError as error:
            raise RequestFailed(str(error)) from None
        return answer
