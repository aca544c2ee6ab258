"""Bodies that an image host sends without an end, until the client hangs up."""

import asyncio
from collections import Counter

from aiohttp import web

# Whether it is the head or the body that goes on, by what, and how long after each.
_STREAMS = {
    "endless": (b"\r\n", b"x" * 64 * 1024, 0.0),
    "drip": (b"\r\n", b"x", 0.01),
    "flood": (b"", b"X-More: " + b"y" * 100 + b"\r\n", 0.0),
}


async def stream(request: web.Request, what: str, totals: Counter[str]) -> web.Response:
    """Send without an end; *totals* tells how many bytes went out and how many clients left."""
    start, part, pause = _STREAMS[what]
    transport = request.transport
    assert transport is not None
    transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n" + start)
    while not transport.is_closing():
        # As much as the client takes: what waits here would be counted and never seen by it.
        if transport.get_write_buffer_size() < 64 * 1024:
            transport.write(part)
            totals["streamed"] += len(part)
        await asyncio.sleep(pause)
    totals["hung_up"] += 1
    return web.Response()
