"""What backends do wrong, one function each, and what the person is to get: an answer, or a kind of error."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache
from typing import Any

from fakes.fault_backend import CHUNKED, HEAD, Fault, Wire, fine

ANSWER = "answer"


@dataclass(frozen=True)
class Case:
    """`expected`: ANSWER, an error's kind, or several where either is right."""

    name: str
    fault: Fault
    expected: str | tuple[str, ...]
    text: str = ""
    """What an answer has to hold."""
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def outcomes(self) -> tuple[str, ...]:
        return (self.expected,) if isinstance(self.expected, str) else self.expected


CASES: list[Case] = []


def case(
    expected: str | tuple[str, ...], *, text: str = "", name: str = "", **settings: Any
) -> Callable[[Fault], Fault]:
    def add(fault: Fault) -> Fault:
        label = name or getattr(fault, "__name__", "").replace("_", " ")
        CASES.append(Case(label, fault, expected, text, settings))
        return fault

    return add


# ---------------------------------------------------------------- before any answer


@case("unreachable")
async def closed_at_once(wire: Wire) -> None:
    return None


@case("unreachable")
async def reset_at_once(wire: Wire) -> None:
    wire.abort()


@case("timeout")
async def silence(wire: Wire) -> None:
    await wire.for_ever()


@case("timeout")
async def header_one_byte_at_a_time(wire: Wire) -> None:
    for byte in HEAD * 100:
        await wire.raw(bytes([byte]))
        await asyncio.sleep(0.02)


@case("unreachable")
async def half_a_header(wire: Wire) -> None:
    await wire.raw(b"HTTP/1.1 200 OK\r\nContent-Ty")


@case("unreachable")
async def not_http(wire: Wire) -> None:
    await wire.raw(b"\x00\x01\x02 220 smtp ready\r\n" * 4)


@case("unreachable")
async def endless_header_line(wire: Wire) -> None:
    await wire.raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000)


@case(("unreachable", "timeout"))
async def endless_headers(wire: Wire) -> None:
    await wire.raw(b"HTTP/1.1 200 OK\r\n")
    while True:
        await wire.raw(b"X-Filler: y\r\n" * 50)
        await asyncio.sleep(0)


@case("unreachable")
async def zero_bytes_in_headers(wire: Wire) -> None:
    await wire.raw(b"HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n")


@case(("unreachable", "refused"))
async def protocol_switched(wire: Wire) -> None:
    await wire.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")


@case(ANSWER, text="fine")
async def early_hints_before_the_answer(wire: Wire) -> bool:
    await wire.raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    return await fine(wire)


# ---------------------------------------------------------------- refusals


