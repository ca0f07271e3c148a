"""Many servers send to one collector on PostgreSQL, while the collector and the database are restarted and
killed; then the counts are compared with what was sent. Prints one JSON object; exit code 1 where they differ.

    python tests/collect/load.py --clients 200 --rate 2000 --seconds 60
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from conftest import Collector, Postgres
from lido.events.schema import utc, uuid7

TEAMS = ("core", "web", "data", "mobile")
OUTCOMES = ("accepted", "partially_accepted", "rejected", "ignored")


class Load:
    def __init__(self, collector: Collector, tokens: dict[str, str], arguments: argparse.Namespace) -> None:
        self.collector, self.tokens, self.arguments = collector, tokens, arguments
        self.truth: Counter[tuple[str, str]] = Counter()
        self.events = self.duplicates = self.stored = self.batches = self.failures = 0
        self.latencies: list[float] = []
        self.random = random.Random(arguments.seed)

    def batch(self, team: str, user: str, count: int) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        while len(made) < count:
            shown = {
                "time": utc(time.time()), "suggestion_id": uuid7(), "feature": "completion", "user": user,
                "language": self.random.choice(("python", "go", "java")), "editor": "vscode", "model": "qwen",
                "lines": 2, "characters": 60, "latency_ms": self.random.uniform(50, 900),
            }  # fmt: skip
            kinds = ("shown", self.random.choice(OUTCOMES))[: count - len(made)]
            made += [{**shown, "id": uuid7(), "kind": kind} for kind in kinds]
        self.truth.update((team, event["kind"]) for event in made)
        self.events += len(made)
        return made

    async def client(self, number: int, http: httpx.AsyncClient, until: float) -> None:
        """Sends what it would have logged, every `every` seconds; again until it is acknowledged."""
        team = TEAMS[number % len(TEAMS)]
        every = self.arguments.every
        count = round(self.arguments.rate / self.arguments.clients * every)
        due = time.monotonic() + self.random.random() * every
        while due < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += every
            body = gzip.compress(json.dumps(self.batch(team, f"user-{number}", count)).encode(), 1)
            await self.deliver(http, team, body)
            if self.random.random() < 0.03:  # as a server does that was killed before it noted the answer
                await self.deliver(http, team, body)

    async def deliver(self, http: httpx.AsyncClient, team: str, body: bytes) -> None:
        headers = {"Authorization": f"Bearer {self.tokens[team]}", "Content-Encoding": "gzip"}
        while True:
            began = time.monotonic()
            try:
                answer = await http.post(f"{self.collector.url}/v1/events", content=body, headers=headers)
                if answer.status_code == 200:
                    break
                assert answer.status_code in (429, 503), answer.text
            except httpx.TransportError:
                pass
            self.failures += 1
            await asyncio.sleep(self.random.uniform(0.3, 0.9))
        self.latencies.append(time.monotonic() - began)
        said = answer.json()
        assert not said["rejected"], said
        self.batches += 1
        self.stored += said["stored"]
        self.duplicates += said["duplicates"]


async def trouble(load: Load, postgres: Postgres, seconds: float) -> list[str]:
    """What breaks, a quarter of the time apart."""
    done: list[str] = []

    def collector(kill: bool) -> None:
        load.collector.stop(kill=kill)
        load.collector.start()

    def database(mode: str) -> None:
        postgres.stop(mode)
        postgres.start()

    for name, act, how in (
        ("collector terminated", collector, False),
        ("database stopped as by a crash", database, "immediate"),
        ("collector killed", collector, True),
    ):
        await asyncio.sleep(seconds / 4)
        began = time.monotonic()
        await asyncio.to_thread(act, how)
        done.append(f"{name}, back after {time.monotonic() - began:.1f} s")
    return done


async def run(collector: Collector, postgres: Postgres, arguments: argparse.Namespace) -> dict[str, Any]:
    tokens = {team: collector.token(f"{team}-writers", team=team) for team in TEAMS}
    admin = collector.token("admin", "admin")
    load = Load(collector, tokens, arguments)
    began = time.monotonic()
    limits = httpx.Limits(max_connections=arguments.clients)
    async with httpx.AsyncClient(timeout=20, limits=limits) as http:
        breaking = asyncio.create_task(trouble(load, postgres, arguments.seconds))
        until = began + arguments.seconds
        await asyncio.gather(*(load.client(number, http, until) for number in range(arguments.clients)))
        took = time.monotonic() - began
        troubles = await breaking
        asked = await http.get(
            f"{collector.url}/v1/metrics?by=team&since=1d", headers={"Authorization": f"Bearer {admin}"}
        )
    rows = {row["team"]: row for row in asked.json()["rows"]}
    kinds = ("shown", *OUTCOMES)
    truth = {team: {kind: load.truth[team, kind] for kind in kinds} for team in TEAMS}
    found = {team: {kind: rows.get(team, {}).get(kind, 0) for kind in kinds} for team in TEAMS}
    slow = sorted(load.latencies)
    return {
        "exact": truth == found and sum(sum(each.values()) for each in found.values()) == load.events,
        "clients": arguments.clients,
        "events": load.events,
        "seconds": round(took, 1),
        "events_per_second": round(load.events / took),
        "batches": load.batches,
        "replayed_events": load.duplicates,
        "failed_attempts": load.failures,
        "troubles": troubles,
        "answer_ms": {f"p{p}": round(1000 * slow[len(slow) * p // 100]) for p in (50, 95, 99)},
        "cores": os.cpu_count(),
        **({} if truth == found else {"truth": truth, "found": found}),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rate", type=float, default=2000, help="events a second, of all together")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--every", type=float, default=5, help="seconds between two batches of a client")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not places:
        sys.exit("PostgreSQL is not installed (apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="lido-load-"))
    folder.chmod(0o755)
    postgres = collector = None
    try:
        postgres = Postgres(folder, places[-1].parent)
        postgres.start()
        collector = Collector(postgres.url)
        collector.start()
        report = asyncio.run(run(collector, postgres, arguments))
        print(json.dumps(report, indent=2))
        return 0 if report["exact"] else 1
    finally:
        if collector and collector.process and collector.process.poll() is None:
            collector.stop(kill=True)
        if postgres:
            postgres.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
