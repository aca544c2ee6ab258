"""An image host on loopback that does what a test tells it, and a download from it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import pytest
from aiohttp import web

from batchgen.api.download import Downloader
from tests.support.serving import Behaviour, serving

IMAGE = bytes(range(256)) * 1_000
HEAD = b"HTTP/1.1 200 OK\r\n"


class Host:
    """An image host on loopback; ``/5`` redirects to ``/4`` and so on, ``/0`` is the image."""

    def __init__(self) -> None:
        """Redirect as the path says."""
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.behave: Behaviour = hop
        self.stopping = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.served = 0
        self.base = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Note the request and behave."""
        self.requests.append((request.path_qs, dict(request.headers)))
        return await self.behave(request)

    async def hang(self, request: web.BaseRequest) -> web.StreamResponse:
        """Never answer, or stop inside the body."""
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        if "body" in request.path:
            await response.prepare(request)
            await response.write(b"x" * 10)
        await self.stopping.wait()
        return response

    async def drip(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send 100 bytes a second without an end."""
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(OSError):
            while not self.stopping.is_set():
                await response.write(b"x")
                await asyncio.sleep(0.01)
        self.hung_up.set()
        return response

    async def trickle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send 8 KiB at 50 KiB a second."""
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(8):
            await response.write(bytes(1024))
            await asyncio.sleep(0.02)
        return response

    def flood(self, start: bytes, part: bytes) -> Behaviour:
        """Send *part* again and again, up to 32 MiB."""

        async def behave(request: web.BaseRequest) -> web.StreamResponse:
            transport = request.transport
            assert transport
            transport.write(start)
            while not transport.is_closing() and self.served < 32 * 2**20:
                transport.write(part * (64 * 1024 // len(part)))
                self.served += 64 * 1024
                await asyncio.sleep(0)
            transport.abort()
            return web.Response()

        return behave


async def hop(request: web.BaseRequest) -> web.StreamResponse:
    """One redirect fewer, or the image."""
    left = int(request.path.strip("/"))
    if left == 0:
        return web.Response(body=IMAGE, content_type="image/png")
    more = {"Location": f"/{left - 1}", "Set-Cookie": "a=b; Path=/"}
    return web.Response(status=[301, 302, 303, 307, 308][left % 5], headers=more)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """A host of which nothing was asked yet."""
    made = Host()
    async with serving(made) as made.base:
        yield made
        made.stopping.set()


async def fetch(address: str, *, timeout: float = 10, allow_loopback: bool = True) -> list[bytes]:
    """The chunks at *address*."""
    async with (
        Downloader(timeout=timeout, allow_loopback=allow_loopback) as downloader,
        aclosing(downloader.fetch(address)) as chunks,  # type: ignore[type-var]
    ):
        return [chunk async for chunk in chunks]
