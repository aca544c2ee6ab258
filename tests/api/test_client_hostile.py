"""Servers that send what no server should: the client ends in time, in little memory, unharmed."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.api.client import ServiceClient
from batchgen.api.key import ApiKey
from batchgen.api.outcome import Fate, PollProblem, Refusal
from batchgen.api.wire import Prediction

ID = "0123456789abcdef"
MODEL = "wavespeed-ai/imagen4"
GOOD = b'{"code": 200, "message": "ok", "data": {"id": "%s", "status": "created"}}' % ID.encode()
HEAD = b"HTTP/1.1 200 OK\r\n"
Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def client_of(talk: Talk, timeout: float = 5) -> AsyncIterator[ServiceClient]:
    """A client of a server that says to every request what *talk* writes, and hangs up."""
    handlers: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await talk(writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = ServiceClient(
        f"http://127.0.0.1:{port}", ApiKey("key"), submit_timeout=timeout, poll_timeout=timeout
    )
    async with server, client:
        yield client
        for handler in filter(None, handlers):
            handler.cancel()


def says(raw: bytes) -> Talk:
    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return talk


def repeats(head: bytes, part: bytes, wait: float = 0) -> Talk:
    """*head*, then *part* for ever."""

    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(wait)

    return talk


def packed(plain: bytes, encoding: bytes = b"gzip") -> bytes:
    body = gzip.compress(plain)
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    return HEAD + b"Content-Encoding: %s\r\n" % encoding + length + body


FLOODS = {
    "body": repeats(HEAD + b"\r\n", b" " * 65536),
    "chunks": repeats(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 999),
    "headers": repeats(HEAD, b"X-Flood: abc\r\n" * 999),
    "header": repeats(HEAD + b"X-Flood: ", b"x" * 65536),
    "cookies": repeats(HEAD, b"Set-Cookie: a=b; Path=/\r\n" * 999),
    "interim": repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99),
    "drip": repeats(HEAD + b"Content-Length: 99999\r\n\r\n", b" ", wait=0.05),
    "header drip": repeats(HEAD, b"X: y\r\n", wait=0.05),
    "bomb": says(packed(b" " * 300_000_000)),
    "length": says(HEAD + b"Content-Length: 99999999999999999999\r\n\r\n" + GOOD),
}


@pytest.mark.parametrize("talk", FLOODS.values(), ids=FLOODS)
async def test_a_flood_ends_in_time_and_is_not_kept(talk: Talk):
    tracemalloc.start()
    try:
        async with client_of(talk, timeout=0.7) as client, asyncio.timeout(4):
            submitted = await client.submit(MODEL, {})
            polled = await client.result(ID)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(submitted, Refusal)
    assert submitted.fate is Fate.UNCERTAIN
    assert isinstance(polled, PollProblem)
    assert peak < 20 * 1024 * 1024


ODD = {
    "brotli": packed(GOOD, b"br"),
    "zstd": packed(GOOD, b"zstd"),
    "twice packed": packed(gzip.compress(GOOD), b"gzip, gzip"),
    "deflate": packed(GOOD, b"deflate"),
    "two lengths": HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n" + GOOD,
    "length and chunks": HEAD
    + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + GOOD,
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n" + GOOD,
    "negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + GOOD,
    "upgrade": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + GOOD,
    "status 999": b"HTTP/1.1 999 Denied\r\n\r\n" + GOOD,
    "status 0": b"HTTP/1.1 000 Zero\r\n\r\n" + GOOD,
    "no status": b"HTTP/1.1\r\n\r\n" + GOOD,
    "HTTP 9": b"HTTP/9.9 200 OK\r\n\r\n" + GOOD[:-1],
    "nul in a header": HEAD + b"X: \x00\r\n\r\n" + GOOD,
    "folded header": HEAD + b"X: a\r\n b\r\n\r\n" + GOOD[:-1],
    "escapes in the reason": b"HTTP/1.1 500 \x1b[2J\xff\r\n\r\n",
}


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD)
async def test_odd_http_proves_nothing(raw: bytes):
    async with client_of(says(raw), timeout=2) as client:
        found = await client.submit(MODEL, {})
        polled = await client.result(ID)
    assert isinstance(found, Refusal)
    assert found.fate is Fate.UNCERTAIN
    assert "\x1b" not in found.reason
    assert isinstance(polled, PollProblem)


@pytest.mark.parametrize(
    "line",
    [
        *[b"Set-Cookie: \x01=\xff; Expires=x; Max-Age=9e9", b"Set-Cookie: a=b; Domain=.ai; =;"],
        *[b"Content-Type: /; charset=\xff", b"Content-Type: ;;", b"Link: <<>>; rel=\xff"],
        *[b"Date: \xff", b"Date: ", b"Date: 1 2 3 4 5", b"Date: Mon, 01 Jan 0000 00:00:00 -9999"],
        *[b"Retry-After: \xff", b"Retry-After: 1e400", b"Location: http://[::1", b"Server: \x7f"],
    ],
)
async def test_an_odd_header_does_not_spoil_a_good_answer(line: bytes):
    raw = HEAD + line + b"\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD
    async with client_of(says(raw)) as client:
        assert isinstance(await client.submit(MODEL, {}), Prediction)
        assert isinstance(await client.result(ID), Prediction)


@pytest.mark.parametrize(
    "spelled",
    [b"k-b/c&d-12", rb"k\u002db/c\u0026d-12", rb"k\u002Db\/c&d-12", b"k%2db%2Fc%26d-12"],
)
@pytest.mark.parametrize("status", [b"400", b"302"])
async def test_a_key_that_comes_back_spelled_otherwise_is_not_repeated(spelled, status):
    body = b'{"code": 400, "message": "bad key %s."}' % spelled
    raw = b"HTTP/1.1 " + status + b" No\r\nLocation: /?key=" + spelled + b"\r\n\r\n" + body
    async with client_of(says(raw)) as client:
        client._key = ApiKey("k-b/c&d-12")
        submitted, polled = await client.submit(MODEL, {}), await client.result(ID)
    assert isinstance(submitted, Refusal)
    assert isinstance(polled, PollProblem)
    for reason in (submitted.reason, polled.reason):
        assert "***" in reason
        assert "d-12" not in reason


pieces = st.sampled_from(
    [
        *[HEAD, b"\r\n", b"\r\n\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"7"],
        *[b"Content-Encoding: gzip\r\n", b"Set-Cookie: ", b"a=b", b";", b"\r\n5\r\n", GOOD],
        *[b"Date: ", b"Location: /x", b"HTTP/1.1 100 \r\n\r\n", b"HTTP/1.0 204 \r\n", b": ", b"ff"],
    ]
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(pieces | st.binary(max_size=8), max_size=12).map(b"".join))
async def test_no_bytes_at_all_make_the_client_raise(raw: bytes):
    async with client_of(says(raw), timeout=0.5) as client:
        assert isinstance(await client.submit(MODEL, {}), Prediction | Refusal)
        assert isinstance(await client.result(ID), Prediction | PollProblem)
        assert isinstance(await client.balance(), str)
        assert isinstance(await client.history(1), str)
