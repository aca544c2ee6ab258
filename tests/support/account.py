"""What the misbehaving service tells of an account: its history, its balance, its prices.

``/__account`` sets how; :class:`Told` lists what can be set.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from tests.support.answers import envelope, missing, refuse_key
from tests.support.misdeeds import PAGE, Misdeed

MODEL = "wavespeed-ai/imagen4"


Items = list[dict[str, Any]]
_OLD = {"id": "old", "model": "other/model", "created_at": "2020-01-01T00:00:00Z"}

# What a page holds instead of a hundred of all predictions.
POISONS: Mapping[str, Callable[[Items, int], Any]] = {
    "huge": lambda items, page: items[:1] * 1000,
    "fresh": lambda items, page: [{**items[0], "id": uuid.uuid4().hex} for _ in range(100)],
    "capped": lambda items, page: items[page - 1 : page],
    "disordered": lambda items, page: [_OLD, *items[page - 1 : page]] if items[page - 1 :] else [],
    "twofold": lambda items, page: [items[0], {**items[0], "model": "other/model"}],
    "paths": lambda items, page: [{**item, "id": "../../" + item["id"]} for item in items],
    "numbers": lambda items, page: [{**item, "id": 7} for item in items],
    "texts": lambda items, page: [item["id"] for item in items],
    "nulls": lambda items, page: [None for _ in items],
    "object": lambda items, page: {str(index): item for index, item in enumerate(items)},
    "nothing": lambda items, page: None,
    "timeless": lambda items, page: [
        {**item, "created_at": "0001-01-01T00:00:00Z"} for item in items[page - 1 : page]
    ],
}


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One prediction of the account."""

    id: str
    model: str
    created: datetime
    request: dict[str, Any]


@dataclass(kw_only=True)
class Told:
    """How the account is told."""

    inputs: bool = False
    """Whether the history shows requests."""
    lag: int = 0
    """How many of the newest predictions the history does not show yet."""
    ago: float = 0
    """Seconds by which everything in the history is older than it is."""
    behind: float = 0
    """Seconds by which the service's clock is behind ours."""
    foreign: list[dict[str, Any]] = field(default_factory=list)
    """Somebody else's predictions: ``count``, ``model``, seconds ``ago``, ``request``."""
    history: str = "told"
    """failing: HTTP 500; page: no JSON; odd: an item that is no prediction; changing: every
    other reading lacks the newest one; endless: every page is full. The others are in POISONS."""
    balance: float | None = 1000
    price: float | None = None
    catalog: object = None
    """``data`` of the list of models; without one, there is no such endpoint."""


class Account:
    """The handlers."""

    def __init__(self, totals: Counter[str]) -> None:
        """Count requests in *totals*."""
        self.totals = totals
        self.told = Told()
        self.listed: list[Listed] = []
        self.readings = 0

    def routes(self, app: web.Application) -> None:
        """Add the paths."""
        app.on_response_prepare.append(self.date)
        app.router.add_post("/__account", self.tell)
        app.router.add_post("/api/v3/predictions", self.history)
        app.router.add_get("/api/v3/balance", self.balance)
        app.router.add_post("/api/v3/model/price", self.price)
        app.router.add_get("/api/v3/models", self.catalog)

    async def tell(self, request: web.Request) -> web.Response:
        """Tell the account in another way from now on."""
        self.told = Told(**await request.json())
        now, self.readings = datetime.now(UTC), 0
        self.listed = [item for item in self.listed if not item.id.startswith("theirs")]
        for some in self.told.foreign:
            for _ in range(some.get("count", 1)):
                self.listed.append(
                    Listed(
                        id=f"theirs-{uuid.uuid4().hex}",
                        model=some.get("model", MODEL),
                        created=now - timedelta(seconds=some.get("ago", 0)),
                        request=some.get("request", {"prompt": "somebody else's"}),
                    )
                )
        return web.Response()

    async def date(self, _: web.Request, answer: web.StreamResponse) -> None:
        """Let every answer carry the service's own time."""
        now = datetime.now(UTC) - timedelta(seconds=self.told.behind)
        answer.headers["Date"] = format_datetime(now, usegmt=True)

    def billed(self, prediction_id: str, model: str, request: dict[str, Any]) -> None:
        """Add a prediction to the history."""
        created = datetime.now(UTC)
        item = Listed(id=prediction_id, model=model, created=created, request=request)
        self.listed.append(item)

    async def history(self, request: web.Request) -> web.Response:
        """One page of the predictions, newest first."""
        self.totals["histories"] += 1
        if refusal := refuse_key(request):
            return refusal
        asked = await request.json()
        page, size = asked.get("page", 1), asked.get("page_size", 20)
        if not (page >= 1 and 1 <= size <= 100):
            return envelope(Misdeed(status=400, message="a bad page"), None)
        self.readings += page == 1
        if self.told.history == "failing":
            return envelope(Misdeed(status=500), None)
        if self.told.history == "page":
            return web.Response(body=PAGE)
        found = sorted(self.listed, key=lambda item: item.created, reverse=True)
        changing = self.told.history == "changing" and self.readings % 2
        found = found[self.told.lag + changing :]
        items: list[object] = [self._item(item) for item in found[size * (page - 1) : size * page]]
        if self.told.history == "odd":
            items.append({"model": MODEL})
        if self.told.history == "endless":
            items = [self._item(found[0])] * size
        if self.told.history in POISONS:
            shown = [self._item(item) for item in found]
            items = POISONS[self.told.history](shown, page)
        return envelope(Misdeed(), {"items": items, "page": page, "total": len(found)})

    def _item(self, item: Listed) -> dict[str, Any]:
        created = item.created - timedelta(seconds=self.told.ago + self.told.behind)
        shown = {
            "id": item.id,
            "model": item.model,
            "status": "completed",
            # The real service writes nine decimals here.
            "created_at": created.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z",
        }
        return {**shown, "inputs": item.request} if self.told.inputs else shown

    async def balance(self, request: web.Request) -> web.Response:
        """What is left of the money."""
        self.totals["balances"] += 1
        if self.told.balance is None:
            return missing()
        return refuse_key(request) or envelope(Misdeed(), {"balance": self.told.balance})

    async def price(self, request: web.Request) -> web.Response:
        """What a request costs."""
        self.totals["prices"] += 1
        if self.told.price is None:
            return missing()
        return refuse_key(request) or envelope(Misdeed(), {"price": self.told.price})

    async def catalog(self, request: web.Request) -> web.Response:
        """Which models there are."""
        self.totals["catalogs"] += 1
        if self.told.catalog is None:
            return missing()
        return refuse_key(request) or envelope(Misdeed(), self.told.catalog)
