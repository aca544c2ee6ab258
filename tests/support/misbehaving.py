"""A small service that speaks the v3 wire and misbehaves as the words in a prompt say.

``python -m tests.support.misbehaving`` prints its port and serves until its standard input ends.
It is a process of its own, so that it outlives a client that is killed. What it was asked is at
``/__counts``; ``/__hold`` makes requests wait, ``/__release`` lets them go on, ``/__account`` sets
what it tells of the account.
"""

import asyncio
import json
import sys
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.support.account import Account, Told
from tests.support.answers import envelope, missing, refuse_key, send
from tests.support.misdeeds import (
    IMAGES,
    NSFW,
    OUTPUTS,
    POLLS,
    SUBMITS,
    Misdeed,
    misdeed,
)
from tests.support.picture import canonical, picture
from tests.support.streams import stream


@dataclass(kw_only=True)
class Order:
    """One distinct request body and what happened to it."""

    request: dict[str, Any]
    received: int = 0
    billed: int = 0
    polls: int = 0
    downloads: int = 0
    ids: list[str] = field(default_factory=list)
    asked: Counter[int] = field(default_factory=Counter)
    """Requests for each of its images."""

    @property
    def prompt(self) -> str:
        """The text that also holds the words."""
        return str(self.request.get("prompt", ""))

    @property
    def images(self) -> int:
        """How many it asks for."""
        return int(self.request.get("num_images", 1))

    def shown(self) -> dict[str, object]:
        """What ``/__counts`` says about it."""
        names = ("request", "received", "billed", "polls", "downloads", "ids")
        return {name: getattr(self, name) for name in names}


