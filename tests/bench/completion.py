"""``python tests/bench/completion.py``: what Lido adds to a completion, as a Markdown table.

Overhead is the answer's time minus what the scripted backend takes: the median of a bare HTTP client's exchanges
with it in the same run, of the same size, over a connection of its own, up to the last word. Editor, server and
backend are a process each; the editor is JSON over the server's stdio, with nothing of ours in it.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.model_server import ModelServer, Script
from fakes.raw_client import RawClient
from lido.lsp.client import Client
from lido.workspace.documents import Documents


def source(lines: int) -> str:
    return "".join(
        f"class Item{number}:\n"
        f'    """An item, number {number}."""\n\n'
        f"    def total_{number}(self, price: float, rate: float) -> float:\n"
        f"        subtotal = price * {number}\n"
        f"        return round(subtotal * (1 + rate), 2)\n\n\n"
        for number in range(lines // 8)
    )


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def memory(pid: int) -> float:
    """Resident megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


PROMPT = 8000
"""Characters of the bare client's prompt: about what Lido sends here."""


def _serve(latency: float, address: Any) -> None:
    async def serve() -> None:
        async with ModelServer(Script(["subtotal", " + 1"], first=latency)) as backend:
            address.send(backend.url)
            await asyncio.Event().wait()

    asyncio.run(serve())


@contextmanager
def backend_process(latency: float) -> Iterator[str]:
    """Where a scripted backend listens, in a process of its own."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(latency, there))
    process.start()
    there.close()  # so that its end is seen should it fail
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


async def bare(url: str, characters: int, count: int = 60) -> float:
    """Median seconds of the backend's own answer, as a plain client sees it."""
    import httpx

    body = {"model": "m", "prompt": "x" * characters, "max_tokens": 128, "stream": True}
    times = []
    async with httpx.AsyncClient(timeout=30) as client:
        for _ in range(count):
            began = time.perf_counter()
            async with client.stream("POST", f"{url}/v1/completions", json=body) as response:
                async for line in response.aiter_lines():
                    if " + 1" in line:
                        break
            times.append(time.perf_counter() - began)
    return statistics.median(times)


async def overhead(lines: int, latency: float, count: int) -> list[str]:
    """Asks in `count` places, typing in between, and reports percentiles, typed-through and cancel times."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIDO_HOME"], os.environ["LIDO_CONFIG"] = f"{folder}/home", f"{folder}/none.toml"
        root = Path(folder, "project")
        root.mkdir()
        for number in range(20):
            (root / f"other{number}.py").write_text(source(200))
        path = root / "a.py"
        path.write_text(source(lines))
        text = path.read_text()
        with backend_process(latency) as url:
            settings = {
                "models": {"m": {"provider": "openai", "base_url": f"{url}/v1", "model": "qwen2.5-coder-7b"}},
                "completion": {"debounce_ms": 0},
            }
            alone = await bare(url, PROMPT)
            async with RawClient(root, settings) as client:
                uri = path.as_uri()
                document = {"uri": uri, "languageId": "python", "version": 0, "text": text}
                client.notify("textDocument/didOpen", {"textDocument": document})
                line = text.count("\n", 0, text.index("        return", len(text) // 2))

                async def ask(line: int, character: int) -> str:
                    parameters = {
                        "textDocument": {"uri": uri},
                        "position": {"line": line, "character": character},
                        "context": {"triggerKind": 2},
                    }
                    answer = await client.request("textDocument/inlineCompletion", parameters)
                    return str(answer["items"][0]["insertText"]) if answer["items"] else ""

                def type_at(line: int, character: int, text: str, version: int) -> None:
                    here = {"line": line, "character": character}
                    change = {"range": {"start": here, "end": here}, "text": text}
                    client.notify(
                        "textDocument/didChange",
                        {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]},
                    )

                await ask(0, 0)
                await asyncio.sleep(2)  # the index
                added: list[float] = []
                through: list[float] = []
                for number in range(count):
                    typed = f"        x{number} = "
                    type_at(line, 0, typed + "\n", 2 * number + 1)
                    began = time.perf_counter()
                    assert await ask(line, len(typed)) == "subtotal + 1"
                    added.append((time.perf_counter() - began - alone) * 1000)
                    type_at(line, len(typed), "su", 2 * number + 2)
                    began = time.perf_counter()
                    assert await ask(line, len(typed) + 2) == "btotal + 1"
                    through.append((time.perf_counter() - began) * 1000)
                    line += 1
                resident = memory(client.process.pid)
    return [
        f"{lines:,}",
        f"{latency * 1000:.0f}",
        f"{alone * 1000:.1f}",
        f"{percentile(added, 0.5):.1f} / {percentile(added, 0.95):.1f} / {percentile(added, 0.99):.1f}",
        f"{percentile(through, 0.5):.1f} / {percentile(through, 0.95):.1f}",
        f"{resident:.0f}",
    ]


def keystroke(lines: int) -> float:
    """Median milliseconds of one keystroke's change."""
    documents = Documents()
    document = documents.open("file:///a.py", "python", 0, source(lines))
    line = document.line_count // 2
    times = []
    for version in range(1, 501):
        began = time.perf_counter()
        documents.change("file:///a.py", version, [((line, 0, line, 0), "x")], "utf-16")
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


