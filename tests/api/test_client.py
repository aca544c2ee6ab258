"""Sending: one POST for each submit whatever happens, and the key for the API alone."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from batchgen.api.address import check_base_url, is_loopback
from batchgen.api.client import ServiceClient
from batchgen.api.key import ApiKey
from batchgen.api.outcome import Fate, Poll, PollProblem, Refusal
from batchgen.api.wire import MAX_ANSWER_BYTES, Prediction
from batchgen.errors import UsageError
from tests.support.serving import Behaviour, answer, raw, serving

KEY = "wck-9876543210-client"
ID = "0123456789abcdef"
MODEL = "wavespeed-ai/imagen4"
GOOD = {"code": 200, "message": "success", "data": {"id": ID, "status": "created"}}


class Server:
    """A server on loopback that records each request and answers as the test says."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.behave: Behaviour = good
        self.stopping = asyncio.Event()
        self.base = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        content = await request.read()
        self.requests.append((request.method, request.path_qs, dict(request.headers), content))
        return await self.behave(request)

    async def hang(self, _: web.BaseRequest) -> web.StreamResponse:
        await self.stopping.wait()
        return web.Response()


async def good(_: web.BaseRequest) -> web.StreamResponse:
    return web.json_response(GOOD)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    async with serving(made) as made.base:
        yield made
        made.stopping.set()


def client_of(base: str, timeout: float = 10) -> ServiceClient:
    return ServiceClient(base, ApiKey(KEY), submit_timeout=timeout, poll_timeout=timeout)


async def submit(base: str, timeout: float = 10) -> Prediction | Refusal:
    async with client_of(base, timeout) as client:
        return await client.submit(MODEL, {"prompt": "é"})


async def poll(base: str, timeout: float = 10) -> Prediction | PollProblem:
    async with client_of(base, timeout) as client:
        return await client.result(ID)


async def test_a_submit_is_a_post_of_the_request_with_the_key(server):
    assert await submit(server.base) == Prediction(id=ID, status="created")
    ((method, path, headers, content),) = server.requests
    assert (method, path) == ("POST", "/api/v3/wavespeed-ai/imagen4")
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(content) == {"prompt": "é"}


async def test_a_poll_is_a_get_of_the_result(server):
    assert await poll(f"{server.base}/") == Prediction(id=ID, status="created")
    ((method, path, headers, content),) = server.requests
    assert (method, path, content) == ("GET", f"/api/v3/predictions/{ID}/result", b"")
    assert headers["Authorization"] == f"Bearer {KEY}"


