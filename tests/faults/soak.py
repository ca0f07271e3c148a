"""Hours of work in minutes on the real server, its backend failing now and then: memory stays flat, and at the
end every suggestion that was shown has one outcome.

    python tests/faults/soak.py --seconds 600                 one editor on stdio, 200 documents
    python tests/faults/soak.py --seconds 600 --clients 50    so many at once over TCP
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.model_server import ModelServer, Script, Seen
from fakes.raw_client import RawClient

DOCUMENTS = 200
OPEN_AT_ONCE = 20
BOUND = 15.0
"""Seconds for any answer, on two busy cores, with the backend's time-outs within."""
OUTCOMES = ("accepted", "partially_accepted", "rejected", "ignored")
STEPS = json.dumps({"steps": [{"file": "m0.py", "change": "multiply"}]})
BLOCK = "m0.py\n<<<<<<< SEARCH\n    return x + 1\n=======\n    return x * 2\n>>>>>>> REPLACE\n"
FAULTS = [
    Script(fault="reset"), Script(fault="reset mid-stream"), Script(fault="hang"), Script(fault="html"),
    Script(fault="invalid json"), Script(status=500), Script(status=503), Script(status=429),
    Script(status=401), Script(["a"] * 50, delay=0.1),
]  # fmt: skip


class TcpClient(RawClient):
    """A session of its own on a server that many share."""

    async def connect(self, port: int) -> Self:
        reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
        await self.begin(reader, self.writer)
        return self

    async def leave(self) -> None:
        await self.request("shutdown", None)
        self.notify("exit", None)
        async with asyncio.timeout(BOUND):
            await asyncio.wait([self._reader])
        self.writer.close()