async def cancel(count: int) -> list[float]:
    """Milliseconds from the cancel notification to the backend's socket closed."""
    from lsprotocol import types as lsp

    times = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIDO_HOME"], os.environ["LIDO_CONFIG"] = f"{folder}/home", f"{folder}/none.toml"
        root = Path(folder)
        (root / "a.py").write_text("x = \n" * 50)
        async with ModelServer(Script(["a"] * 1000, delay=0.02)) as backend:
            settings = {
                "models": {
                    "m": {"provider": "openai", "base_url": f"{backend.url}/v1", "model": "qwen2.5-coder-7b"}
                },
                "completion": {"debounce_ms": 0},
            }
            async with Client(root, settings) as client:
                document = client.open(root / "a.py", "python")
                for number in range(count):
                    asked = asyncio.create_task(client.complete_inline(document.uri, 5 * number + 4))
                    seen = (await backend.requests(number + 1))[number]
                    while seen.sent < 2:
                        await asyncio.sleep(0.005)
                    pending = client.protocol._request_futures
                    identifier = next(key for key, future in pending.items() if not future.done())
                    began = time.perf_counter()
                    client.cancel_request(lsp.CancelParams(identifier))
                    await seen.closed_early.wait()
                    times.append((time.perf_counter() - began) * 1000)
                    asked.cancel()
    return times


def start(count: int = 7) -> tuple[float, float]:
    """Median seconds: until `initialize` is answered, and what importing pygls alone takes."""

    async def one() -> float:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["LIDO_HOME"] = folder
            began = time.perf_counter()
            async with Client(Path(folder)):
                return time.perf_counter() - began

    spawned = [asyncio.run(one()) for _ in range(count)]
    imported = []
    for _ in range(count):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import pygls.lsp.server"], check=True)
        imported.append(time.perf_counter() - began)
    return statistics.median(spawned), statistics.median(imported)


def make_files(root: Path, files: int) -> None:
    for number in range(files):
        path = root / f"package{number % 50}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source(120).replace("Item", f"Item{number}_"))


def index(files: int) -> tuple[float, float]:
    """Seconds to index so many files from nothing, and to find that nothing changed."""
    from lido.workspace.index import location, update

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "project")
        make_files(root, files)
        database = location(Path(folder, "cache"), root)
        began = time.perf_counter()
        update(database, root)
        first = time.perf_counter() - began
        began = time.perf_counter()
        update(database, root)
        return first, time.perf_counter() - began


async def indexed(files: int) -> float:
    """Megabytes of a server that completes in a workspace of so many files, its index read."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIDO_HOME"], os.environ["LIDO_CONFIG"] = f"{folder}/home", f"{folder}/none.toml"
        root = Path(folder, "project")
        make_files(root, files)
        async with ModelServer(Script(["Item7_3().total_3(1, 2)"])) as backend:
            settings = {
                "models": {
                    "m": {"provider": "openai", "base_url": f"{backend.url}/v1", "model": "qwen2.5-coder-7b"}
                },
                "completion": {"debounce_ms": 0},
            }
            async with Client(root, settings) as client:
                path = root / "a.py"
                path.write_text(source(200))
                document = client.open(path, "python")
                for number in range(200):
                    at = document.text.index("        return", number * 20)
                    typed = f"        x{number} = Item{number}_3().total_3("
                    document = client.replace(document.uri, at, at, typed + "\n")
                    await client.complete_inline(document.uri, at + len(typed))
                    if number % 40 == 0:
                        await asyncio.sleep(3)
                assert client._server
                return memory(client._server.pid)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--files", type=int, default=5000)
    chosen = parser.parse_args()
    print(
        "| lines | backend waits, ms | alone, ms | added p50 / p95 / p99, ms "
        "| typed through p50 / p95, ms | server, MB |"
    )
    print("|---|---|---|---|---|---|")
    for lines, latency in ((200, 0.0), (2000, 0.0), (2000, 0.05), (20_000, 0.0)):
        print("| " + " | ".join(asyncio.run(overhead(lines, latency, chosen.count))) + " |", flush=True)
    strokes = ", ".join(f"{keystroke(lines):.3f} ms at {lines:,} lines" for lines in (200, 2000, 20_000))
    print(f"\nA keystroke costs {strokes}.")
    times = asyncio.run(cancel(30))
    print(
        f"From cancel to the backend's socket closed: p50 {percentile(times, 0.5):.1f} ms, "
        f"p95 {percentile(times, 0.95):.1f} ms."
    )
    spawned, imported = start()
    print(
        f"From spawn to `initialize` answered: {spawned:.2f} s; importing pygls alone takes {imported:.2f} s."
    )
    if chosen.files:
        first, again = index(chosen.files)
        print(f"Index of {chosen.files:,} files: {first:.1f} s; when nothing changed {again:.1f} s.")
        print(
            f"The server's memory with {chosen.files:,} files indexed: {asyncio.run(indexed(chosen.files)):.0f} MB."
        )


if __name__ == "__main__":
    main()
