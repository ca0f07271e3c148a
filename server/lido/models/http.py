"""One endpoint over HTTP: pool, time limits by phase, retries, circuit breaker, cancellation.

Streams are async generators around one response: closing the generator, or cancelling the task that reads
it, closes the connection, and the engine behind it stops generating.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import httpx

from lido.models.base import ErrorKind, ModelError
from lido.settings import ModelSettings

if TYPE_CHECKING:
    import ssl

RETRIED = {429, 502, 503, 504}
"""Statuses that say "not now" before anything was generated."""
MAX_RETRY_AFTER = 10.0
"""Seconds; a backend that asks for a longer pause gets no retry, the person is told instead."""
MAX_EVENT = 8 * 1024 * 1024
"""Characters of one streamed event, also of one that never ends."""
MAX_ANSWER = 64 * 1024 * 1024
"""Characters of a whole answer, decompressed."""
MAX_BODY = 8 * 1024 * 1024
"""Bytes of an answer that is not streamed, decompressed."""
MAX_WAITING = 16
"""Completions that may wait for a backend; beyond, the oldest gives way, which nobody looks at any more."""
ENCODINGS = {"", "identity", "gzip", "deflate"}
"""What an answer may be compressed by, once: gzip within gzip unpacks a million times its size."""


class Breaker:
    """Stops asking a backend that keeps failing: after three failures in a row it is left alone for a
    while (1 s, doubling to 30 s), then one request is let through to see. An answer that breaks off is a
    failure too; only a whole one, or one of which enough was read, shows that all is well."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0
        self._probing = False

    def check(self, backend: str) -> None:
        """Raises ModelError while the backend is left alone."""
        if self._failures < 3:
            return
        wait = self._until - self._clock()
        if wait > 0 or self._probing:
            raise ModelError(
                "paused",
                f"The model {backend!r} keeps failing and is left alone for a moment.",
                "`lido doctor` shows why.",
                retry_after=max(wait, 1.0),
                backend=backend,
            )
        self._probing = True

    def answering(self) -> None:
        """The first word came: it is there again, and others need not wait for the last word."""
        self._probing = False

    def succeeded(self) -> None:
        self._failures, self._probing = 0, False

    def failed(self) -> None:
        self._failures += 1
        self._probing = False
        self._until = self._clock() + min(30.0, 2.0 ** (self._failures - 3))

    def abandoned(self) -> None:
        """The request was cancelled: nothing was learned."""
        self._probing = False