@dataclass
class Report:
    done: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)
    memory: list[float] = field(default_factory=list)
    """MB resident, sampled at even distances; the first once everything has been used."""
    files: list[int] = field(default_factory=list)
    children: int = 0
    """Processes that the server had at once, at the most."""
    shown: int = 0

    @property
    def growth(self) -> float:
        """MB between the second quarter of the time and the last one."""
        quarter = max(1, len(self.memory) // 4)
        early, late = self.memory[quarter : 2 * quarter] or self.memory, self.memory[-quarter:]
        return sum(late) / len(late) - sum(early) / len(early)

    def __str__(self) -> str:
        done = ", ".join(f"{count} {what}" for what, count in self.done.most_common())
        slow = ", ".join(f"{what} {1000 * took:.0f} ms" for what, took in self.slowest.items())
        return (
            f"{done}\nslowest: {slow}\nmemory {self.memory[0]:.0f} to {self.memory[-1]:.0f} MB, "
            f"growth {self.growth:+.1f} MB; descriptors {self.files[0]} to {self.files[-1]}; "
            f"at most {self.children} child processes; {self.shown} shown"
        )


class Person:
    """Types, asks, plans and changes settings in one editor; `between_keys` in seconds."""

    def __init__(
        self, client: RawClient, root: Path, number: int, report: Report, between_keys: float
    ) -> None:
        self.client, self.root, self.report = client, root, report
        self.between_keys = between_keys
        self.random = random.Random(number)
        self.texts: dict[str, tuple[int, str]] = {}

    async def timed(self, method: str, params: Any) -> Any:
        """The answer; None where it was cancelled, or where the model's
        outage was said instead, in words for people."""
        began = time.monotonic()
        kind = method.rpartition("/")[2]
        found = None
        try:
            found = await self.client.request(method, params, timeout=BOUND)
        except TimeoutError:
            raise AssertionError(f"{method} was not answered within {BOUND:.0f} s: {params}") from None
        except RuntimeError as error:
            if "ancel" in str(error):
                kind += " cancelled"
            elif "The model" in str(error):
                kind += " refused"
            else:
                raise
        took = time.monotonic() - began
        self.report.done[kind] += 1
        self.report.slowest[kind] = max(took, self.report.slowest.get(kind, 0))
        return found

    def path(self) -> Path:
        return self.root / f"m{self.random.randrange(DOCUMENTS)}.py"

    async def work(self, until: float) -> None:
        while time.monotonic() < until:
            await self.type()
            chance = self.random.random()
            if chance < 0.10:
                attachments = [{"kind": "file", "uri": self.path().as_uri()}]
                await self.timed("lido/chat/send", {"text": "How?", "attachments": attachments})
            elif chance < 0.13:
                await self.plan()
            elif chance < 0.18:
                lines = self.random.randrange(4, 30)
                self.client.settings["completion"]["max_lines"] = lines
                self.client.notify(
                    "workspace/didChangeConfiguration", {"settings": {"lido": self.client.settings}}
                )
                self.report.done["settings"] += 1
            elif chance < 0.20:
                await self.timed("lido/metrics", {"by": ["day"], "since": "28d"})

    async def type(self) -> None:
        uri = self.path().as_uri()
        if uri not in self.texts:
            if len(self.texts) >= OPEN_AT_ONCE:
                gone = self.random.choice(list(self.texts))
                del self.texts[gone]
                self.client.notify("textDocument/didClose", {"textDocument": {"uri": gone}})
            text = "def f(x):\n    return x + 1\n" * self.random.randrange(1, 60)
            self.texts[uri] = 1, text
            item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
            self.client.notify("textDocument/didOpen", {"textDocument": item})
        version, text = self.texts[uri]
        line = text.count("\n")
        typed = f"value{self.random.randrange(1000)} = tot"
        asked = None
        for count, letter in enumerate(typed):
            version += 1
            at = {"line": line, "character": count}
            change = {"range": {"start": at, "end": at}, "text": letter}
            document = {"uri": uri, "version": version}
            self.client.notify(
                "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
            )
            text += letter
            await asyncio.sleep(self.between_keys)
            if count % 3 == 0 or count == len(typed) - 1:  # each supersedes the one before
                if asked is not None and self.random.random() < 0.5:
                    self.client.notify("$/cancelRequest", {"id": self.client._number})
                where = {"textDocument": {"uri": uri}, "position": {"line": line, "character": count + 1}}
                last = asked
                asked = asyncio.create_task(
                    self.timed("textDocument/inlineCompletion", {**where, "context": {"triggerKind": 2}})
                )
                await asyncio.sleep(0)
                if last is not None:
                    await last
        assert asked
        found = (await asked or {}).get("items", [])
        self.texts[uri] = version, text
        if found:
            self.report.done["suggestions"] += 1
            await self.decide(uri, found[0])
        version, text = self.texts[uri]
        end = {"line": text.count("\n"), "character": len(text.rpartition("\n")[2])}
        change = {"range": {"start": end, "end": end}, "text": "\n"}
        document = {"uri": uri, "version": version + 1}
        self.client.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})
        self.texts[uri] = version + 1, text + "\n"

    async def decide(self, uri: str, item: dict[str, Any]) -> None:
        identifier = item["command"]["arguments"][0]
        self.client.notify("lido/completion/shown", {"id": identifier})
        chance = self.random.random()
        if chance < 0.4:
            version, text = self.texts[uri]
            change = {"range": item["range"], "text": item["insertText"]}
            document = {"uri": uri, "version": version + 1}
            self.client.notify(
                "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
            )
            begin = item["range"]["start"]["character"]
            head, _, line = text.rpartition("\n")
            self.texts[uri] = version + 1, f"{head}\n{line[:begin]}{item['insertText']}"
            accepted = {"command": "lido.completion.accepted", "arguments": [identifier]}
            await self.timed("workspace/executeCommand", accepted)
        elif chance < 0.7:
            self.client.notify("lido/completion/dismissed", {"id": identifier})
        # else the person types on

    async def plan(self) -> None:
        started = await self.timed(
            "lido/plan/start",
            {"instruction": "Fix f()", "mode": "plan", "attachments": [{"kind": "file", "uri": self.path().as_uri()}]},
        )  # fmt: skip
        if started is None:
            return
        if self.random.random() < 0.5:
            await asyncio.sleep(self.random.random() / 2)  # a person's second thoughts
            await self.timed("lido/plan/cancel", started)
        over = {"review", "done", "gaveUp", "failed", "cancelled", "waiting"}

        def last() -> dict[str, Any]:
            updates = [
                params
                for method, params in self.client.notifications
                if method == "lido/plan/update" and params["planId"] == started["planId"]
            ]
            return updates[-1] if updates else {}

        def state() -> str:
            return str(last().get("state", ""))

        async with asyncio.timeout(3 * BOUND), self.client.news:
            await self.client.news.wait_for(lambda: state() in over)
        if state() == "waiting":
            await self.timed("lido/plan/cancel", started)
        self.report.done[f"plans {state()}"] += 1
        if identifier := last().get("reviewId"):  # what stays undecided is kept, and takes room
            review = await self.timed("lido/review/get", {"reviewId": identifier})
            hunks = [hunk["hunkId"] for file in (review or {}).get("files", []) for hunk in file["hunks"]]
            rejected = {"reviewId": identifier, "hunkIds": hunks, "decision": "reject"}
            await self.timed("lido/review/decide", rejected)


class Weather:
    """The backend: fine for the most part, gone for a tenth of the time, and a fault now and then."""

    def __init__(self) -> None:
        self.random = random.Random(0)
        self.fair = False

    def answer(self, seen: Seen) -> Script:
        bad = not self.fair and time.monotonic() % 20 > 18
        if bad:
            return FAULTS[self.random.randrange(3)]
        if not self.fair and self.random.random() < 0.02:
            return self.random.choice(FAULTS)
        if re.search("Now make these changes", seen.prompt):
            return Script([BLOCK])
        if re.search("Plan the work", seen.prompt):
            return Script([STEPS])
        if seen.path.endswith("/chat/completions"):
            return Script(["Use ", "this:\n", "```python\n", "x = 2\n", "```\n"])
        return Script(["al(", "items)"])


