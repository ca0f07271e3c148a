"""Asks the embedded models for the edits in `tasks`, in each format, and records their answers.

    python tests/edits/generate_outputs.py MODEL [FORMAT …]    # qwen2.5-coder-0.5b, qwen2.5-coder-1.5b

Rows already recorded are kept. Needs the models (`lido model pull`).
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
from pathlib import Path

from tasks import TASKS, Task

from lido.edits import prompting
from lido.models.base import ChatRequest, Message
from lido.models.registry import Models
from lido.settings import Home, ModelSettings, RoleSettings, Settings, Timeouts

OUTPUTS = Path(__file__).with_name("model_outputs.jsonl.gz")


def prompt(task: Task, asked: prompting.Asked) -> str:
    return f"{task.path}:\n```\n{task.before}```\n\n{task.instruction}\n\n" + prompting.instructions(
        asked, task.path
    )


def read() -> list[dict[str, str]]:
    if not OUTPUTS.exists():
        return []
    with gzip.open(OUTPUTS, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write(rows: list[dict[str, str]]) -> None:
    temporary = OUTPUTS.with_suffix(".tmp")
    with gzip.GzipFile(temporary, "wb", mtime=0) as file:
        for row in sorted(rows, key=lambda r: (r["model"], r["format"], r["task"])):
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    temporary.replace(OUTPUTS)


async def main(model: str, formats: list[prompting.Asked]) -> None:
    settings = Settings(
        models={
            "local": ModelSettings(
                provider="embedded", model=model, timeouts=Timeouts(first_token=600, between_tokens=600)
            )
        },
        roles=RoleSettings(plan="local"),
    )
    models = Models(settings, Home())
    try:
        for asked in formats:
            rows = read()
            known = {(r["model"], r["format"], r["task"]) for r in rows}
            for task in TASKS:
                if (model, asked, task.id) in known:
                    continue
                text = prompt(task, asked)
                request = ChatRequest(
                    (Message("user", text),),
                    max_tokens=600,
                    temperature=0.0,
                    json_schema=prompting.schema() if asked == "json" else None,
                )
                start = time.monotonic()
                answer = ""
                async for _, chunk in models.stream("plan", lambda _, request=request: request):
                    answer += chunk.text
                rows.append(
                    {"model": model, "format": asked, "task": task.id, "prompt": text, "output": answer}
                )
                print(f"{model} {asked} {task.id} {time.monotonic() - start:.1f} s", flush=True)
                write(rows)
    finally:
        await models.close()


if __name__ == "__main__":
    wanted = sys.argv[2:] or ["region", "search_replace", "json"]
    asyncio.run(main(sys.argv[1], wanted))  # type: ignore[arg-type]