async def reset(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport
    request.transport.abort()
    return web.Response()


JSON = json.dumps(GOOD).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LOST: dict[str, Behaviour] = {
    "reset": reset,
    "hang up": raw(b""),
    "half a head": raw(b"HTTP/1.1 200 OK\r\nContent-"),
    "no HTTP": raw(b"SSH-2.0-OpenSSH\r\n\r\n"),
    "endless header": raw(HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n"),
    "cut body": raw(HEAD + b"Content-Length: 999\r\n\r\n" + JSON),
    "cut chunk": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nfff\r\n" + JSON),
    "cut JSON": raw(HEAD + b"\r\n" + JSON[:-1]),
    "no gzip": answer(200, b"not gzip", Content_Encoding="gzip"),
    "huge": answer(200, b" " * MAX_ANSWER_BYTES + JSON),
    "bomb": answer(200, gzip.compress(b" " * 50_000_000 + JSON), Content_Encoding="gzip"),
    "empty": answer(200),
    "no content": answer(204),
    "page": answer(502, b"<html>"),
    "error": answer(500, JSON),
}


@pytest.mark.parametrize("behave", LOST.values(), ids=LOST)
async def test_a_submit_whose_answer_is_lost_is_uncertain_and_sent_once(server, behave):
    server.behave = behave
    found = await submit(server.base)
    assert isinstance(found, Refusal)
    assert found.fate is Fate.UNCERTAIN
    assert found.reason
    assert len(server.requests) == 1


@pytest.mark.parametrize("behave", LOST.values(), ids=LOST)
async def test_a_poll_whose_answer_is_lost_is_a_passing_trouble(server, behave):
    server.behave = behave
    found = await poll(server.base)
    assert isinstance(found, PollProblem)
    assert found.kind is Poll.TRANSIENT


async def test_a_submit_without_an_answer_in_time_is_uncertain(server):
    server.behave = server.hang
    found = await submit(server.base, timeout=0.2)
    assert found == Refusal(fate=Fate.UNCERTAIN, reason="no answer in time")
    assert len(server.requests) == 1


async def test_a_poll_without_an_answer_in_time_is_a_passing_trouble(server):
    server.behave = server.hang
    found = await poll(server.base, timeout=0.2)
    assert found == PollProblem(kind=Poll.TRANSIENT, reason="no answer in time")


async def test_a_kept_connection_that_died_does_not_make_a_second_post(server):
    async with client_of(server.base) as client:
        assert isinstance(await client.submit(MODEL, {}), Prediction)
        server.behave = reset
        found = await client.submit(MODEL, {})
    assert isinstance(found, Refusal)
    assert found.fate is Fate.UNCERTAIN
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(server, status):
    server.behave = answer(status, Location=f"{server.base}/elsewhere")
    found = await submit(server.base)
    assert isinstance(found, Refusal)
    # "See Other" answers a POST that was carried out; the others say that it was not.
    assert found.fate is (Fate.UNCERTAIN if status == 303 else Fate.MISDIRECTED)
    assert isinstance(await poll(server.base), PollProblem)
    assert [path for _, path, _, _ in server.requests if "elsewhere" in path] == []
    assert len(server.requests) == 2


async def test_odd_headers_raise_nothing(server):
    date = b"Date: Mon, 01 Jan 99999999999999 00:00:00 GMT\r\n"
    server.behave = raw(b"HTTP/1.1 302 Found\r\nLocation: /caf\xe9\r\n" + date + b"\r\n")
    reason = "HTTP 302: redirected to /caf?"
    assert await submit(server.base) == Refusal(fate=Fate.MISDIRECTED, reason=reason, status=302)


async def test_the_wait_a_service_asks_for_is_handed_on(server):
    server.behave = answer(429, b"slow down", Retry_After="7")
    found = await submit(server.base)
    assert isinstance(found, Refusal)
    assert (found.fate, found.retry_after) == (Fate.THROTTLED, 7)


@pytest.mark.parametrize(
    "behave",
    [
        answer(401, json.dumps({"code": 401, "message": f"bad key {KEY}"}).encode()),
        answer(400, json.dumps({"code": 400, "message": f"Bearer {KEY}"}).encode()),
        answer(302, Location=f"https://evil.example/?key={KEY}"),
        answer(200, json.dumps({**GOOD, "data": {"id": ID, "status": KEY}}).encode()),
    ],
    ids=["message", "header", "redirect", "data"],
)
async def test_an_echoed_key_is_not_repeated(server, behave):
    server.behave = behave
    found = [await submit(server.base), await poll(server.base)]
    assert KEY not in repr(found)
    assert "***" in repr(found[0])


async def test_cookies_are_not_kept(server):
    server.behave = answer(200, JSON, Set_Cookie="a=b; Path=/")
    async with client_of(server.base) as client:
        await client.submit(MODEL, {})
        await client.result(ID)
    assert [headers for *_, headers, _ in server.requests if "Cookie" in headers] == []


async def test_a_refused_connection_sent_nothing():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        base = f"http://127.0.0.1:{taken.getsockname()[1]}"
        found = await submit(base)
        problem = await poll(base)
    assert isinstance(found, Refusal)
    assert found.fate is Fate.NOT_SENT
    assert found.reason.startswith("ClientConnectorError")
    assert isinstance(problem, PollProblem)
    assert problem.kind is Poll.TRANSIENT


async def test_a_name_without_an_address_sent_nothing():
    found = await submit("https://nowhere.invalid")
    assert isinstance(found, Refusal)
    assert found.fate is Fate.NOT_SENT
    assert found.reason.startswith("ClientConnectorDNSError")


async def test_a_failed_handshake_sent_nothing(server):
    found = await submit(server.base.replace("http:", "https:"))
    assert isinstance(found, Refusal)
    assert found.fate is Fate.NOT_SENT
    assert server.requests == []


@pytest.mark.parametrize(
    "address",
    [
        *["https://api.wavespeed.ai", "https://api.wavespeed.ai/", "https://api.example:8443"],
        *["http://127.0.0.1:8080", "http://127.1.2.3", "http://[::1]:8080"],
        *["http://localhost:8080/", "HTTP://LOCALHOST"],
    ],
)
def test_a_sound_base_address_is_accepted(address):
    assert check_base_url(address).path in {"", "/"}


@pytest.mark.parametrize(
    "address",
    [
        *["", "api.wavespeed.ai", "//api.wavespeed.ai", "ftp://api.wavespeed.ai"],
        *["file:///etc/passwd", "https://", "https://[::1", "https://\ud800"],
        "https://user@api.wavespeed.ai",
        "https://user:secret@api.wavespeed.ai",
        "https://:secret@api.wavespeed.ai",
        "https://api.wavespeed.ai/v3",
        "https://api.wavespeed.ai//",
        "https://api.wavespeed.ai?a=b",
        "https://api.wavespeed.ai/#a",
        "https://api.wavespeed.ai:port",
        "https://api.wavespeed.ai:99999",
    ],
)
def test_an_odd_base_address_is_refused(address):
    with pytest.raises(UsageError, match=r"^expected an address such as https://api\.wavespeed"):
        client_of(address)


@pytest.mark.parametrize(
    "host",
    [
        *["api.wavespeed.ai", "192.168.0.1", "0.0.0.0", "[::2]", "126.0.0.1", "128.0.0.1"],
        *["localhost.example", "127.0.0.1.example", "127.example", "1270.example"],
    ],
)
def test_the_key_never_travels_in_the_clear(host):
    with pytest.raises(UsageError, match=r"^expected https, got .*: the key would travel in the c"):
        check_base_url(f"http://{host}")
    assert not is_loopback(check_base_url(f"https://{host}"))