class Misbehaving:
    """The state and the handlers."""

    def __init__(self) -> None:
        """Start with nothing asked and nothing held."""
        self.orders: dict[str, Order] = {}
        self.by_id: dict[str, Order] = {}
        self.totals: Counter[str] = Counter()
        self.account = Account(self.totals)
        self.open: set[str] = set()
        """Billed predictions that nobody was told to be completed."""
        self.holds: dict[str, int] = {}
        self.released = asyncio.Event()

    def application(self) -> web.Application:
        """All routes."""
        app = web.Application()
        app.router.add_get("/__counts", self.counts)
        app.router.add_post("/__reset", self.reset)
        app.router.add_post("/__hold", self.hold)
        app.router.add_post("/__release", self.release)
        app.router.add_route("*", "/__trap", self.trap)
        app.router.add_get("/api/v3/predictions/{id}/result", self.poll)
        self.account.routes(app)
        app.router.add_post("/api/v3/{model:.+}", self.submit)
        app.router.add_get("/images/{id}/{index}.png", self.image)
        app.router.add_get("/__image/images/{id}/{index}.png", self.redirected)
        app.router.add_route("*", "/{path:.*}", self.nothing)
        return app

    # Control ------------------------------------------------------------------------------------

    async def counts(self, _: web.Request) -> web.Response:
        """Everything that was counted."""
        orders = [order.shown() for order in self.orders.values()]
        return web.json_response({**self.totals, "orders": orders})

    async def reset(self, _: web.Request) -> web.Response:
        """Forget everything; let go of what is held."""
        self.released.set()
        self.orders, self.by_id = {}, {}
        self.totals.clear()
        self.account.told, self.account.listed = Told(), []
        self.open, self.holds, self.released = set(), {}, asyncio.Event()
        return web.Response()

    async def hold(self, request: web.Request) -> web.Response:
        """Let so many of each phase pass and the others wait: submit, poll, image, completion."""
        self.holds = await request.json()
        for phase in self.holds:
            self.totals[f"passed_{phase}"] = 0
        self.released = asyncio.Event()
        return web.Response()

    async def release(self, _: web.Request) -> web.Response:
        """Let go of what is held, and hold nothing more."""
        self.holds = {}
        self.released.set()
        return web.Response()

    async def trap(self, request: web.Request) -> web.Response:
        """Where no client should ever come."""
        self.totals["trapped"] += 1
        return web.Response(status=500)

    async def nothing(self, _: web.Request) -> web.Response:
        """What the API does not have."""
        return missing()

    async def _gate(self, phase: str) -> None:
        passed = self.totals[f"passed_{phase}"]
        if phase in self.holds and passed >= self.holds[phase]:
            self.totals[f"held_{phase}"] += 1
            await self.released.wait()
        else:
            self.totals[f"passed_{phase}"] += 1

    # The v3 wire --------------------------------------------------------------------------------

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """Accept a request, or do to it what it asks for."""
        self.totals["received"] += 1
        self.totals["cookies"] += "Cookie" in request.headers
        if refusal := refuse_key(request):
            return refusal
        body = await request.json()
        order = self.orders.setdefault(canonical(body), Order(request=body))
        what = misdeed(order.prompt, "submit", order.received)
        order.received += 1
        deed = SUBMITS[what] if what else Misdeed(data={}, bills=True)
        data = {}
        if deed.bills:
            data = self._bill(order, request.match_info["model"])
            self.by_id.setdefault(str((deed.data or {}).get("id")), order)
        await self._gate("submit")
        return await self._answer(request, deed, data)

    def _bill(self, order: Order, model: str) -> dict[str, Any]:
        prediction_id = uuid.uuid4().hex
        order.billed += 1
        order.ids.append(prediction_id)
        self.totals["billed"] += 1
        self.open.add(prediction_id)
        self.totals["most_open"] = max(self.totals["most_open"], len(self.open))
        self.by_id[prediction_id] = order
        self.account.billed(prediction_id, model, order.request)
        return {**_data(prediction_id, order), "model": model, "status": "created"}

    async def poll(self, request: web.Request) -> web.StreamResponse:
        """Tell the state of a prediction: completed, unless a word or a hold says otherwise."""
        self.totals["polls"] += 1
        self.totals["cookies"] += "Cookie" in request.headers
        if refusal := refuse_key(request):
            return refusal
        prediction_id = request.match_info["id"]
        order = self.by_id.get(prediction_id)
        if order is None:
            return missing()
        what = misdeed(order.prompt, "poll", order.polls)
        order.polls += 1
        await self._gate("poll")
        data = _data(prediction_id, order)
        if what is None and "completion" in self.holds:
            if self.totals["passed_completion"] >= self.holds["completion"]:
                what = "processing"
            else:
                self.totals["passed_completion"] += 1
        deed = POLLS[what] if what else Misdeed(data={})
        if "status" not in (deed.data or {}):
            self.open.discard(prediction_id)
            _complete(data, order, f"http://{request.host}/images/{prediction_id}")
        return await self._answer(request, deed, data)

    async def image(self, request: web.Request) -> web.StreamResponse:
        """An image, unless a word says otherwise."""
        order = self._asked(request)
        index = int(request.match_info["index"])
        what = misdeed(order.prompt, "image", order.asked[index])
        what = misdeed(order.prompt, f"image{index}", order.asked[index]) or what
        order.asked[index] += 1
        order.downloads += 1
        await self._gate("image")
        deed = IMAGES[what] if what else Misdeed()
        if deed.then in {"endless", "drip", "flood"}:
            return await stream(request, deed.then, self.totals)
        if deed.body is None and deed.status == 200:
            return await send(request, deed, picture(order.request, index), "image/png")
        return await self._answer(request, deed, {})

    async def redirected(self, request: web.Request) -> web.Response:
        """Where ``[image=redirect]`` leads to."""
        order = self._asked(request)
        body = picture(order.request, int(request.match_info["index"]))
        return web.Response(body=body, content_type="image/png")

    def _asked(self, request: web.Request) -> Order:
        self.totals["downloads"] += 1
        self.totals["keys_on_images"] += "Authorization" in request.headers
        self.totals["cookies_on_images"] += "Cookie" in request.headers
        return self.by_id[request.match_info["id"]]

    async def _answer(
        self, request: web.Request, deed: Misdeed, data: dict[str, Any]
    ) -> web.StreamResponse:
        if deed.then in {"endless", "drip", "flood"}:
            return await stream(request, deed.then, self.totals)
        key = request.headers.get("Authorization", "")
        headers = {k: v.format(path=request.path, key=key) for k, v in deed.headers.items()}
        if deed.body is not None or 300 <= deed.status < 400:
            body = (deed.body or b"").replace(b"<key>", key.encode())
            body = body.replace(b"<id>", str(data.get("id")).encode())
            return web.Response(status=deed.status, body=body, headers=headers)
        if deed.then != "answer":
            return await send(request, deed, json.dumps(data).encode(), "application/json")
        answer = envelope(deed, None if deed.data is None else {**data, **deed.data})
        answer.headers.update(headers)
        return answer


def _data(prediction_id: str, order: Order) -> dict[str, Any]:
    age = timedelta(days=8 if "[created=old]" in order.prompt else 0)
    created = (datetime.now(UTC) - age).isoformat(timespec="milliseconds")
    return {
        "id": prediction_id,
        "status": "created",
        "outputs": [],
        "has_nsfw_contents": [],
        "created_at": created.replace("+00:00", "Z"),
        "error": "",
        "timings": {"inference": 0},
    }


def _complete(data: dict[str, Any], order: Order, images: str) -> None:
    urls = [f"{images}/{index}.png" for index in range(order.images)]
    outputs = misdeed(order.prompt, "outputs", order.polls - 1)
    nsfw = misdeed(order.prompt, "nsfw", order.polls - 1)
    data["status"] = "completed"
    data["outputs"] = OUTPUTS[outputs](urls) if outputs else urls
    data["has_nsfw_contents"] = NSFW[nsfw](len(urls)) if nsfw else [False] * len(urls)
    data["timings"] = {"inference": 1234}


async def main() -> None:
    """Serve on a free port until standard input ends."""
    runner = web.AppRunner(Misbehaving().application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
