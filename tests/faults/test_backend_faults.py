"""Every fault of a backend: an answer or a clear error in bounded time, then it works again; nothing leaks."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from fakes.fault_backend import FaultBackend, Wire, fine
from faults.backend_faults import ANSWER, CASES, Case, bomb
from lido.models.base import ChatRequest, Message, ModelError, TextRequest
from lido.models.openai import OpenAI
from lido.models.registry import _shaped
from lido.settings import ModelSettings

QUICK = {"connect": 0.3, "first_token": 0.5, "between_tokens": 0.3, "total": 1.5}
BOUND = 6.0
"""Seconds for a request that fails, all retries within; the time-outs above, and two busy cores."""
PROMPT, KEY = "the-prompt-itself", "sk-the-key-itself"
Way = Literal["completion", "chat"]


class Moving(OpenAI):
    """A backend whose address changes between requests, as an engine's does that is started anew."""

    where = ""

    async def _base(self) -> str:
        return self.where


@asynccontextmanager
async def backend(url: str, **settings: Any) -> AsyncIterator[Moving]:
    table = {"provider": "openai", "model": "m", "timeouts": QUICK, "max_retries": 1, **settings}
    table["headers"] = {"Authorization": f"Bearer {KEY}"} | table.get("headers", {})
    made = Moving("it", ModelSettings.model_validate(table))
    made.where = url
    try:
        yield made
    finally:
        await made.close()


async def ask(made: Moving, way: Way) -> str:
    chat = ChatRequest((Message("user", PROMPT),))
    stream = made.complete(TextRequest(PROMPT)) if way == "completion" else made.chat(chat)
    async with aclosing(_shaped("it", stream)) as chunks:
        return "".join([chunk.text async for chunk in chunks])


async def outcome(made: Moving, way: Way) -> tuple[str, str]:
    """ANSWER and its text, or an error's kind and what the person reads; never anything else."""
    began = time.monotonic()
    failed = None
    try:
        kind, text = ANSWER, await ask(made, way)
    except ModelError as error:
        failed, kind, text = error, error.kind, str(error)
    if failed:
        assert "'it'" in failed.message, "says which model"
        assert failed.message.endswith((".", "?")), text
        assert len(text) < 600, "a message is read, not scrolled"
        assert "\n" not in text
    assert time.monotonic() - began < BOUND
    assert PROMPT not in text
    assert KEY not in text
    return kind, text


def open_files() -> dict[str, str]:
    found = {}
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 - pathlib opens one more to look
        try:
            found[entry] = os.readlink(f"/proc/self/fd/{entry}")  # noqa: PTH115
        except OSError:
            continue  # the one that lists
    return found


@asynccontextmanager
async def nothing_leaks() -> AsyncIterator[None]:
    """Tasks, sockets and other descriptors are as many afterwards as before."""
    tasks, files = asyncio.all_tasks(), open_files()
    yield
    for _ in range(300):
        left = {name: what for name, what in open_files().items() if name not in files}
        more = asyncio.all_tasks() - tasks
        if not left and not more:
            return
        await asyncio.sleep(0.01)  # a closed socket is gone only with the loop's next rounds
    pytest.fail(f"left behind: {left}, {more}")


_warmed: list[bool] = []


@pytest.fixture(autouse=True)
async def _warm() -> None:
    """What libraries open once and for all is open before anything is counted."""
    if not _warmed:
        _warmed.append(True)
        async with FaultBackend() as server, backend(server.url) as made:
            await ask(made, "completion")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are counted by /proc")
