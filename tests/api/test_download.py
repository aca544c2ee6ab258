"""Fetching images: every address checked, every stream capped, nothing given away."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import pytest
from aiohttp import web

from batchgen.api import download
from batchgen.api.download import Downloader, DownloadError, GoneError

IMAGE = bytes(range(256)) * 1_000
Behaviour = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Host:
    """An image host on loopback; ``/5`` redirects to ``/4`` and so on, ``/0`` is the image."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.behave: Behaviour = hop
        self.stopping = asyncio.Event()
        self.base = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append((request.path_qs, dict(request.headers)))
        return await self.behave(request)

    async def hang(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        if "body" in request.path:
            await response.prepare(request)
            await response.write(b"x" * 10)
        await self.stopping.wait()
        return response


async def hop(request: web.BaseRequest) -> web.StreamResponse:
    left = int(request.path.strip("/"))
    if left == 0:
        return web.Response(body=IMAGE, content_type="image/png")
    more = {"Location": f"/{left - 1}", "Set-Cookie": "a=b; Path=/"}
    return web.Response(status=[301, 302, 303, 307, 308][left % 5], headers=more)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    made = Host()
    runner = web.ServerRunner(web.Server(made), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    made.stopping.set()
    await runner.cleanup()


async def fetch(address: str, *, timeout: float = 10, allow_loopback: bool = True) -> list[bytes]:
    async with (
        Downloader(timeout=timeout, allow_loopback=allow_loopback) as downloader,
        aclosing(downloader.fetch(address)) as chunks,  # type: ignore[type-var]
    ):
        return [chunk async for chunk in chunks]


def answer(status: int = 200, content: bytes = IMAGE, **headers: str) -> Behaviour:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def behave(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, body=content, headers=named)

    return behave


def raw(content: bytes) -> Behaviour:
    """Answer with these very bytes and hang up."""

    async def behave(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport
        request.transport.write(content)
        request.transport.close()
        return web.Response()

    return behave


async def test_the_bytes_come_in_small_chunks(host):
    chunks = await fetch(f"{host.base}/0")
    assert b"".join(chunks) == IMAGE
    assert 0 < min(map(len, chunks)) <= max(map(len, chunks)) <= 64 * 1024


async def test_no_name_no_key_and_no_cookie_is_sent_and_no_compression_asked_for(host):
    await fetch(f"{host.base}/2")
    assert [path for path, _ in host.requests] == ["/2", "/1", "/0"]
    for _, headers in host.requests:
        assert headers.keys() == {"Host", "Accept", "Accept-Encoding", "User-Agent"}
        assert headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("hops", [1, 5])
async def test_five_redirects_are_followed(host, hops):
    assert b"".join(await fetch(f"{host.base}/{hops}")) == IMAGE
    assert len(host.requests) == hops + 1


async def test_a_sixth_redirect_is_not_followed(host):
    with pytest.raises(DownloadError, match=r"^more than 5 redirects$"):
        await fetch(f"{host.base}/6")
    assert [path for path, _ in host.requests] == ["/6", "/5", "/4", "/3", "/2", "/1"]


ODD = ["http://example.com/a.png", "//example.com/a.png", "ftp://localhost/", "file:///etc/passwd"]
ODD += ["https://user@example.com/", "https://:secret@example.com/", "https://", "data:,x"]
ODD += ["http://127.0.0.1.example/", "http://0.0.0.0/", "http://169.254.169.254/latest/meta-data"]
REFUSED = "^(expected the address of the image to be https|the address of the image is no URL)$"


@pytest.mark.parametrize("address", [*ODD, "", "a.png", "/a.png", "https://[::1"])
@pytest.mark.parametrize("allow_loopback", [True, False])
async def test_an_odd_address_is_refused_before_anything_is_sent(address, allow_loopback):
    with pytest.raises(DownloadError, match=REFUSED):
        await fetch(address, allow_loopback=allow_loopback)


@pytest.mark.parametrize("address", [*ODD, "https://[::1"])
async def test_a_redirect_to_an_odd_address_is_refused(host, address):
    host.behave = answer(302, b"", Location=address)
    with pytest.raises(DownloadError, match=REFUSED):
        await fetch(f"{host.base}/a")
    assert len(host.requests) == 1


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "127.9.9.9"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_this_machine_is_refused_unless_the_service_is_there(host, name, scheme):
    port = host.base.rpartition(":")[2]
    with pytest.raises(DownloadError, match=r"^(expected .* https|refused an image address on)"):
        await fetch(f"{scheme}://{name}:{port}/0", allow_loopback=False)
    assert host.requests == []


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_an_address_that_no_longer_serves_is_gone(host, status):
    host.behave = answer(status)
    with pytest.raises(GoneError, match=f"^HTTP {status}: the image is not there$"):
        await fetch(f"{host.base}/a")


@pytest.mark.parametrize("status", [201, 204, 206, 400, 401, 408, 416, 429, 500, 502, 503, 504])
async def test_any_other_status_may_pass(host, status):
    host.behave = answer(status)
    with pytest.raises(DownloadError, match=f"^HTTP {status} instead of the image$") as caught:
        await fetch(f"{host.base}/a")
    assert not isinstance(caught.value, GoneError)


HEAD = b"HTTP/1.1 200 OK\r\n"
CUT = {
    "length": raw(HEAD + b"Content-Length: 1000\r\n\r\n" + bytes(999)),
    "chunk": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + bytes(999)),
    "last chunk": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"),
    "nothing": raw(b""),
    "no HTTP": raw(b"\x89PNG\r\n\x1a\n"),
    "odd redirect": raw(b"HTTP/1.1 302 Found\r\nLocation: http://\xff\r\n\r\n"),
    "no gzip": answer(200, b"not gzip", Content_Encoding="gzip"),
}


@pytest.mark.parametrize("behave", CUT.values(), ids=CUT)
async def test_a_download_that_breaks_off_is_no_image(host, behave):
    host.behave = behave
    with pytest.raises(DownloadError) as caught:
        await fetch(f"{host.base}/a")
    assert not isinstance(caught.value, GoneError)


@pytest.mark.parametrize("where", ["head", "body"])
async def test_a_download_that_stalls_ends_in_time(host, where):
    host.behave = host.hang
    with pytest.raises(DownloadError, match=r"^the download failed: .*Timeout"):
        await fetch(f"{host.base}/{where}", timeout=0.2)


async def test_a_host_that_does_not_answer_is_a_download_error():
    with pytest.raises(DownloadError, match=r"^the download failed: ClientConnectorDNSError$"):
        await fetch("https://nowhere.invalid/a.png")


@pytest.mark.parametrize(
    "behave",
    [answer(), answer(200, gzip.compress(IMAGE), Content_Encoding="gzip")],
    ids=["plain", "compressed"],
)
async def test_an_image_is_capped_by_the_bytes_that_come_out(host, behave, monkeypatch):
    host.behave = behave
    monkeypatch.setattr(download, "MAX_IMAGE_BYTES", len(IMAGE))
    assert b"".join(await fetch(f"{host.base}/a")) == IMAGE
    monkeypatch.setattr(download, "MAX_IMAGE_BYTES", len(IMAGE) - 1)
    with pytest.raises(DownloadError, match=r"^an image of more than 0 MiB$"):
        await fetch(f"{host.base}/a")


def test_the_cap_is_64_mebibytes():
    assert download.MAX_IMAGE_BYTES == 64 * 2**20