def resident(process: int) -> float:
    """MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def children(process: int) -> int:
    return sum(
        len((task / "children").read_text().split()) for task in Path(f"/proc/{process}/task").iterdir()
    )


async def watch(
    process: int, seconds: float, report: Report, backend: ModelServer, clients: list[RawClient]
) -> None:
    """Samples the server, and forgets what the fakes keep."""
    while True:
        report.memory.append(resident(process))
        report.children = max(report.children, children(process))
        report.files.append(len(list(Path(f"/proc/{process}/fd").iterdir())))
        await asyncio.sleep(seconds / 60)
        del backend.seen[:-100]
        for client in clients:
            del client.notifications[:-500]


async def soak(seconds: float, clients: int = 0, root: Path | None = None) -> Report:
    """Works for that long; `clients` 0 is one editor on stdio. Raises AssertionError where anything is lost."""
    report, weather = Report(), Weather()
    home = Path(os.environ["LIDO_HOME"])
    async with AsyncExitStack() as stack:
        folder = root or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for number in range(DOCUMENTS):
            (folder / f"m{number}.py").write_text("def f(x):\n    return x + 1\n")
        backend = await stack.enter_async_context(ModelServer())
        backend.answer = weather.answer
        table = {
            "provider": "openai", "base_url": f"{backend.url}/v1", "model": "m", "fim": "qwen",
            "context_window": 16384, "max_retries": 1,
            "timeouts": {"connect": 1, "first_token": 2, "between_tokens": 2, "total": 8},
        }  # fmt: skip

        def settings() -> dict[str, Any]:
            return {"models": {"m": dict(table)}, "completion": {"debounce_ms": 10}}

        sessions: list[RawClient] = []
        if clients:
            server = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "lido", "serve", "--tcp", "127.0.0.1:0",
                stderr=asyncio.subprocess.PIPE, env=os.environ | {"LIDO_SERVE_TOKEN": "soak"},
            )  # fmt: skip
            assert server.stderr
            said = (await server.stderr.readline()).decode()
            found = re.search(r":(\d+)\.", said)
            assert found, said
            drain = asyncio.create_task(server.stderr.read())
            port = int(found[1])
            weather.fair = True
            for _ in range(clients):  # one comes after the other, each once the one before is served
                sessions.append(await TcpClient(folder, settings(), token="soak").connect(port))
                await at_last(sessions[-1], folder)
                report.children = max(report.children, children(server.pid))
            weather.fair = False
        else:
            sessions.append(await RawClient(folder, settings()).__aenter__())
            server = sessions[0].process
        people = [
            Person(client, folder, number, report, 0.1 if clients else 0)
            for number, client in enumerate(sessions)
        ]
        watching = asyncio.create_task(watch(server.pid, seconds, report, backend, sessions))
        until = time.monotonic() + seconds
        try:
            await asyncio.gather(*(person.work(until) for person in people))
            assert server.returncode is None
            weather.fair = True
            await asyncio.gather(*(at_last(client, folder) for client in sessions))
            watching.cancel()
            for client in sessions:
                if isinstance(client, TcpClient):
                    await client.leave()
                else:
                    await client.__aexit__()
            if clients:
                server.terminate()
                await drain
            assert await asyncio.wait_for(server.wait(), BOUND) == 0
        finally:
            watching.cancel()
            if server.returncode is None:
                server.kill()
        assert backend.open_connections == 0
    report.shown = settled(home / "events.sqlite3")
    return report


async def at_last(client: RawClient, root: Path) -> None:
    """The right answer to a text as it is now, before and after everything else."""
    uri = (root / "last.py").as_uri()
    item = {"uri": uri, "languageId": "python", "version": 1, "text": "wholly_new = tot"}
    client.notify("textDocument/didOpen", {"textDocument": item})
    asked = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 16}}
    async with asyncio.timeout(60):  # a breaker lets the first one through after half a minute at the most
        while True:
            answer = await client.request(
                "textDocument/inlineCompletion", {**asked, "context": {"triggerKind": 1}}
            )
            if answer["items"]:
                assert answer["items"][0]["insertText"].endswith("al(items)")
                client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
                return
            await asyncio.sleep(0.2)


def settled(log: Path) -> int:
    """How many suggestions were shown; each has exactly one outcome."""
    database = sqlite3.connect(log)
    try:
        marks = ", ".join(f"'{kind}'" for kind in OUTCOMES)
        query = (
            "SELECT suggestion_id, sum(kind = 'shown'), count(DISTINCT CASE WHEN "
            f"kind IN ({marks}) THEN id END) FROM events GROUP BY suggestion_id"
        )
        shown = 0
        for identifier, times, outcomes in database.execute(query):
            assert times <= 1, f"{identifier} was shown {times} times"
            assert not times or outcomes == 1, f"{identifier} has {outcomes} outcomes"
            shown += times
        assert database.execute("SELECT count(*) FROM open").fetchone()[0] == 0
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return shown
    finally:
        database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"LIDO_HOME": home, "LIDO_CONFIG": f"{home}/config.toml"}
        report = asyncio.run(soak(options.seconds, options.clients))
    print(report)
    allowed = 10 + options.clients
    if report.growth > allowed:
        sys.exit(f"memory grew by {report.growth:.1f} MB; {allowed} MB are let pass")


if __name__ == "__main__":
    main()