class Slots:
    """At most `count` requests at once. Completions wait newest first, because the newest is the one that
    the person looks at; chats wait in order. Where both wait, they take turns, so that neither starves."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._newest_first: list[asyncio.Future[bool]] = []
        self._in_order: deque[asyncio.Future[bool]] = deque()
        self._chats_turn = False

    @asynccontextmanager
    async def held(self, urgent: bool) -> AsyncIterator[None]:
        """Waits for a slot and keeps it for the block. Raises asyncio.QueueFull for an urgent request that
        gave way to newer ones."""
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(urgent)
        try:
            yield
        finally:
            self._release()

    async def _wait(self, urgent: bool) -> None:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if urgent:
            self._newest_first.append(turn)
            if len(self._newest_first) > MAX_WAITING:
                self._newest_first.pop(0).set_result(False)
        else:
            self._in_order.append(turn)
        try:
            mine = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self._release()  # cancelled in the moment in which it was let in
            elif turn in self._newest_first:
                self._newest_first.remove(turn)
            elif turn in self._in_order:
                self._in_order.remove(turn)
            raise
        if not mine:
            raise asyncio.QueueFull

    def _release(self) -> None:
        self._chats_turn = not self._chats_turn
        if self._in_order and (self._chats_turn or not self._newest_first):
            self._in_order.popleft().set_result(True)
        elif self._newest_first:
            self._newest_first.pop().set_result(True)
        else:
            self._free += 1


class Endpoint:
    """Requests to one configured model. `base` is asked for each time: an engine of our own may move."""

    def __init__(
        self,
        name: str,
        settings: ModelSettings,
        base: Callable[[], Awaitable[str]],
        headers: Callable[[bool], Awaitable[dict[str, str]]],
        *,
        trust_env: bool = True,
    ) -> None:
        self.name = name
        self._settings = settings
        self._base = base
        self._headers = headers
        self._trust_env = trust_env
        self._client: httpx.AsyncClient | None = None
        self._slots = Slots(settings.concurrency)
        self.breaker = Breaker()

    async def _open(self) -> httpx.AsyncClient:
        if self._client is not None:
            return self._client
        verify: ssl.SSLContext | bool = False
        if self._trust_env:
            try:
                verify = await asyncio.to_thread(_verify, self._settings)  # reads files
            except (OSError, ValueError) as error:
                self._fail(
                    "refused",
                    f"its certificates cannot be used ({_short(str(error)) or type(error).__name__})",
                    f"Check models.{self.name}.ca_file, client_cert and client_key.",
                )
        if self._client is None:  # another request may have been quicker
            self._client = httpx.AsyncClient(
                http2=True,
                follow_redirects=False,  # a redirect would carry the prompt, and the key, elsewhere
                trust_env=self._trust_env,
                verify=verify,
                headers={"Accept-Encoding": "gzip, deflate"},
                timeout=httpx.Timeout(None, connect=self._settings.timeouts.connect),
                limits=httpx.Limits(max_connections=64, max_keepalive_connections=8, keepalive_expiry=60),
            )
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def get(self, path: str, timeout: float = 5.0) -> Any:
        """JSON of a GET. Raises ModelError."""
        return await self._json("GET", path, None, timeout)

    async def post(self, path: str, body: dict[str, Any], timeout: float = 30.0) -> Any:
        """JSON of a POST. Raises ModelError."""
        return await self._json("POST", path, body, timeout)

    async def _json(self, method: str, path: str, body: dict[str, Any] | None, timeout: float) -> Any:
        try:
            async with asyncio.timeout(timeout):
                url = await self._base() + path
                client = await self._open()
                request = self._request(client, method, url, body, await self._headers(False))
                response = await client.send(request, stream=True)
                try:
                    self._decodable(response)
                    text = await _some(response, MAX_BODY)
                finally:
                    await asyncio.shield(response.aclose())
        except TimeoutError:
            self._fail("timeout", f"no answer within {timeout:g} s")
        except httpx.HTTPError as error:
            self._unreachable(error)
        if response.status_code != 200:
            try:
                self._refused(response, text)
            except _RetryError as retry:
                raise retry.error from None
        try:
            return _parsed(text)
        except ValueError:
            self._fail("bad_answer", "the answer is not JSON", "Is base_url the API's, for example …/v1 ?")

    def _request(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        body: dict[str, Any] | None,
        headers: dict[str, str],
    ) -> httpx.Request:
        try:
            request = client.build_request(method, url, json=body, headers=headers)
            if (request.url.port or 0) > 65535:
                raise httpx.InvalidURL(f"there is no port {request.url.port}")
            return request
        except httpx.InvalidURL as error:
            self._fail("refused", f"its address is none ({error})", f"Set models.{self.name}.base_url.")
        except UnicodeEncodeError:  # its text would hold the key
            if body is not None and not _encodable(body):
                self._fail("refused", "the prompt holds halves of characters, which cannot be sent")
            self._fail(
                "auth",
                "a header or the key holds characters that a header may not",
                f"Check models.{self.name}.headers and where the key comes from.",
            )

    async def stream(
        self, path: str, body: dict[str, Any], *, urgent: bool = False
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Server-sent events of a POST, as JSON objects, without the closing ``[DONE]``. `urgent` is what
        a person waits for at the cursor: of several that wait, the newest goes first.

        Raises ModelError. Retried with jitter only before the first event.
        """
        self.breaker.check(self.name)
        spoke = False
        try:
            async with asyncio.timeout(self._settings.timeouts.total), self._slots.held(urgent):
                attempt, fresh_key = 0, False
                while True:
                    try:
                        async with aclosing(self._attempt(path, body, fresh_key)) as events:
                            async for event in events:
                                if not spoke:
                                    spoke = True
                                    self.breaker.answering()
                                yield event
                        self.breaker.succeeded()
                        return
                    except _RetryError as retry:
                        error = retry.error
                    if error.kind == "auth":
                        if fresh_key:
                            raise error
                        fresh_key = True
                        continue
                    pause = error.retry_after
                    if attempt >= self._settings.max_retries or (pause or 0) > MAX_RETRY_AFTER:
                        raise error
                    await asyncio.sleep(pause or random.uniform(0.1, 0.4) * 2**attempt)
                    attempt += 1
        except asyncio.QueueFull:
            self.breaker.abandoned()
            self._fail("busy", "newer requests went first")
        except TimeoutError:
            self.breaker.failed()
            self._fail(
                "timeout",
                f"the answer took longer than {self._settings.timeouts.total:g} s",
                f"Raise models.{self.name}.timeouts.total, or ask for less.",
            )
        except ModelError as error:
            if error.kind in ("unreachable", "timeout", "engine", "bad_answer"):
                self.breaker.failed()
            else:
                self.breaker.succeeded()
            raise
        except (GeneratorExit, asyncio.CancelledError):
            if spoke:
                self.breaker.succeeded()
            else:
                self.breaker.abandoned()
            await self._close_orphans()
            raise
        except Exception:
            self.breaker.abandoned()
            raise

    async def _close_orphans(self) -> None:
        """Closes connections that were made for a request which was cancelled before it used them.

        httpcore 1.0.9 keeps such a connection for ever without using it (it is NEW, and no request's); a
        session of typing would use up the pool, and no request would ever be sent again.
        """
        if self._client is None:
            return
        pool = getattr(self._client._transport, "_pool", None)
        owned = {id(request.connection) for request in getattr(pool, "_requests", ())}
        for connection in getattr(pool, "connections", ()):
            if id(connection) not in owned and "NEW, Request Count: 0" in connection.info():
                await connection.aclose()

    async def _close_overfull(self) -> None:
        """Closes connections on which more came than was asked for: httpcore would take the rest, which it
        has read already, for the answer to the next request."""
        pool = getattr(self._client and self._client._transport, "_pool", None)
        for connection in getattr(pool, "connections", ()):
            state = getattr(getattr(connection, "_connection", None), "_h11_state", None)
            if connection.is_idle() and state is not None and state.trailing_data[0]:
                await connection.aclose()

    async def _attempt(
        self, path: str, body: dict[str, Any], fresh_key: bool
    ) -> AsyncGenerator[dict[str, Any], None]:
        limits = self._settings.timeouts
        first = True
        try:
            url = await self._base() + path
            client = await self._open()
            request = self._request(client, "POST", url, body, await self._headers(fresh_key))
            async with asyncio.timeout(limits.first_token):
                response = await client.send(request, stream=True)
            try:
                self._decodable(response)
                if response.status_code != 200:
                    async with asyncio.timeout(limits.connect):
                        text = await _some(response)
                    self._refused(response, text)
                events = self._events(response)
                async with aclosing(events):
                    while True:
                        try:
                            async with asyncio.timeout(
                                limits.first_token if first else limits.between_tokens
                            ):
                                event = await anext(events)
                        except StopAsyncIteration:
                            if first:
                                self._fail("bad_answer", "the answer is empty")
                            break
                        first = False
                        yield event
            finally:
                # Cancelled while it closes, httpcore would keep the connection as busy for ever.
                await asyncio.shield(response.aclose())
                await asyncio.shield(self._close_overfull())
        except TimeoutError:
            seconds = limits.first_token if first else limits.between_tokens
            phase = "first_token" if first else "between_tokens"
            self._fail(
                "timeout",
                f"no {'answer' if first else 'further word'} within {seconds:g} s",
                f"The model may be overloaded; models.{self.name}.timeouts.{phase} sets the limit.",
            )
        except httpx.HTTPError as error:
            if first and isinstance(
                error, httpx.NetworkError | httpx.ConnectTimeout | httpx.RemoteProtocolError
            ):
                raise _RetryError(self._unreachable_error(error)) from None
            self._unreachable(error)

    async def _events(self, response: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
        kind = response.headers.get("content-type", "")
        if "ndjson" in kind:
            async for line in self._lines(response):
                if line.strip():
                    yield self._checked(self._object(line))
            return
        if "text/event-stream" not in kind:
            text = await _some(response, MAX_BODY)
            try:
                whole = _parsed(text)
            except ValueError:
                whole = None
            if not isinstance(whole, dict):
                self._fail(
                    "bad_answer",
                    f"the answer is {kind or 'of no type'}, not an event stream",
                    "Is base_url the API's, for example …/v1 ?",
                )
            yield self._checked(whole)
            return
        data: list[str] = []
        async with aclosing(self._lines(response)) as lines:
            async for line in lines:
                if line.startswith("data:"):
                    data.append(line[5:].removeprefix(" "))
                elif not line and data:
                    text, data = "\n".join(data), []
                    if text.strip() == "[DONE]":
                        return
                    if text:
                        yield self._checked(self._object(text))

    async def _lines(self, response: httpx.Response) -> AsyncGenerator[str, None]:
        """Lines of a body, ended by any of CR LF, LF and CR, without a byte order mark; bounded.

        Server-sent events are read here rather than by a library, because those read a line that never
        ends into memory: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
        """
        rest: list[str] = []
        waiting = total = 0
        after_cr, begun = False, False
        async for text in response.aiter_text():
            if not begun:
                text, begun = text.removeprefix("\ufeff"), True
            total += len(text)
            if total > MAX_ANSWER:
                self._fail("bad_answer", f"the answer is over {MAX_ANSWER >> 20} MB")
            if after_cr:
                text = text.removeprefix("\n")
            if not text:
                after_cr = False
                continue
            after_cr = text.endswith("\r")
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            for line in lines[:-1]:
                whole = "".join((*rest, line))
                if len(whole) > MAX_EVENT:
                    self._fail("bad_answer", f"one streamed event is over {MAX_EVENT >> 20} MB")
                yield whole
                rest, waiting = [], 0
            rest.append(lines[-1])
            waiting += len(lines[-1])
            if waiting > MAX_EVENT:
                self._fail("bad_answer", f"one streamed event is over {MAX_EVENT >> 20} MB")
        if waiting:
            yield "".join(rest)

    def _decodable(self, response: httpx.Response) -> None:
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in ENCODINGS:
            self._fail(
                "bad_answer", f"the answer is compressed by {_short(encoding)!r}, which was not asked for"
            )

    def _object(self, text: str) -> dict[str, Any]:
        try:
            item = _parsed(text)
        except ValueError:
            self._fail("bad_answer", "a streamed event is not JSON")
        if not isinstance(item, dict):
            self._fail("bad_answer", "a streamed event is not a JSON object")
        return item

    def _checked(self, item: dict[str, Any]) -> dict[str, Any]:
        error = item.get("error")
        if error:
            text = error.get("message") if isinstance(error, dict) else str(error)
            self._fail("bad_answer", f"it broke off: {_short(str(text))}")
        return item

    # ------------------------------------------------------------------ errors

    def _fail(self, kind: ErrorKind, what: str, advice: str = "") -> NoReturn:
        raise ModelError(kind, f"The model {self.name!r}: {what}.", advice, backend=self.name) from None

    def _unreachable_error(self, error: httpx.HTTPError) -> ModelError:
        where = _origin(error)
        if isinstance(error, httpx.LocalProtocolError):  # its text would hold the key
            return ModelError(
                "auth",
                f"The model {self.name!r}: a header or the key holds characters that a header may not.",
                f"Check models.{self.name}.headers and where the key comes from.",
                backend=self.name,
            )
        if isinstance(error, httpx.DecodingError):
            return ModelError(
                "bad_answer",
                f"The model {self.name!r}: the answer cannot be decompressed.",
                "A proxy between may have damaged it.",
                backend=self.name,
            )
        if isinstance(error, httpx.ConnectTimeout):
            what = f"{where} did not take the connection within {self._settings.timeouts.connect:g} s"
        elif isinstance(error, httpx.ConnectError):
            what = f"{where} cannot be reached ({_short(str(error)) or type(error).__name__})"
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                return ModelError(
                    "unreachable",
                    f"The model {self.name!r}: {what}.",
                    f"Where your organisation has its own authority, name it by models.{self.name}.ca_file.",
                    backend=self.name,
                )
        else:
            what = f"the connection to {where} broke ({_short(str(error)) or type(error).__name__})"
        return ModelError(
            "unreachable",
            f"The model {self.name!r}: {what}.",
            f"Check models.{self.name}.base_url and that the server runs; `lido doctor` tests it.",
            backend=self.name,
        )

    def _unreachable(self, error: httpx.HTTPError) -> NoReturn:
        raise self._unreachable_error(error) from None

    def _refused(self, response: httpx.Response, text: str) -> NoReturn:
        status = response.status_code
        said = _short(_message(_without_keys(text, response.request)))
        detail = f" ({said})" if said else ""
        kind: ErrorKind = "refused"
        advice = ""
        if status in (401, 403):
            kind = "auth"
            advice = f"Check the key: models.{self.name}.api_key_env, api_key_command or api_key_keyring."
        elif status == 404:
            kind = "not_found"
            advice = f"Check models.{self.name}.base_url and model; `lido doctor` lists what is offered."
        elif status == 429:
            kind = "rate_limited"
            advice = "It asks for a pause; try again later or name a second model under [roles]."
        elif status == 413 or (status == 400 and _too_long(text)):
            kind = "too_long"
            advice = f"Set models.{self.name}.context_window to what the server allows."
        elif 300 <= status < 400:
            advice = (
                f"It redirects elsewhere, which is not followed. Set models.{self.name}.base_url directly."
            )
        elif status >= 500:
            kind = "unreachable"
            advice = "Its own log says more; `lido doctor` tests it."
        error = ModelError(
            kind,
            f"The model {self.name!r} answered {status}{detail}.",
            advice,
            retry_after=_retry_after(response),
            backend=self.name,
        )
        if status in RETRIED or status == 401:
            raise _RetryError(error)
        raise error


class _RetryError(Exception):
    """Failed before the first event in a way that may pass."""

    def __init__(self, error: ModelError) -> None:
        super().__init__(str(error))
        self.error = error


def _verify(settings: ModelSettings) -> ssl.SSLContext:
    """The system's trust store, or the configured CA file; with a client certificate where one is set."""
    import ssl

    context = ssl.create_default_context(cafile=settings.ca_file or os.environ.get("SSL_CERT_FILE") or None)
    if settings.client_cert:
        context.load_cert_chain(settings.client_cert, settings.client_key or None)
    return context


async def _some(response: httpx.Response, limit: int = 1 << 20) -> str:
    """At most `limit` bytes of a body: an error page may be endless, and compressed a thousandfold."""
    data = bytearray()
    async for piece in response.aiter_bytes():
        data += piece
        if len(data) > limit:
            break
    return data[:limit].decode("utf-8-sig", errors="replace")


def _parsed(text: str) -> Any:
    """JSON. Raises ValueError, also for what is nested too deeply and for numbers that JSON does not have."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_keys(text: str, request: httpx.Request) -> str:
    """Some gateways quote the key in their refusal; messages are shown and logged."""
    for name, value in request.headers.items():
        if name in ("authorization", "x-api-key", "api-key", "cookie") or "key" in name or "token" in name:
            for secret in (value, value.rpartition(" ")[2]):
                if len(secret) >= 4:
                    text = text.replace(secret, "…")
    return text


def _message(text: str) -> str:
    try:
        body = _parsed(text)
    except ValueError:
        return "" if text.lstrip().startswith("<") else text
    for key in ("error", "detail", "message"):
        inner = body.get(key) if isinstance(body, dict) else None
        if isinstance(inner, dict):
            inner = inner.get("message")
        if isinstance(inner, str):
            return inner
    return ""


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _too_long(text: str) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in ("context length", "context size", "too long", "maximum context"))


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that Retry-After asks for (RFC 9110, 10.2.3); dates too, against the server's own clock."""
    value = response.headers.get("retry-after")
    if not value:
        return None
    try:
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            then = parsedate_to_datetime(value)
            now = parsedate_to_datetime(response.headers["date"])
            return max(0.0, (then - now).total_seconds())
        except (ValueError, KeyError, TypeError, OverflowError):
            return None


def _origin(error: httpx.HTTPError) -> str:
    try:
        url = error.request.url
    except RuntimeError:
        return "the server"
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"
