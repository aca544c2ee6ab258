"""The endpoints of the local service: HTTP requests in, answers out."""

import hashlib
import math
import os
import uuid
from asyncio import get_running_loop
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

from aiohttp import web

from batchgen.api.wire import PREFIX
from batchgen.errors import StorageError
from batchgen.job.models import MODELS
from batchgen.local import answers, checks
from batchgen.local.answers import RefusedError
from batchgen.local.pictures import Picture, draw_png
from batchgen.local.predictions import LocalPrediction, Pace, Predictions, Value, draw_seed, latency
from batchgen.local.settings import LocalSettings
from batchgen.local.state import StateFile

MAX_BODY_BYTES = 2 * 1024 * 1024
BALANCE_USD = 1000.0  # never goes down: nothing is charged here
KEPT_PICTURES = 16  # encoded ones, of some 0.3 MB each

_ABOUT = """\
batchgen local service
======================
It speaks the WaveSpeedAI v3 API on this computer, so that a job can be rehearsed
without a key and without cost. Its pictures are drawn by rules; no model made them.

  POST {base}/api/v3/wavespeed-ai/imagen4        {{"prompt": "...", "aspect_ratio": "16:9"}}
  GET  {base}/api/v3/predictions/ID/result

Any text works as the key:  Authorization: Bearer anything
"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Routes:
    """The state of a running service and a method for every endpoint."""

    def __init__(
        self,
        settings: LocalSettings,
        *,
        base_url: str,
        clock: Callable[[], float],
        requests: Counter[str],
    ) -> None:
        """*clock* gives seconds since the epoch; *requests* counts what was asked, by endpoint.

        Raises UsageError when the state file cannot be used.
        """
        self._base_url = base_url
        self._settings = settings
        self._clock = clock
        self._requests = requests
        self._predictions = Predictions()
        self._paces: defaultdict[str, Pace] = defaultdict(lambda: Pace(settings.limits))
        self._drawn: OrderedDict[Picture, bytes] = OrderedDict()
        self._state = StateFile(settings.state_file) if settings.state_file else None
        try:
            self._replay()
        except BaseException:
            self._close_state()
            raise
        workers = min(4, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="batchgen-pictures")

    def close(self) -> None:
        """Let the threads end and close the state file."""
        self._pool.shutdown(cancel_futures=True)
        self._close_state()

    def application(self) -> web.Application:
        """The endpoints behind the checks that all of them share."""
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._guard])
        api = PREFIX
        add = app.router.add_route
        add("GET", "/", self._counted("pages", self._about))
        add("GET", "/images/{id}/{index:[0-9]{1,3}}.png", self._counted("downloads", self._image))
        for path in ("/predictions/{id}/result", "/predictions/{id}"):
            add("GET", api + path, self._counted("polls", self._result))
        add("POST", f"{api}/predictions", self._counted("histories", self._history))
        add("POST", f"{api}/predictions/delete", self._counted("deletes", self._delete))
        add("GET", f"{api}/balance", self._counted("balances", self._balance))
        add("GET", f"{api}/models", self._counted("models", self._models))
        add("POST", f"{api}/model/price", self._counted("prices", self._price))
        add("POST", api + "/{model:.+}", self._counted("submits", self._submit))
        return app

    def _counted(self, name: str, handler: Handler) -> Handler:
        async def counted(request: web.Request) -> web.StreamResponse:
            self._requests[name] += 1
            return await handler(request)

        return counted

    # ------------------------------------------------------------------ checks shared by all

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._check_host(request)
            if request.path.startswith(f"{PREFIX}/"):
                _account(request)
            return await handler(request)
        except RefusedError as refused:
            return refused.response()
        except StorageError as error:
            return RefusedError(500, str(error)).response()
        except web.HTTPRequestEntityTooLarge:
            return RefusedError(413, f"the body has more than {MAX_BODY_BYTES} bytes").response()
        except web.HTTPException as error:
            if error.status not in {404, 405}:
                raise
            self._requests["unknown"] += 1
            return RefusedError(
                404, f"no such endpoint: {request.method} {request.path}"
            ).response()

    def _check_host(self, request: web.Request) -> None:
        # Browsers say which page a request is from; no page has any business here.
        if request.headers.get("Origin", f"http://{request.host}") != f"http://{request.host}":
            raise RefusedError(403, "this service does not answer to web pages")
        # A web page that a browser on this computer shows could have its own name resolve to
        # 127.0.0.1 and read the answers; the name in the Host header gives it away.
        if not self._settings.loopback:
            return
        port = self._base_url.rpartition(":")[2]
        name, _, given_port = request.host.rpartition(":")
        known = {"127.0.0.1", "localhost", "[::1]", self._settings.bind_host}
        if name.lower() not in known or given_port != port:
            raise RefusedError(403, f"this service answers to {self._base_url} only")

    # ------------------------------------------------------------------ predictions

    async def _submit(self, request: web.Request) -> web.Response:
        model = checks.served_model(request.match_info["model"])
        if "webhook" in request.query:
            raise RefusedError(
                400, "webhook: the local service sends none; poll the result instead"
            )
        body = checks.checked_request(model, checks.read_body(await request.read()))
        account = _account(request)
        pace, now = self._paces[account], self._now()
        wait = pace.wait(now, model.images(body))
        if wait > 0:
            message = f"too many images within a minute for the tier {self._settings.tier}"
            raise RefusedError(429, message, retry_after=_ceil(wait))
        prediction = self._accept(account, model.id, body, now)
        pace.take(prediction)
        self._requests["accepted"] += 1
        # The real service says `created` here even when it is quick enough to be done.
        fresh = replace(prediction, starts_at=math.inf)
        return answers.success(answers.prediction_data(fresh, self._base(request), now))

    def _accept(
        self, account: str, model_id: str, body: dict[str, Value], now: float
    ) -> LocalPrediction:
        prediction_id = uuid.uuid4().hex
        if body.get("seed", -1) == -1:
            body["seed"] = draw_seed(prediction_id)
        prediction = LocalPrediction(
            id=prediction_id,
            account=account,
            model=model_id,
            request=body,
            created_at=now,
            starts_at=self._paces[account].place(now),
            seconds=latency(body, self._settings.latency),
        )
        if self._state is not None:
            self._state.accept(prediction)
        self._predictions.add(prediction)
        return prediction

    async def _result(self, request: web.Request) -> web.Response:
        prediction_id, now = request.match_info["id"], self._now()
        prediction = self._predictions.get(prediction_id, now)
        # The ids of another account are as unknown as ids that were never given out.
        if prediction is None or prediction.account != _account(request):
            raise RefusedError(404, "no prediction of this key has that id (they are kept 7 days)")
        return answers.success(answers.prediction_data(prediction, self._base(request), now))

    async def _history(self, request: web.Request) -> web.Response:
        query = checks.history_query(checks.read_body(await request.read()))
        now, base = self._now(), self._base(request)
        found = [
            p
            for p in self._predictions.newest_first(_account(request), now)
            if p.created_at <= now - self._settings.history_lag
            and (query.model is None or p.model == query.model)
            and (query.status is None or p.status(now) == query.status)
            and (query.after is None or p.created_at >= query.after)
            and (query.before is None or p.created_at <= query.before)
        ]
        start = (query.page - 1) * query.page_size
        items = islice(found, start, start + query.page_size)
        inputs = self._settings.history_inputs
        return answers.success(
            {
                "items": [answers.history_item(p, base, now, inputs=inputs) for p in items],
                "page": query.page,
                "page_size": query.page_size,
                "total": len(found),
            }
        )

    async def _delete(self, request: web.Request) -> web.Response:
        wanted = set(checks.deleted_ids(checks.read_body(await request.read())))
        account, now = _account(request), self._now()
        own = [p.id for p in self._predictions.newest_first(account, now) if p.id in wanted]
        if own and self._state is not None:
            self._state.delete(own)
        self._predictions.delete(own)
        return answers.success({"deleted_count": len(own)})

    # ------------------------------------------------------------------ the account and the catalog

    async def _balance(self, _request: web.Request) -> web.Response:
        return answers.success({"balance": BALANCE_USD})

    async def _price(self, request: web.Request) -> web.Response:
        body = checks.read_body(await request.read())
        model, inputs = checks.served_model(body.get("model_id")), body.get("inputs", {})
        if not isinstance(inputs, dict):
            raise RefusedError(400, "inputs: expected an object with the model's parameters")
        price = (model.cost_micros(inputs) or 0) / 1_000_000
        return answers.success({"price": price, "discounted_price": price, "currency": "USD"})

    async def _models(self, _request: web.Request) -> web.Response:
        return answers.success([answers.catalog_entry(model) for model in MODELS.values()])

    # ------------------------------------------------------------------ without a key

    async def _about(self, _request: web.Request) -> web.Response:
        return web.Response(text=_ABOUT.format(base=self._base_url))

    async def _image(self, request: web.Request) -> web.Response:
        now, index = self._now(), int(request.match_info["index"])
        prediction = self._predictions.get(request.match_info["id"], now)
        there = prediction and prediction.status(now) == "completed" and index < prediction.images
        if prediction is None or not there:
            raise RefusedError(404, "no such image, or not yet")
        return web.Response(
            body=await self._drawing(prediction.picture(index)), content_type="image/png"
        )

    async def _drawing(self, picture: Picture) -> bytes:
        if (body := self._drawn.get(picture)) is None:
            body = await get_running_loop().run_in_executor(self._pool, draw_png, picture)
            self._drawn[picture] = body
        self._drawn.move_to_end(picture)
        if len(self._drawn) > KEPT_PICTURES:
            self._drawn.popitem(last=False)
        return body

    # ------------------------------------------------------------------ small parts

    def _now(self) -> float:
        # Whole milliseconds, as the wire tells them: a time read back from an answer is the same.
        return math.floor(self._clock() * 1000) / 1000

    def _base(self, request: web.Request) -> str:
        # On all addresses at once there is no own one: take the one this client came by.
        return f"http://{request.host}" if self._settings.wildcard else self._base_url

    def _replay(self) -> None:
        for event in self._state.replay() if self._state else ():
            if isinstance(event, LocalPrediction):
                self._predictions.add(event)
                self._paces[event.account].take(event)
            else:
                self._predictions.delete(event)

    def _close_state(self) -> None:
        if self._state is not None:
            self._state.close()


def _account(request: web.Request) -> str:
    """The digest of the bearer key. Raises RefusedError (401) without one."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise RefusedError(401, "no key; send the header Authorization: Bearer <any text>")
    return hashlib.sha256(key.strip().encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _ceil(seconds: float) -> int:
    return max(1, math.ceil(seconds))
