"""Agent mode for models that can use tools: the loop is thin, what it works with is in `tools`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from lido.models.base import Capabilities, Message, Tool
from lido.plan import calls, rounds
from lido.plan.permissions import Denied
from lido.plan.run import GaveUp, Run, Step, prompt
from lido.plan.tools import Finished, Toolbox
from lido.settings import PlanSettings
from lido.workspace.attachments import Excerpt, fenced, fit, tokens

MALFORMED = 4
"""Answers without a usable call, one after the other, after which the run ends."""
REPEATED = 3
"""Times that the same call may bring the same result before the run ends."""
UNPROVEN = 3
"""Times that the model may say it is done while the tests fail."""


async def work(
    run: Run, box: Toolbox, excerpts: Sequence[Excerpt], can: Capabilities, settings: PlanSettings
) -> str:
    """Works in the copy until the model finishes with passing tests; the evidence, as sentences. Raises
    GaveUp."""
    has_tests = any(tool.name == "test" for tool in box.tools)
    before = None
    if has_tests:
        try:
            before = await box.test()
        except Denied:
            has_tests = False
    run.tell("planning", message="")
    talk = _opening(run, box, excerpts, can)
    malformed = unproven = 0
    repeated: Counter[str] = Counter()
    for number in range(settings.max_steps):
        reply = await run.ask(
            compact(talk, can),
            max_tokens=min(4096, can.context_window // 4),
            tools=box.tools,
            schema=None if can.tools else calls.schema(box.tools),
        )
        found = calls.read(reply, box.tools)
        talk.append(Message("assistant", reply.text, reply.tool_calls))
        if found.problem:
            malformed += 1
            if malformed >= MALFORMED:
                raise GaveUp(f"The model's answers could not be used: {found.problem}.")
            said = f"That was not a usable call: {found.problem}."
            talk += [Message("tool", said, tool_call_id=c.id) for c in reply.tool_calls] or [
                Message("user", said)
            ]
            continue
        malformed = 0
        results: list[tuple[calls.Call, str]] = []
        for call in found.calls if can.tools else found.calls[:1]:
            run.tell(steps=(*run.update.steps, _step(call)), message=_step(call).title)
            state = "editing" if call.name in ("edit", "create", "delete") else "planning"
            run.tell("editing" if state == "editing" else "planning")
            run.trajectory.record("call", name=call.name, arguments=call.arguments)
            try:
                result = await box.call(call.name, call.arguments)
            except Finished as end:
                run.step(len(run.update.steps) - 1, "done")
                if not has_tests or not box.edited:
                    note = "" if has_tests else " There was no test to check it with."
                    return f"{end}{note}"
                after = await box.test()
                if after.ok:
                    return f"{end} Tests before: {rounds.summary(before)}; now: {rounds.summary(after)}."
                unproven += 1
                if unproven >= UNPROVEN:
                    raise GaveUp(
                        f"The tests still fail after {number + 1} steps: {rounds.summary(after)}. "
                        f"What the model says: {end}"
                    ) from None
                result = f"Not finished: the tests fail.\n{after.output[-3000:]}"
            run.step(len(run.update.steps) - 1, "done")
            run.trajectory.record("result", name=call.name, text=result)
            repeated[f"{call.key()} {result}"] += 1
            times = repeated[f"{call.key()} {result}"]
            if times >= REPEATED:
                raise GaveUp(f"I went in circles: {_step(call).title}, {times} times with the same result.")
            if times > 1:
                result += "\n(You did exactly this before, with the same result. Try something else.)"
            results.append((call, result))
        talk += [
            Message("tool", text, tool_call_id=call.id)
            if call.id
            else Message("user", f"{call.name}: {text}")
            for call, text in results
        ]
    raise GaveUp(f"I used all {settings.max_steps} steps without finishing. {run.tried()}")


def _opening(run: Run, box: Toolbox, excerpts: Sequence[Excerpt], can: Capabilities) -> list[Message]:
    system = prompt("agent")
    if not can.tools:
        described = "\n".join(
            f"- {tool.name}({', '.join(_parameters(tool))}): {tool.description}" for tool in box.tools
        )
        system += "\n\n" + prompt("agent_json").replace("{tools}", described)
    shown = [fenced(e) for e in fit(excerpts, can.context_window // 4)]
    return [Message("system", system), Message("user", "\n\n".join((*shown, f"Task: {run.instruction}")))]


def _parameters(tool: Tool) -> list[str]:
    required = tool.parameters["required"]
    return [name if name in required else f"{name}?" for name in tool.parameters["properties"]]


def _step(call: calls.Call) -> Step:
    """What the person sees of a call."""
    shown = next((str(v) for v in call.arguments.values()), "").strip().split("\n")[0][:80]
    path = call.arguments.get("path")
    return Step(f"{call.name} {shown}".strip(), "", (str(path),) if path else (), "running")


def compact(talk: Sequence[Message], can: Capabilities) -> list[Message]:
    """`talk` within three quarters of the window less the answer: the oldest results are shortened first,
    the task and the newest messages stay. The model is told in their place."""
    budget = can.context_window * 3 // 4 - min(4096, can.context_window // 4)
    sizes = [tokens(m.content) + sum(tokens(c.arguments) for c in m.tool_calls) for m in talk]
    total = sum(sizes)
    short = list(talk)
    for index in range(2, len(talk) - 2):
        if total <= budget:
            break
        message = talk[index]
        if message.role != "assistant" and sizes[index] > 40:
            short[index] = replace(
                message, content=message.content[:60] + " … (left out; call again if needed)"
            )
            total -= sizes[index] - tokens(short[index].content)
    return short
