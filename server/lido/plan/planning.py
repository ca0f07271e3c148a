"""The steps of a plan: asked of the model, read tolerantly, each placed in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lido.models.base import Capabilities, Message
from lido.plan import answers, explore
from lido.plan.run import GaveUp, Run, Step, prompt
from lido.workspace.attachments import Excerpt, fenced


async def steps(
    run: Run, excerpts: Sequence[Excerpt], can: Capabilities, failing: str = ""
) -> tuple[list[Message], list[Step]]:
    """The conversation so far, and the steps the model wants, each with a file. `failing` is what a test
    says. A larger model may ask the person first."""
    known = [e.path for e in excerpts if e.path]
    system = prompt("system_small" if can.small else "system")
    template = prompt("round" if failing else "steps_small" if can.small else "steps")
    for _ in range(3):
        task = template.replace("{output}", failing).replace("{task}", run.instruction)
        shown = "\n\n".join(fenced(e) for e in excerpts)
        talk = [Message("system", system), Message("user", f"{shown}\n\n{task}")]
        editable = _editable(run.instruction, known)
        reply = await run.ask(
            talk, max_tokens=220 if can.small else 1500, schema=_schema(editable, can.small)
        )
        found, question = answers.steps(reply.text)
        if not question:
            break
        run.instruction = (
            f"{run.instruction}\n{question} {await run.ask_human(f'The model asks: {question}')}"
        )
    files = [name for name in known if name in editable] or editable
    if not found:
        found = [Step(run.instruction.strip()[:200], "", tuple(files[:1]))]
    placed = [_placed(step, editable if can.small else [], files) for step in found]
    talk.append(Message("assistant", reply.text or "{}"))
    return talk, placed


async def agreed(
    run: Run, talk: Sequence[Message], steps: Sequence[Step]
) -> tuple[list[Message], list[Step]]:
    """The conversation and the steps once the person has gone over them. Raises GaveUp where none is left."""
    run.edited = None
    run.tell(steps=tuple(steps))
    await run.ask_human("Go on with these steps?", "steps")
    if run.edited is None or run.edited == tuple(steps):
        return list(talk), list(steps)
    files = list(dict.fromkeys(name for step in steps for name in step.files))
    wanted = [_placed(step, [], files) for step in run.edited if step.title.strip()]
    if not wanted:
        raise GaveUp("No step was left to do.")
    told = [{"file": ", ".join(step.files), "change": step.title} for step in wanted]
    answer = Message("assistant", json.dumps({"steps": told}, ensure_ascii=False))
    run.instruction = "\n".join(
        (run.instruction, "Do exactly this:", *(f"- {step['file']}: {step['change']}" for step in told))
    )
    return [*talk[:-1], answer], wanted


def _placed(step: Step, allowed: Sequence[str], files: Sequence[str]) -> Step:
    """`step` with a file it belongs to: its own, one it names, else the first one."""
    if step.files and (not allowed or all(name in allowed for name in step.files)):
        return step
    text = f"{step.title} {' '.join(step.files)}"
    named = [name for name in files if name in text or name.rsplit("/", 1)[-1] in text]
    return replace(step, files=tuple(named[:1] or files[:1]))


def _editable(instruction: str, known: Sequence[str]) -> list[str]:
    """The files a small model may choose from: those it was shown and those the instruction names. Tests
    that fail are there to be passed, so they are left out unless they are what is to be written."""
    named = [name.removeprefix("./") for name in explore.paths_in(instruction)]
    named = [n for n in named if not any(k == n or k.endswith("/" + n) for k in known)]
    about_tests = re.search(r"\b(?:write|add|new|create)\b.{0,30}\btests?\b", instruction, re.I)
    code = [name for name in known if not explore.is_test(name)]
    tests = [name for name in known if explore.is_test(name)]
    chosen = [*code, *tests] if about_tests or not code else code
    chosen += [name for name in tests if name in instruction and name not in chosen]
    return [*chosen, *named] or list(known)


def _schema(files: Sequence[str], small: bool) -> dict[str, Any]:
    file: dict[str, Any] = {"type": "string", "maxLength": 300}
    if small:
        file = {"type": "string", "enum": list(files)}
    step = {
        "type": "object",
        "properties": {"file": file, "change": {"type": "string", "maxLength": 160 if small else 400}},
        "required": ["file", "change"],
        "additionalProperties": False,
    }
    properties: dict[str, Any] = {"steps": {"type": "array", "items": step, "maxItems": 4 if small else 20}}
    if small:
        properties["steps"]["minItems"] = 1
        return {
            "type": "object", "properties": properties, "required": ["steps"], "additionalProperties": False,
        }  # fmt: skip
    step["properties"]["reason"] = {"type": "string", "maxLength": 400}  # type: ignore[index]
    properties["question"] = {"type": "string", "maxLength": 500}
    return {"type": "object", "properties": properties, "additionalProperties": False}
