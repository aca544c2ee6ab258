"""Fetching images: an untrusted address becomes a capped stream of bytes.

The session knows no key, keeps no cookies and asks no proxy. Every address is judged when it is
connected to, so that neither a redirect nor a name leads into this machine or its networks. What
the bytes are is for the dataset to judge.
"""

import socket
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from batchgen.api.address import is_loopback, may_connect
from batchgen.api.client import CONNECT_TIMEOUT

MAX_IMAGE_BYTES = 64 * 1024 * 1024
MAX_REDIRECTS = 5
MIN_RATE = 1024  # bytes a second
RATE_WINDOW = 30.0  # seconds over which the rate is averaged
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({403, 404, 410})  # what image hosts answer for an address that has expired
# The first that fits is said.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "the image did not come in time"),
    (aiohttp.ClientConnectorDNSError, "the name of the image host leads nowhere"),
    (aiohttp.ClientSSLError, "the image host has no certificate that can be trusted"),
    (aiohttp.ClientConnectorError, "the image host takes no connection"),
    (aiohttp.ClientPayloadError, "the image broke off"),
    (aiohttp.ServerDisconnectedError, "the image host hung up"),
    (aiohttp.ClientResponseError, "the image host does not speak proper HTTP"),
)


class DownloadError(Exception):
    """An image could not be fetched; its address may work later."""


class GoneError(DownloadError):
    """The address no longer serves the image; a poll may bring a fresh one."""


class UnsafeAddressError(DownloadError):
    """The address leads where no image is fetched from; to try it again changes nothing."""


class _RefusedPeerError(OSError):
    """An OSError, so that the other addresses of the same name are still tried."""


class Downloader:
    """Streams images; use it as an async context manager."""

    def __init__(self, *, timeout: float, allow_loopback: bool) -> None:
        """Give each image *timeout* seconds, redirects included.

        *allow_loopback* also permits loopback, with plain http and any port: for a service that is
        there itself.
        """
        self._timeout = timeout
        self._allow_loopback = allow_loopback
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(
            headers={"Accept-Encoding": "identity", "Accept": "image/*"},
            # A compressed picture saves nothing, and 200 KB of gzip can hold 200 MB.
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0, socket_factory=self._socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
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
        """The bytes at *address* in chunks, as they come: of at most half a MiB.

        Raises GoneError for 403, 404 and 410, UnsafeAddressError for an address that must not be
        opened, DownloadError for anything else that goes wrong.
        """
        assert self._session, "the downloader is not open"
        url = self._check(address)
        end = time.monotonic() + self._timeout
        try:
            for _ in range(MAX_REDIRECTS + 1):
                limits = _limits(end)
                async with self._session.get(
                    url, allow_redirects=False, timeout=limits
                ) as response:
                    if response.status in _REDIRECTS and "Location" in response.headers:
                        url = self._check(response.headers["Location"], base=url)
                        continue
                    _expect_image(response.status)
                    meter = _Meter()
                    while chunk := await response.content.readany():
                        meter.count(len(chunk))
                        yield chunk
                    return
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _explained(error) from None
        raise DownloadError(f"more than {MAX_REDIRECTS} redirects")

    def _check(self, address: str, base: URL | None = None) -> URL:
        """The URL of *address*, if its form is that of an image's. Raises UnsafeAddressError."""
        try:
            url = base.join(URL(address)) if base else URL(address)
            host, port = url.host, url.port
        except ValueError:
            raise UnsafeAddressError("the address of the image is no URL") from None
        local = self._allow_loopback and is_loopback(url)
        if not host or (url.scheme != "https" and not (local and url.scheme == "http")):
            raise UnsafeAddressError("expected the address of the image to be https")
        if url.user or url.password:
            raise UnsafeAddressError("refused an image address with a user name or a password")
        if port != 443 and not local:
            raise UnsafeAddressError(f"refused an image address with port {port}, expected 443")
        return url

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for one connection. Raises an OSError, as the HTTP library expects."""
        family, kind, protocol, _, peer = info
        if not may_connect(str(peer[0]), loopback=self._allow_loopback):
            raise _RefusedPeerError
        return socket.socket(family, kind, protocol)


def _limits(end: float) -> aiohttp.ClientTimeout:
    """What is left until the moment *end*. Raises TimeoutError."""
    left = end - time.monotonic()
    if left <= 0:  # the HTTP library takes 0 for no limit
        raise TimeoutError
    return aiohttp.ClientTimeout(total=left, sock_connect=CONNECT_TIMEOUT, sock_read=30)


def _expect_image(status: int) -> None:
    if status in _GONE:
        raise GoneError(f"HTTP {status}: the image is not there")
    if status != 200:
        raise DownloadError(f"HTTP {status} instead of the image")


class _Meter:
    """How much of an image has come, and how fast."""

    def __init__(self) -> None:
        self._size = self._size_then = 0
        self._since = time.monotonic()

    def count(self, size: int) -> None:
        """So many bytes more. Raises DownloadError for too many of them, or too few for long."""
        self._size += size
        if self._size > MAX_IMAGE_BYTES:
            raise DownloadError(f"an image of more than {MAX_IMAGE_BYTES >> 20} MiB")
        seconds = time.monotonic() - self._since
        if seconds >= RATE_WINDOW:
            if self._size - self._size_then < MIN_RATE * seconds:
                raise DownloadError(f"the image came at less than {MIN_RATE} bytes a second")
            self._since, self._size_then = self._since + seconds, self._size


def _explained(error: Exception) -> DownloadError:
    """The error in our words: those of the HTTP library quote addresses and bytes."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, _RefusedPeerError
    ):
        return UnsafeAddressError("refused an image address on this machine or a private network")
    if isinstance(error, aiohttp.InvalidURL):
        return UnsafeAddressError("the address of the image is no URL")
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return DownloadError(reason)
    return DownloadError(f"the download failed: {type(error).__name__}")
