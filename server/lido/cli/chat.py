"""``lido chat``"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lido.chat.service import Answer
    from lido.cli.session import Session
    from lido.workspace.attachments import Attachment


def command(
    text: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]", help="The question. Without it, a conversation.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file", "-f", help="Attach FILE, FILE:10-20, a folder, @workspace or @diff. May be repeated."
        ),
    ] = None,
    resume: Annotated[str, typer.Option("--continue", "-c", help="Go on with this conversation.")] = "",
    last: Annotated[bool, typer.Option("--last", "-l", help="Go on with the newest conversation.")] = False,
    model: Annotated[str, typer.Option(help="A [models.NAME] of your settings.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
    find: Annotated[str | None, typer.Option(help="List conversations that contain this.")] = None,
    export: Annotated[str, typer.Option(metavar="ID", help="Print a conversation as Markdown.")] = "",
    delete: Annotated[str, typer.Option(metavar="ID", help="Delete a conversation.")] = "",
) -> None:
    """Ask about the code in the current directory. What is piped in goes along.

    Slash commands: /explain /fix /tests /doc /commit /review, as in: git diff | lido chat /review
    """
    from lido.chat.conversations import UnknownConversation
    from lido.cli.session import attached, piped
    from lido.models.base import ModelError
    from lido.workspace.attachments import Attachment

    root = Path.cwd()
    try:
        attachments = attached(file or [], root)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    question = " ".join(text or [])
    if find is None and not export and not delete and (output := piped()):
        if question:
            attachments.append(Attachment("output", text=output, name="standard input"))
        else:
            question = output
    try:
        code = asyncio.run(
            _run(root, question, attachments, resume, last, model or None, as_json, find, export, delete)
        )
    except ModelError as error:
        print(f"{error}\n`lido doctor` checks every model.", file=sys.stderr)
        code = 1
    except UnknownConversation as error:
        print(f"There is no conversation {error}. `lido chat --find ''` lists them.", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("\n(broken off; what came is kept)", file=sys.stderr)
        code = 1
    raise typer.Exit(code)


async def _run(
    root: Path,
    question: str,
    attachments: list[Attachment],
    resume: str,
    last: bool,
    model: str | None,
    as_json: bool,
    find: str | None,
    export: str,
    delete: str,
) -> int:
    from lido.cli.session import session

    async with session(root) as s:
        if find is not None:
            for summary in await s.chat.store.list(find):
                print(f"{summary.id}  {summary.updated[:16]}  {summary.messages:3}  {summary.title}")
            return 0
        if export:
            print(await s.chat.store.export(export), end="")
            return 0
        if delete:
            await s.chat.store.delete(delete)
            return 0
        conversation: str | None = resume or None
        if last and (newest := await s.chat.store.list(limit=1)):
            conversation = newest[0].id
        if question:
            await _turn(s, conversation, question, attachments, model, as_json)
            return 0
        if not sys.stdin.isatty():
            print("Nothing was asked. Give a TEXT, or pipe one in.", file=sys.stderr)
            return 2
        print("Ask away; an empty line or Ctrl+D ends.", file=sys.stderr)
        while True:
            try:
                question = (await asyncio.to_thread(input, "\n› ")).strip()
            except EOFError:
                return 0
            if not question:
                return 0
            answer = await _turn(s, conversation, question, attachments, model, as_json)
            conversation, attachments = answer.conversation_id, []


async def _turn(
    s: Session,
    conversation: str | None,
    question: str,
    attachments: list[Attachment],
    model: str | None,
    as_json: bool,
) -> Answer:
    import json
    from contextlib import aclosing

    from lido.chat.service import Answer

    async with aclosing(s.chat.send(conversation, question, attachments, model)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Answer):
                answer = piece
            elif not as_json:
                print(piece, end="", flush=True)
    if as_json:
        print(
            json.dumps(
                {
                    "conversationId": answer.conversation_id,
                    "messageId": answer.message_id,
                    "text": answer.text,
                    "codeBlocks": [
                        {"language": b.language, "text": b.text, "path": b.path} for b in answer.code_blocks
                    ],
                    "usage": {
                        "promptTokens": answer.usage.prompt_tokens,
                        "completionTokens": answer.usage.completion_tokens,
                    },
                    "model": answer.model,
                    "notes": answer.notes,
                },
                ensure_ascii=False,
            )
        )
    else:
        print()
    for note in answer.notes:
        print(f"({note})", file=sys.stderr)
    return answer
