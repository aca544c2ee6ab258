"""A server inside a test's own process, on loopback, that answers as the test says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Behaviour = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(behave: Behaviour) -> AsyncIterator[str]:
    """Serve while the block lasts; the address."""
    runner = web.ServerRunner(web.Server(behave), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answer(status: int = 200, content: bytes = b"", **headers: str) -> Behaviour:
    """Always answer this; ``_`` in the name of a header stands for ``-``."""
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
