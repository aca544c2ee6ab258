from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from batchgen.local import LocalService, LocalSettings

MODEL = "/api/v3/wavespeed-ai/imagen4"


class Clock:
    """Seconds since the epoch that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Client:
    """A service under test and one account that talks to it over HTTP."""

    def __init__(self, service: LocalService, base: str, session: aiohttp.ClientSession) -> None:
        self.service, self.base, self.session = service, base, session
        self.headers = {"Authorization": "Bearer key-1"}

    async def raw(self, method: str, path: str, **more: Any) -> tuple[int, Any, bytes]:
        """Status, headers and body."""
        more.setdefault("headers", self.headers)
        url = path if path.startswith("http") else self.base + path
        async with self.session.request(method, url, **more) as answer:
            return answer.status, answer.headers, await answer.read()

    async def call(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """The envelope, checked to carry the HTTP status."""
        if body is not None:
            more["json"] = body
        url = path if path.startswith("http") else self.base + path
        more.setdefault("headers", self.headers)
        async with self.session.request(method, url, **more) as answer:
            envelope = await answer.json()
            assert set(envelope) == {"code", "message", "data"}
            assert envelope["code"] == answer.status
            assert (envelope["data"] is None) == (answer.status != 200)
            return envelope

    async def submit(self, prompt: str = "a pear", **parameters: Any) -> Any:
        """``data`` of an accepted submit."""
        envelope = await self.call("POST", MODEL, {"prompt": prompt, **parameters})
        assert envelope["code"] == 200, envelope
        return envelope["data"]

    async def result(self, prediction_id: str) -> Any:
        """``data`` of a poll."""
        return (await self.call("GET", f"/api/v3/predictions/{prediction_id}/result"))["data"]


Start = Callable[..., Any]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def start(clock: Clock) -> AsyncIterator[Start]:
    """Start a service with the settings given; it is stopped at the end of the test."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def starter(**settings: Any) -> Client:
            settings.setdefault("latency", (0.0, 0.0))
            service = LocalService(LocalSettings(**settings), clock=clock)
            base = await service.start()
            stack.push_async_callback(service.stop)
            return Client(service, base, session)

        yield starter
