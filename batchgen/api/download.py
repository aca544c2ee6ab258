"""Fetching images: an untrusted address becomes a capped stream of bytes.

The session knows no key and keeps no cookies. What the bytes are is for the dataset to judge.
"""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from batchgen.api.client import CONNECT_TIMEOUT, is_loopback

MAX_IMAGE_BYTES = 64 * 1024 * 1024
MAX_REDIRECTS = 5
_CHUNK = 64 * 1024
_GONE = frozenset({403, 404, 410})  # what image hosts answer for an address that has expired


class DownloadError(Exception):
    """An image could not be fetched; its address may work later."""


class GoneError(DownloadError):
    """The address no longer serves the image; a poll may bring a fresh one."""


class Downloader:
    """Streams images; use it as an async context manager."""

    def __init__(self, *, timeout: float, allow_loopback: bool) -> None:
        """Give each image *timeout* seconds.

        *allow_loopback* also permits plain http on loopback: for a service that is there itself.
        """
        self._timeout = aiohttp.ClientTimeout(
            total=timeout, sock_connect=CONNECT_TIMEOUT, sock_read=30
        )
        self._allow_loopback = allow_loopback
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(
            # A compressed picture saves nothing, and 200 KB of gzip can hold 200 MB.
            headers={"Accept-Encoding": "identity", "Accept": "image/*"},
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
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

    async def fetch(self, address: str) -> AsyncIterator[bytes]:
        """The bytes at *address* in chunks of at most 64 KiB.

        Raises GoneError for 403, 404 and 410, DownloadError for anything else that goes wrong.
        """
        assert self._session, "the downloader is not open"
        url = self._check(address)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                async with self._session.get(url, allow_redirects=False) as response:
                    if 300 <= response.status < 400:
                        url = self._check(response.headers.get("Location", ""), base=url)
                        continue
                    async for chunk in _body(response):
                        yield chunk
                    return
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise DownloadError(f"the download failed: {type(error).__name__}") from None
        raise DownloadError(f"more than {MAX_REDIRECTS} redirects")

    def _check(self, address: str, base: URL | None = None) -> URL:
        try:
            url = base.join(URL(address)) if base else URL(address)
            sound = bool(url.host) and not url.user and not url.password
        except ValueError:
            raise DownloadError("the address of the image is no URL") from None
        local = self._allow_loopback and is_loopback(url)
        if not sound or (url.scheme != "https" and not (local and url.scheme == "http")):
            raise DownloadError("expected the address of the image to be https")
        if is_loopback(url) and not self._allow_loopback:
            raise DownloadError("refused an image address on this machine")
        return url


async def _body(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    if response.status in _GONE:
        raise GoneError(f"HTTP {response.status}: the image is not there")
    if response.status != 200:
        raise DownloadError(f"HTTP {response.status} instead of the image")
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > MAX_IMAGE_BYTES:
            raise DownloadError(f"an image of more than {MAX_IMAGE_BYTES >> 20} MiB")
        yield chunk
