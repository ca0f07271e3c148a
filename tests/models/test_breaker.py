"""A backend that keeps failing: left alone, tried by one request, and believed once it answered whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import pytest

from fakes.model_server import ModelServer, Script
from lido.models.base import ChatRequest, Message, ModelError, TextRequest
from lido.models.http import Breaker, Endpoint
from lido.models.openai import OpenAI
from lido.models.registry import Models
from lido.settings import Home, Settings

ASKED = TextRequest("def f():")
BAD = Script(status=500)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """Models that count how often their status changed."""

    def __init__(self, *servers: ModelServer, **roles: list[str]) -> None:
        tables = {
            name: {
                "provider": "openai", "base_url": f"{server.url}/v1", "model": "m", "max_retries": 0,
                "timeouts": {"connect": 1, "first_token": 5, "between_tokens": 1, "total": 9},
            }
            for name, server in zip("abc", servers, strict=False)
        }  # fmt: skip
        self.states: list[str] = []
        self.clock = Clock()
        settings = Settings.model_validate({"models": tables, "roles": roles or {"completion": list(tables)}})
        self.models = Models(settings, Home(), on_status=self.note)
        for name in tables:
            endpoint(self.models, name).breaker = Breaker(self.clock)

    def note(self) -> None:
        now = " ".join(status.state for status in self.models.statuses())
        if not self.states or self.states[-1] != now:
            self.states.append(now)

    async def ask(self, role: str = "completion") -> str:
        """Who answered and what, or the kind of the error."""
        request = ASKED if role == "completion" else ChatRequest((Message("user", "hi"),))
        try:
            async with aclosing(self.models.stream(role, lambda _: request)) as stream:  # type: ignore[arg-type]
                said = [(backend.name, chunk.text) async for backend, chunk in stream]
            return f"{said[0][0]}: {''.join(text for _, text in said)}"
        except ModelError as error:
            return error.kind


def endpoint(models: Models, name: str) -> Endpoint:
    backend = models.backend(name)
    assert isinstance(backend, OpenAI)
    return backend.http


@asynccontextmanager
async def watched(*servers: ModelServer, **roles: list[str]) -> AsyncIterator[Watched]:
    made = Watched(*servers, **roles)
    try:
        yield made
    finally:
        await made.models.close()


async def test_after_a_pause_one_request_alone_sees_whether_it_is_back() -> None:
    async with ModelServer(BAD) as server, watched(server) as world:
        assert [await world.ask() for _ in range(4)] == ["unreachable"] * 3 + ["paused"]
        assert len(server.seen) == 3
        world.clock.now += 0.9
        assert await world.ask() == "paused"
        server.scripts = [Script(["ok"], first=0.3)]
        world.clock.now += 0.2
        several = [asyncio.create_task(world.ask()) for _ in range(5)]
        assert sorted(await asyncio.gather(*several)) == ["a: ok", *["paused"] * 4]
        assert len(server.seen) == 4, "one probe"
        assert await asyncio.gather(*(world.ask() for _ in range(3))) == ["a: ok"] * 3


async def test_a_probe_that_fails_doubles_the_pause() -> None:
    async with ModelServer(BAD) as server, watched(server) as world:
        for _ in range(3):
            await world.ask()
        pause = 1.0
        for _ in range(7):
            world.clock.now += pause - 0.1
            assert await world.ask() == "paused"
            world.clock.now += 0.2
            assert await world.ask() == "unreachable"
            pause = min(30.0, pause * 2)
        assert len(server.seen) == 10
        server.scripts = [Script(["ok"])]
        world.clock.now += 30.1
        assert await world.ask() == "a: ok"


async def test_a_probe_that_is_cancelled_lets_the_next_one_try() -> None:
    async with ModelServer(BAD) as server, watched(server) as world:
        for _ in range(3):
            await world.ask()
        world.clock.now += 2
        server.scripts = [Script(fault="hang")]
        probe = asyncio.create_task(world.ask())
        await server.requests(4)
        assert await world.ask() == "paused"
        probe.cancel()
        await asyncio.wait([probe])
        server.scripts = [Script(["ok"])]
        assert await world.ask() == "a: ok"


async def test_while_the_probe_still_speaks_others_are_served() -> None:
    async with ModelServer(BAD) as server, watched(server) as world:
        for _ in range(3):
            await world.ask()
        world.clock.now += 2
        server.scripts = [Script(["a"], delay=0.05, fault="endless", times=1), Script(["ok"])]
        async with aclosing(world.models.stream("completion", lambda _: ASKED)) as stream:
            await anext(stream)
            assert await world.ask() == "a: ok"


async def test_answers_that_break_off_after_a_word_are_failures_and_the_status_is_calm() -> None:
    async with ModelServer(Script(["a", "b"], fault="reset mid-stream")) as server, watched(server) as world:
        assert [await world.ask() for _ in range(5)] == ["unreachable"] * 3 + ["paused"] * 2
        assert world.states == ["error"], "no flapping between words and failures"
        (status,) = world.models.statuses()
        assert "broke" in status.message, "why it is left alone is still said"
        server.scripts = [Script(["ok"])]
        world.clock.now += 2
        assert await world.ask() == "a: ok"
        assert world.states == ["error", "ready"]


async def test_a_word_is_enough_after_an_outage_without_words() -> None:
    async with ModelServer(BAD) as server, watched(server) as world:
        await world.ask()
        server.scripts = [Script(["a"], delay=0.01, fault="endless")]
        async with aclosing(world.models.stream("completion", lambda _: ASKED)) as stream:
            await anext(stream)
            assert world.states == ["error", "ready"]


async def test_what_was_read_enough_of_counts_as_well() -> None:
    async with ModelServer(Script(["a"], fault="reset mid-stream")) as server, watched(server) as world:
        await world.ask()
        server.scripts = [Script(["a"], delay=0.01, fault="endless")]
        async with aclosing(world.models.stream("completion", lambda _: ASKED)) as stream:
            await anext(stream)
            assert world.states[-1] == "error"
        assert world.states[-1] == "ready"


async def test_each_role_has_its_own_order() -> None:
    async with (
        ModelServer(Script(["A"])) as a,
        ModelServer(Script(["B"])) as b,
        ModelServer(Script(["C"])) as c,
    ):
        orders = {"completion": ["a", "b", "c"], "chat": ["c", "a"]}
        async with watched(a, b, c, **orders) as world:
            assert (await world.ask(), await world.ask("chat")) == ("a: A", "c: C")
            a.scripts = c.scripts = [BAD]
            assert (await world.ask(), await world.ask("chat")) == ("b: B", "unreachable")
            b.scripts = [BAD]
            assert await world.ask() == "unreachable"
            a.scripts = [Script(["A"])]
            world.clock.now += 2  # it has failed three times, for both roles
            assert (await world.ask(), await world.ask("chat")) == ("a: A", "a: A")
            assert len(b.seen) == 2, "asked only where those before it failed"


async def test_a_backend_that_is_left_alone_costs_its_followers_nothing() -> None:
    async with ModelServer(BAD) as dead, ModelServer(Script(["B"])) as alive:
        async with watched(dead, alive) as world:
            for _ in range(20):
                assert await world.ask() == "b: B"
            assert len(dead.seen) == 3


async def test_no_fail_over_once_words_were_shown() -> None:
    async with ModelServer(Script(["a"], fault="cut")) as first, ModelServer(Script(["B"])) as second:
        async with watched(first, second) as world:
            assert await world.ask() == "unreachable"
            assert not second.seen


async def test_refusals_do_not_open_the_breaker() -> None:
    async with ModelServer(Script(status=400, body="{}")) as server, watched(server) as world:
        assert [await world.ask() for _ in range(6)] == ["refused"] * 6
        assert len(server.seen) == 6


@pytest.mark.parametrize("error", [RuntimeError, TypeError])
async def test_a_defect_of_ours_does_not_keep_the_probe_for_good(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ModelServer(BAD) as server, watched(server) as world:
        for _ in range(3):
            await world.ask()
        world.clock.now += 2
        http = endpoint(world.models, "a")

        async def broken() -> str:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(http, "_base", broken)
            with suppress(error):
                await world.ask()
        server.scripts = [Script(["ok"])]
        assert await world.ask() == "a: ok"
