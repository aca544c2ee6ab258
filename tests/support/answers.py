"""How the misbehaving service answers: envelopes, refusals, and answers that are cut."""

import asyncio

from aiohttp import web

from tests.support.misdeeds import Misdeed


def refuse_key(request: web.Request) -> web.Response | None:
    """A 401 for a request without a key or with a wrong one."""
    given = request.headers.get("Authorization", "")
    if given.startswith("Bearer ") and "wrong" not in given:
        return None
    # Real servers have been seen to quote what they were sent.
    return envelope(Misdeed(status=401, message=f"not a valid key: {given}"), None)


def envelope(deed: Misdeed, data: object) -> web.Response:
    """What the v3 API wraps every answer in."""
    code = deed.status if deed.code is None else deed.code
    message = "success" if code == 200 else deed.message
    body = {"code": code, "message": message, "data": data}
    return web.json_response(body, status=deed.status)


def missing() -> web.Response:
    """The 404 of the API itself."""
    return envelope(Misdeed(status=404, message="no such thing"), None)


async def send(
    request: web.Request, deed: Misdeed, body: bytes, content_type: str
) -> web.StreamResponse:
    """Send *body* as far as the misdeed lets it go."""
    transport = request.transport
    assert transport is not None
    if deed.then == "answer":
        return web.Response(body=body, content_type=content_type)
    if deed.then == "stall":
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        transport.write(head.encode() + body[: len(body) // 2])
    if deed.then in {"hang", "stall"}:
        await asyncio.Event().wait()
    if deed.then == "reset":
        transport.abort()
        return web.Response()
    length = f"Content-Length: {len(body)}\r\n" if deed.then == "half" else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{length}Connection: close\r\n\r\n"
    transport.write(head.encode() + body[: len(body) // 2])
    transport.close()
    return web.Response()