@pytest.mark.parametrize("way", ["completion", "chat"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_each_fault(case: Case, way: Way) -> None:
    if "bomb" in case.name:
        bomb()  # made beforehand: it takes longer than the time-outs
    async with nothing_leaks(), FaultBackend() as elsewhere, FaultBackend(case.fault) as server:
        headers = {"x-elsewhere": elsewhere.url}
        async with backend(server.url, headers=headers, **case.settings) as made:
            kind, text = await outcome(made, way)
            assert kind in case.outcomes, text
            if kind == ANSWER:
                assert case.text in text
                assert "not this" not in text
            assert elsewhere.connections == 0, "nothing goes where a redirect points"
            asked = len(server.requests)
            assert 1 <= asked <= 2
            if kind == "unreachable" and case.name.endswith("mid stream"):
                assert asked == 1, "nothing is asked again once words have come"
            server.fault = fine
            assert await ask(made, way) == "fine"


def test_there_are_as_many_faults_as_were_promised() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


# ---------------------------------------------------------------- addresses


@asynccontextmanager
async def full_backlog() -> AsyncIterator[str]:
    """A listener that takes no connection any more."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@asynccontextmanager
async def nobody() -> AsyncIterator[str]:
    with socket.socket() as bound:  # bound, so that nobody else takes the port
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/v1"


@asynccontextmanager
async def address(url: str) -> AsyncIterator[str]:
    yield url


@asynccontextmanager
async def greeting(data: bytes, scheme: str = "http") -> AsyncIterator[str]:
    async with FaultBackend(greets=data) as server:
        yield f"{scheme}://127.0.0.1:{server.port}/v1"


ADDRESSES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "refused": (nobody, ("unreachable",)),
    "a host that has no address": (lambda: address("http://nowhere.invalid/v1"), ("unreachable",)),
    "a host name that is too long": (
        lambda: address(f"http://{'a' * 70}.invalid/v1"), ("unreachable", "refused"),
    ),
    "an address that takes no connection": (full_backlog, ("unreachable",)),
    "a port that there is not": (lambda: address("http://127.0.0.1:99999/v1"), ("unreachable", "refused")),
    "no address at all": (lambda: address("http://[::1/v1"), ("unreachable", "refused")),
    "another scheme": (lambda: address("ftp://127.0.0.1/v1"), ("unreachable", "refused")),
    "no scheme": (lambda: address("127.0.0.1/v1"), ("unreachable", "refused")),
    "a server that speaks first": (lambda: greeting(b"220 mail.example ESMTP\r\n"), ("unreachable",)),
    "TLS to a server without": (lambda: greeting(b"HTTP/1.1 400 X\r\n\r\n", "https"), ("unreachable",)),
    "TLS to a server that closes": (lambda: greeting(b"\x15\x03\x01\x00\x02\x02\x28", "https"), ("unreachable",)),
}  # fmt: skip


@pytest.mark.parametrize("way", ["completion", "chat"])
@pytest.mark.parametrize("name", ADDRESSES)
async def test_each_wrong_address(name: str, way: Way) -> None:
    made_by, kinds = ADDRESSES[name]
    async with nothing_leaks(), FaultBackend() as server, made_by() as url, backend(url) as made:
        kind, text = await outcome(made, way)
        assert kind in kinds, text
        made.where = server.url
        assert await ask(made, way) == "fine"


# ---------------------------------------------------------------- TLS


def certificate(folder: Path, host: str = "127.0.0.1", days: tuple[int, int] = (-1, 1)) -> Path:
    """A self-signed certificate and its key in one file, valid for `days` around today."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address(host))] if host[0].isdigit() else [x509.DNSName(host)]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days[0]))
        .not_valid_after(now + datetime.timedelta(days[1]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}{days[1]}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def serving(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("way", ["completion", "chat"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated")
@pytest.mark.parametrize("wrong", ["self-signed", "for another host", "expired", "old protocol"])
async def test_a_certificate_that_does_not_verify(wrong: str, way: Way, tmp_path: Path) -> None:
    host, days = ("other.example" if wrong == "for another host" else "127.0.0.1"), (-1, 1)
    path = certificate(tmp_path, host, (-3, -2) if wrong == "expired" else days)
    context = serving(path)
    if wrong == "old protocol":
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1
    trusted = {} if wrong == "self-signed" else {"ca_file": str(path)}
    async with nothing_leaks(), FaultBackend(tls=context) as server, FaultBackend() as plain:
        async with backend(server.url, **trusted) as made:
            kind, text = await outcome(made, way)
            assert kind == "unreachable"
            assert wrong == "old protocol" or "ca_file" in text, "says how to mend it"
            assert not server.requests, "no prompt went to a host that is not the one"
            made.where = plain.url
            assert await ask(made, way) == "fine"


@pytest.mark.parametrize("way", ["completion", "chat"])
async def test_an_organisations_own_authority_is_trusted_where_it_is_named(way: Way, tmp_path: Path) -> None:
    path = certificate(tmp_path)
    async with nothing_leaks(), FaultBackend(tls=serving(path)) as server:
        async with backend(server.url, ca_file=str(path)) as made:
            assert await ask(made, way) == "fine"


@pytest.mark.parametrize("table", ["ca_file", "client_cert", "client_key"])
@pytest.mark.parametrize("holds", [None, b"", b"garbage", b"\xff\xfe"])
async def test_certificate_files_that_cannot_be_read(table: str, holds: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    if holds is not None:
        path.write_bytes(holds)
    settings = {table: str(path)}
    if table == "client_key":
        settings["client_cert"] = str(certificate(tmp_path))
    async with nothing_leaks(), FaultBackend() as server, backend(server.url, **settings) as made:
        kind, text = await outcome(made, "completion")
        assert kind == "refused"
        assert table in text or "ca_file" in text


async def test_a_client_certificate_is_shown_to_who_asks_for_it(tmp_path: Path) -> None:
    path = certificate(tmp_path)
    context = serving(path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(path)
    async with nothing_leaks(), FaultBackend(tls=context) as server:
        async with backend(server.url, ca_file=str(path), client_cert=str(path)) as made:
            assert await ask(made, "chat") == "fine"
        async with backend(server.url, ca_file=str(path)) as made:
            assert (await outcome(made, "chat"))[0] == "unreachable"


# ---------------------------------------------------------------- between requests


async def test_a_connection_that_was_closed_while_it_waited_is_not_used_again() -> None:
    async def last(wire: Wire) -> None:
        await wire.fine()  # kept open, says HTTP, and closed then

    async with nothing_leaks(), FaultBackend(last) as server, backend(server.url, max_retries=2) as made:
        for _ in range(20):
            assert await ask(made, "completion") == "fine"


async def test_half_of_the_requests_cancelled_leaves_the_pool_whole() -> None:
    async def slow(wire: Wire) -> bool:
        await asyncio.sleep(0.005)
        return await fine(wire)

    async with nothing_leaks(), FaultBackend(slow) as server, backend(server.url) as made:
        for round_ in range(40):
            tasks = [asyncio.create_task(ask(made, "completion")) for _ in range(4)]
            for _ in range(round_ % 8):
                await asyncio.sleep(0.001)
            for task in tasks[::2]:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert done[1::2] == ["fine", "fine"]
        assert await ask(made, "chat") == "fine"
