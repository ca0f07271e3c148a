"""``python tests/bench/replay_typing.py FILE…``: types real files, 5 to 12 keys a second, and reports reuse.

The scripted backend continues with the file's own next lines, sometimes gone wrong, 150 ms to the first word.
Time is real; `--keys` bounds it. Flicker is a suggestion that changed though what was typed agreed with it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.model_server import ModelServer, Script, Seen
from lido.completion.engine import Completer
from lido.events.attribution import Context, Tracker
from lido.events.store import EventLog
from lido.models.registry import Models
from lido.settings import CompletionSettings, Home, ModelSettings, Settings
from lido.workspace.documents import Documents
from lido.workspace.syntax import language_of


async def replay(path: Path, keys: int, seed: int) -> dict[str, int]:
    text = path.read_text(encoding="utf-8")
    chance = random.Random(seed)
    count = dict.fromkeys(("keys", "answered", "reused", "requests", "sent", "cut short", "flicker"), 0)
    cursor = text.index("\n", len(text) // 3) + 1
    uri = path.as_uri()
    state = {"cursor": cursor}

    def answer(seen: Seen) -> Script:
        at = state["cursor"]
        rest = text[at : at + 160]
        if chance.random() < 0.4:
            cut = chance.randrange(1, 20)
            rest = rest[:cut] + "wrong_way(" + rest[cut:]
        return Script([rest[n : n + 4] for n in range(0, len(rest), 4)], first=0.15, delay=0.01)

    with tempfile.TemporaryDirectory() as folder:
        async with ModelServer() as server:
            server.answer = answer
            model = ModelSettings(provider="openai", base_url=f"{server.url}/v1", model="qwen2.5-coder-7b")
            models = Models(Settings(models={"m": model}), Home(Path(folder)))
            log = EventLog(Path(folder, "events.sqlite3"), lambda _: None)
            completer = Completer(
                models, Tracker(log, Context()), lambda: CompletionSettings(), lambda _: None
            )
            documents = Documents()
            documents.listen(completer.document_changed)
            documents.open(uri, language_of(path), 0, text[:cursor] + "\n\n" + text[cursor + 800 :], path)
            shown: tuple[int, str] | None = None
            asked: asyncio.Task[None] | None = None

            async def ask(at: int) -> None:
                nonlocal shown
                document = documents.get(uri)
                assert document
                found = await completer.complete(document, at)
                if documents.get(uri) is not document:
                    return
                if found:
                    count["answered"] += 1
                    count["reused"] += found[0].reused
                    if shown and document.slice(shown[0], at) == shown[1][: at - shown[0]]:
                        left = shown[1][at - shown[0] :]
                        count["flicker"] += bool(left) and found[0].text != left
                    shown = at, found[0].text
                else:
                    if shown and document.slice(shown[0], at) == shown[1][: at - shown[0]]:
                        count["flicker"] += bool(shown[1][at - shown[0] :])
                    shown = None

            for number in range(min(keys, 780)):
                letter = text[cursor]
                documents.replace(uri, number + 1, [(cursor, cursor, letter)])
                cursor += 1
                state["cursor"] = cursor
                count["keys"] += 1
                if asked and not asked.done():
                    asked.cancel()
                asked = asyncio.create_task(ask(cursor))
                pause = chance.uniform(1 / 12, 1 / 5)
                await asyncio.sleep(pause * (4 if letter == "\n" else 1))
            if asked:
                await asyncio.wait([asked])
            await completer.close()
            await models.close()
            count["requests"] = len(server.seen)
            count["sent"] = sum(seen.sent for seen in server.seen)
            count["cut short"] = sum(seen.closed_early.is_set() for seen in server.seen)
            await asyncio.to_thread(log.close)
    return count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--keys", type=int, default=300)
    chosen = parser.parse_args()
    print(
        "| file | keys | with a suggestion | of these reused | requests | pieces sent | cut short | flicker |"
    )
    print("|---|---|---|---|---|---|---|---|")
    flicker = 0
    for number, path in enumerate(chosen.files):
        row = asyncio.run(replay(path.resolve(), chosen.keys, number))
        flicker += row["flicker"]
        print(f"| {path.name} | " + " | ".join(str(value) for value in row.values()) + " |", flush=True)
    raise SystemExit(1 if flicker else 0)


if __name__ == "__main__":
    main()
