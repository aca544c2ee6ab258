"""Sending: submits and polls over one aiohttp session, the only one that knows the key.

A submit is sent exactly once for each call, follows no redirect and is not repeated by the HTTP
library. Addresses are built from the base and validated parts, never taken from an answer.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from batchgen.api.account import (
    HISTORY_PAGE,
    Listed,
    balance_path,
    history_path,
    price_path,
    read_history,
    read_number,
)
from batchgen.api.address import check_base_url
from batchgen.api.catalog import MAX_CATALOG_BYTES, catalog_path
from batchgen.api.key import ApiKey
from batchgen.api.outcome import Fate, Poll, PollProblem, Refusal, read_poll, read_submit
from batchgen.api.wire import (
    MAX_ANSWER_BYTES,
    YEARS,
    Prediction,
    WireError,
    encode,
    read_answer,
    result_path,
    submit_path,
)

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
# Nothing was sent when these were raised: no address, refused, no answer to the handshake, TLS.
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class ServiceClient:
    """The v3 API at one base address; use it as an async context manager."""

    def __init__(
        self, base_url: str, key: ApiKey, *, submit_timeout: float, poll_timeout: float
    ) -> None:
        """Prepare to talk to *base_url*; timeouts in seconds for a whole answer."""
        self._base = check_base_url(base_url)
        self._key = key
        self._submit_timeout = _timeout(submit_timeout)
        self._poll_timeout = _timeout(poll_timeout)
        self._session: aiohttp.ClientSession | None = None
        self.clock_offset = 0.0
        """Seconds that the service's clock is ahead of ours, by its latest Date header."""
        self._date = ""

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(
            headers={"Authorization": self._key.header(), "Content-Type": "application/json"},
            # The run bounds what is in flight; a second bound here would only hide in it.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        if self._session:
            await self._session.close()

    async def submit(self, model: str, request: Mapping[str, object]) -> Prediction | Refusal:
        """Send one submit, once. Never raises for anything the network or the service does."""
        url = self._base.with_path(submit_path(model), encoded=True)
        try:
            status, headers, body = await self._send(
                "POST", url, self._submit_timeout, encode(request)
            )
        except _NOT_SENT as error:
            return Refusal(fate=Fate.NOT_SENT, reason=_reason(error))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Refusal(fate=Fate.UNCERTAIN, reason=_reason(error))
        return read_submit(status, headers, body, request)

    async def result(self, prediction_id: str) -> Prediction | PollProblem:
        """Ask once for the state of a prediction. Never raises for network or service."""
        url = self._base.with_path(result_path(prediction_id), encoded=True)
        try:
            status, headers, body = await self._send("GET", url, self._poll_timeout)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return PollProblem(kind=Poll.TRANSIENT, reason=_reason(error))
        return read_poll(status, headers, body, prediction_id)

    async def history(self, page: int) -> list[Listed] | str:
        """One page of the predictions of the past seven days, 100 at a time, newest first.

        A text says why there is none. Never raises for network or service.
        """
        body = encode({"page": page, "page_size": HISTORY_PAGE})
        answer = await self._ask("POST", history_path(), body)
        try:
            return answer if isinstance(answer, str) else read_history(answer)
        except WireError as error:
            return str(error)

    async def balance(self) -> float | str:
        """The account's balance in US dollars. A text says why there is none."""
        answer = await self._ask("GET", balance_path())
        found = answer if isinstance(answer, str) else read_number(answer, "balance")
        return "the answer tells none" if found is None else found

    async def price(self, model: str, request: Mapping[str, object]) -> float | None:
        """The price of *request* in US dollars; None when the service does not say."""
        answer = await self._ask(
            "POST", price_path(), encode({"model_id": model, "inputs": {**request}})
        )
        return None if isinstance(answer, str) else read_number(answer, "discounted_price", "price")

    async def catalog(self) -> bytes | str:
        """The list of all models as the service sent it, of up to 16 MiB, without the key.

        A text says why there is none. Never raises for network or service.
        """
        url = self._base.with_path(catalog_path(), encoded=True)
        try:
            status, _, body = await self._send(
                "GET", url, self._poll_timeout, most=MAX_CATALOG_BYTES
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return _reason(error)
        return body if status == 200 else f"HTTP {status}"

    async def _ask(
        self, method: str, path: str, body: bytes | None = None
    ) -> Mapping[str, Any] | str:
        """``data`` of an answer that creates nothing and costs nothing, or why there is none."""
        url = self._base.with_path(path, encoded=True)
        try:
            status, _, raw = await self._send(method, url, self._poll_timeout, body)
            answer = read_answer(status, raw)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return _reason(error)
        except WireError as error:
            return str(error)
        if status != 200 or answer.code != 200 or answer.data is None:
            return f"HTTP {status}: {answer.message}"
        return answer.data

    async def _send(
        self,
        method: str,
        url: URL,
        limits: aiohttp.ClientTimeout,
        data: bytes | None = None,
        most: int = MAX_ANSWER_BYTES,
    ) -> tuple[int, Mapping[str, str], bytes]:
        assert self._session, "the client is not open"
        began = asyncio.get_running_loop().time()
        async with self._session.request(
            method, url, data=data, timeout=limits, allow_redirects=False
        ) as response:
            body = bytearray()
            # Of more, which the decoder refuses, the rest need not be read.
            while len(body) <= most and (chunk := await response.content.readany()):
                body += chunk
            took = (asyncio.get_running_loop().time() - began) * 1000
            log.debug("%s %s: HTTP %d in %.0f ms", method, url.raw_path, response.status, took)
            self._learn_clock(response.headers.get("Date", ""))
            headers = {
                # aiohttp keeps bytes that are no UTF-8 as lone surrogates.
                name: self._key.redact(response.headers[name].encode(errors="replace")).decode()
                for name in ("Retry-After", "Location")
                if name in response.headers
            }
            # A server may echo the key, and its words go to the ledger, to files and to screens.
            return response.status, headers, self._key.redact(bytes(body))

    def _learn_clock(self, date: str) -> None:
        if date == self._date:
            return  # one of many answers within a second
        self._date = date
        try:
            theirs = parsedate_to_datetime(date)
            seconds = (theirs - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return
        # A Date header is cut to the second: less than that says nothing. Days say that one of the
        # two clocks is wrong, and the history of the account goes by theirs.
        self.clock_offset = seconds if abs(seconds) > 1 and theirs.year in YEARS else 0.0


def _timeout(total: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, connect=None, sock_connect=CONNECT_TIMEOUT)


def _reason(error: Exception) -> str:
    """The kind of a network error. Its repr would print the request's headers, key included."""
    if isinstance(error, asyncio.TimeoutError):
        return "no answer in time"
    detail = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}: {detail}" if detail else type(error).__name__