def _refusal(status: int, kind: str, body: bytes, label: str, headers: bytes = b"") -> None:
    async def fault(wire: Wire) -> bool:
        await wire.raw(b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n" % (status, headers, len(body)) + body)
        return True

    CASES.append(Case(f"{status} {label}".strip(), fault, kind))


for _status, _kind in {
    400: "refused", 401: "auth", 402: "refused", 403: "auth", 404: "not_found", 405: "refused",
    408: ("unreachable", "timeout", "refused"), 409: "refused", 413: "too_long", 418: "refused", 422: "refused",
    429: "rate_limited", 451: "refused", 500: "unreachable", 501: "unreachable", 502: "unreachable",
    503: "unreachable", 504: "unreachable", 529: "unreachable", 599: "unreachable", 999: ("unreachable", "refused"),
}.items():  # fmt: skip
    _refusal(_status, _kind, b"", "")  # type: ignore[arg-type]
for _status, _kind in {401: "auth", 429: "rate_limited", 500: "unreachable", 503: "unreachable"}.items():
    _refusal(_status, _kind, b'{"error": {"message": "no"}}', "with JSON")
    _refusal(_status, _kind, b"<html>" + b"x" * 100_000, "with a page")
    _refusal(_status, _kind, b"\xff\xfe\x00{" * 1000, "with bytes")
_refusal(500, "unreachable", b"[" * 100_000, "with deep JSON")
_refusal(400, "too_long", b'{"error": "the context length is 4096 tokens"}', "as the prompt is too long")
_refusal(204, "refused", b"", "no content")


@case("unreachable")
async def error_with_an_endless_body(wire: Wire) -> None:
    await wire.raw(b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await wire.chunk(b"x" * 65536)


@case(("unreachable", "timeout"))
async def error_with_a_body_that_stalls(wire: Wire) -> None:
    await wire.raw(b"HTTP/1.1 500 X\r\nContent-Length: 1000\r\n\r\nhalf of")
    await wire.for_ever()


@case(("unreachable", "refused"))
async def error_cut_within_its_body(wire: Wire) -> None:
    await wire.raw(b"HTTP/1.1 400 X\r\nContent-Length: 1000\r\n\r\nhalf of")


@case("auth")
async def key_quoted_in_the_refusal(wire: Wire) -> bool:
    body = b"Incorrect key: " + wire.headers.get("authorization", "").encode()
    await wire.raw(b"HTTP/1.1 401 X\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return True


# ---------------------------------------------------------------- Retry-After


def _pause(label: str, value: str, expected: str, dated: float | None = 0.0, text: str = "") -> None:
    """Answers 429 once with that Retry-After, then as it should."""

    async def fault(wire: Wire) -> bool:
        if wire.headers.get("x-asked") or getattr(wire.writer, "asked", False):
            return await fine(wire)
        wire.writer.asked = True  # type: ignore[attr-defined]
        date = f"Date: {formatdate(1e9 + dated, usegmt=True)}\r\n" if dated is not None else ""
        await wire.raw(f"HTTP/1.1 429 X\r\n{date}Retry-After: {value}\r\nContent-Length: 0\r\n\r\n".encode())
        return True

    CASES.append(Case(f"Retry-After {label}", fault, expected, text))


_long_ago, _in_a_year = formatdate(1e9 - 3600, usegmt=True), formatdate(1e9 + 3e7, usegmt=True)
_pause("a moment", "0.1", ANSWER, text="fine")
_pause("zero", "0", ANSWER, text="fine")
_pause("negative", "-5", ANSWER, text="fine")
_pause("not a number", "nan", ANSWER, text="fine")
_pause("infinite", "inf", ANSWER, text="fine")
_pause("nonsense", "soon", ANSWER, text="fine")
_pause("an hour", "3600", "rate_limited")
_pause("a date that has been", _long_ago, ANSWER, text="fine")
_pause("a date in a year", _in_a_year, "rate_limited")
_pause("a date by a clock decades behind ours", formatdate(1e9, usegmt=True), ANSWER, text="fine")
_pause("a date without the server's clock", _in_a_year, ANSWER, dated=None, text="fine")
_pause("a date that is none", "Thu, 99 Foo 99999 99:99:99 GMT", ANSWER, text="fine")


# ---------------------------------------------------------------- redirects


@case("refused")
async def redirect_elsewhere(wire: Wire) -> bool:
    """`x-elsewhere` is where the test listens; it must never be asked."""
    where = wire.headers["x-elsewhere"].encode()
    await wire.raw(b"HTTP/1.1 307 X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % where)
    return True


@case("refused")
async def redirect_to_itself(wire: Wire) -> bool:
    await wire.raw(b"HTTP/1.1 308 X\r\nLocation: /v1\r\nContent-Length: 0\r\n\r\n")
    return True


@case("refused")
async def redirect_to_a_file(wire: Wire) -> bool:
    await wire.raw(b"HTTP/1.1 302 X\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")
    return True


# ---------------------------------------------------------------- framing


@case("unreachable")
async def reset_mid_stream(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    await wire.chunk(wire.event("a"))
    wire.abort()


@case("unreachable")
async def closed_mid_stream(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    await wire.chunk(wire.event("a"))


@case("unreachable")
async def shorter_than_its_length(wire: Wire) -> None:
    await wire.raw(HEAD + b"Content-Length: 5000\r\n\r\n" + wire.event("a"))


@case(("unreachable", ANSWER))
async def longer_than_its_length(wire: Wire) -> None:
    answer = wire.event("a") + wire.event("", "stop")
    await wire.raw(
        HEAD + b"Content-Length: %d\r\n\r\n" % len(answer) + answer + b"HTTP/1.1 200 OK\r\n\r\nmore"
    )
    await wire.for_ever()


@case("unreachable")
async def chunk_size_is_no_number(wire: Wire) -> None:
    await wire.raw(CHUNKED + b"zz\r\nhello\r\n")


@case("unreachable")
async def chunk_size_is_negative(wire: Wire) -> None:
    await wire.raw(CHUNKED + b"-5\r\nhello\r\n")


@case(("unreachable", "timeout"))
async def chunk_size_is_enormous(wire: Wire) -> None:
    await wire.raw(CHUNKED + b"ffffffffffffffff\r\nhello\r\n")


@case("unreachable")
async def length_is_no_number(wire: Wire) -> None:
    await wire.raw(HEAD + b"Content-Length: many\r\n\r\n")


@case("unreachable")
async def two_lengths(wire: Wire) -> None:
    await wire.raw(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello")


@case(ANSWER, text="fine")
async def ended_by_closing(wire: Wire) -> None:
    await wire.raw(HEAD + b"Connection: close\r\n\r\n" + wire.event("fine") + wire.event("", "stop"))


# ---------------------------------------------------------------- time


@case("timeout")
async def header_and_no_word(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    await wire.for_ever()


@case("timeout")
async def stalled_after_the_first_word(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    await wire.chunk(wire.event("a"))
    await wire.for_ever()


@case("timeout")
async def stream_one_byte_at_a_time(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    for byte in wire.event("a" * 1000):
        await wire.chunk(bytes([byte]))
        await asyncio.sleep(0.02)


@case("timeout")
async def comments_for_ever(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    while True:
        await wire.chunk(b": keep-alive\n\n")
        await asyncio.sleep(0.02)


@case("timeout")
async def words_for_ever(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    while True:
        await wire.chunk(wire.event("word "))
        await asyncio.sleep(0.01)


@case(("timeout", "bad_answer"))
async def empty_words_for_ever(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    while True:
        await wire.chunk(wire.event(""))
        await asyncio.sleep(0)


@case("timeout")
async def never_closed_after_the_last_word_but_one(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    await wire.chunk(wire.event("a"))
    await wire.chunk(b"data: ")
    await wire.for_ever()


# ---------------------------------------------------------------- size


@case(ANSWER, text="xxxx")
async def one_huge_word(wire: Wire) -> bool:
    await wire.fine("x" * (2 << 20))
    return True


@case("bad_answer")
async def one_event_over_every_bound(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    await wire.chunk(b"data: " + b"x" * (9 << 20) + b"\n\n")
    await wire.for_ever()


@case("bad_answer")
async def line_that_never_ends(wire: Wire) -> None:
    await wire.raw(CHUNKED + b"")
    await wire.chunk(b"data: ")
    while True:
        await wire.chunk(b"x" * (1 << 18))


@case(("bad_answer", "timeout"))
async def event_of_endless_lines(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    while True:
        await wire.chunk(b"data: xxxxxxxx\n" * 5_000)


@case(("bad_answer", "timeout"))
async def empty_lines_for_ever(wire: Wire) -> None:
    await wire.raw(CHUNKED)
    while True:
        await wire.chunk(b"\n" * (1 << 16))


@cache
def bomb() -> bytes:
    return gzip.compress(b"data: " + b"x" * (96 << 20), 6)


@case("bad_answer")
async def gzip_bomb(wire: Wire) -> None:
    await wire.raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb()) + bomb())


@case("bad_answer")
async def gzip_bomb_in_gzip(wire: Wire) -> None:
    twice = gzip.compress(bomb())
    await wire.raw(HEAD + b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(twice) + twice)


@case("unreachable")
async def gzip_bomb_in_an_error(wire: Wire) -> None:
    head = b"HTTP/1.1 500 X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    await wire.raw(head % len(bomb()) + bomb())


@case("bad_answer")
async def gzip_that_is_none(wire: Wire) -> None:
    await wire.raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello")


@case(("bad_answer", "unreachable"))
async def gzip_cut_in_half(wire: Wire) -> None:
    data = gzip.compress(wire.event("a"))[:20]
    await wire.raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data) + data)


@case(ANSWER, text="fine")
async def gzip_as_it_should_be(wire: Wire) -> bool:
    data = gzip.compress(wire.event("fine") + wire.event("", "stop"))
    await wire.raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
    return True


@case("bad_answer")
async def compressed_by_what_was_not_asked_for(wire: Wire) -> None:
    await wire.raw(HEAD + b"Content-Encoding: br\r\nContent-Length: 3\r\n\r\n\x0b\x02\x80")


# ---------------------------------------------------------------- what the stream holds


def _says(
    name: str, expected: str | tuple[str, ...], *pieces: bytes, text: str = "", kind: bytes = b""
) -> None:
    """Streams `pieces` as they are, each in a chunk of its own."""

    async def fault(wire: Wire) -> bool:
        await wire.raw(CHUNKED.replace(b"text/event-stream", kind) if kind else CHUNKED)
        for piece in pieces:
            await wire.chunk(piece)
        await wire.raw(b"0\r\n\r\n")
        return True

    CASES.append(Case(name, fault, expected, text))


def _both(text: object) -> bytes:
    """An event that is right for a completion and for a chat."""
    choice = {"text": text, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"


_done = b"data: [DONE]\n\n"
_cafe = _both("café")
_cut = _cafe.index(b"\xc3") + 1
_says("character cut between chunks", ANSWER, _cafe[:_cut], _cafe[_cut:], _done, text="café")
_says("character cut at the end", (ANSWER, "bad_answer"), _both("a"), _cafe[:_cut])
_says("bytes that are no text", (ANSWER, "bad_answer"), _both("a").replace(b'"a"', b'"\xff\xfe"'), _done)
_says("half of a surrogate pair", ANSWER, _both("a").replace(b'"a"', b'"fine\\ud83d"'), _done, text="fine")
_says("every line end", ANSWER, b"\r\n\r" + _both("f").replace(b"\n", b"\r\n"), _both("ine").replace(b"\n", b"\r"), _done, text="fine")  # fmt: skip
_says("line end cut in two", ANSWER, _both("fine").replace(b"\n", b"\r\n")[:-3], b"\n\r", b"\n", _done, text="fine")  # fmt: skip
_says("byte order mark", ANSWER, b"\xef\xbb\xbf" + _both("fine"), _done, text="fine")
_says("fields that are not known", ANSWER, b"id: 1\nevent: x\nretry: 9\n:\nfoo\n" + _both("fine"), _done, text="fine")  # fmt: skip
_says("no blank line after the last event", (ANSWER, "bad_answer"), _both("fine")[:-1])
_says("no closing word", ANSWER, _both("fine"), text="fine")
_says("closing word twice", ANSWER, _both("fine"), _done, _done, text="fine")
_says("words after the closing word", ANSWER, _both("fine"), _done, _both("not this"), text="fine")
_says("closing word alone", "bad_answer", _done)
_says("nothing at all", "bad_answer")
_says("comments alone", "bad_answer", b": hello\n\n" * 10)
_says("not JSON", "bad_answer", b"data: {this is not json\n\n")
_says("JSON of another kind", "bad_answer", b"data: [1, 2]\n\n")
_says("null", "bad_answer", b"data: null\n\n")
_says("numbers that JSON has not", "bad_answer", b'data: {"choices": [{"index": NaN}]}\n\n')
_says("nested too deeply", "bad_answer", b"data: " + b"[" * 200_000 + b"\n\n")
_says("number with a million digits", "bad_answer", b'data: {"choices": ' + b"9" * 1_000_000 + b"}\n\n")
_says("error as an event", "bad_answer", b'data: {"error": {"message": "out of memory"}}\n\n')
_says("error as a text", "bad_answer", b'data: {"error": "out of memory"}\n\n')
_says("error after words", "bad_answer", _both("a"), b'data: {"error": {"code": 500}}\n\n')
_says("page for a stream", "bad_answer", b"<html>Log in</html>", kind=b"text/html")
_says("stream of no type", (ANSWER, "bad_answer"), _both("fine"), _done, kind=b"application/octet-stream")
_says("whole answer for a stream", ANSWER, _both("fine")[6:], text="fine", kind=b"application/json")
_says("event that is huge and empty", ANSWER, b"data: {" + b" " * 4_000_000 + b"}\n\n", _both("fine"), _done, text="fine")  # fmt: skip
for _label, _wrong in {
    "choices a text": {"choices": "abc"},
    "choices a number": {"choices": 5},
    "choices of null": {"choices": [None]},
    "text a number": {"choices": [{"text": 5, "delta": {"content": 5}}]},
    "text a list": {"choices": [{"text": ["a"], "delta": {"content": ["a"]}}]},
    "delta a list": {"choices": [{"delta": ["a"], "text": "a"}]},
    "delta null": {"choices": [{"delta": None}]},
    "finish a number": {"choices": [{"text": "a", "finish_reason": 7}]},
    "usage a text": {"choices": [], "usage": "much"},
    "usage of texts": {"choices": [], "usage": {"prompt_tokens": "much"}},
    "usage negative": {"choices": [], "usage": {"prompt_tokens": -1}},
    "tool calls a text": {"choices": [{"delta": {"tool_calls": "run"}}]},
    "tool calls of numbers": {"choices": [{"delta": {"tool_calls": [1]}}]},
    "tool call without a name": {"choices": [{"delta": {"tool_calls": [{"index": "x", "function": 3}]}}]},
}.items():
    _says(
        f"shape: {_label}", (ANSWER, "bad_answer"), b"data: " + json.dumps(_wrong).encode() + b"\n\n", _done
    )
