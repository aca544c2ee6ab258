"""Reaching the service: WaveSpeedAI with the user's key, or the local service started here."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from yarl import URL

from batchgen.api.address import is_loopback
from batchgen.api.client import ServiceClient, check_base_url
from batchgen.api.download import Downloader
from batchgen.api.key import ApiKey, read_key
from batchgen.dataset.folder import DatasetFolder
from batchgen.errors import UsageError
from batchgen.job.load import Pace

WAVESPEED = "https://api.wavespeed.ai"
BASE_URL = "WAVESPEED_BASE_URL"
# Answers are cleared of the key, so it is a word that appears in none by chance.
LOCAL_KEY = "batchgen-rehearsal-key"
# The real service asks for 2 s between two polls of one image prediction (docs/get-result).
POLITE_INTERVAL = 2.0
LOOPBACK_INTERVAL = 0.25


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where to find the service and who asks; settled before anything is written or sent."""

    base_url: str
    """Empty for a local service that is still to be started."""
    key: ApiKey
    free: bool
    """Whether nothing is charged: the local service only."""

    @property
    def remote(self) -> bool:
        """Whether the service is elsewhere: one on this machine is ours, or a rehearsal."""
        return bool(self.base_url) and not is_loopback(URL(self.base_url))

    @property
    def origin(self) -> str:
        """The service's address; one on this machine comes back on another port as the same."""
        return str(URL(self.base_url).origin()) if self.remote else "local"

    def account(self, salt: str) -> str:
        """A fingerprint of key and service; ids of one account mean nothing to another."""
        return self.key.fingerprint(salt, self.origin)


@dataclass(frozen=True, kw_only=True)
class Service:
    """The open connections of a run."""

    client: ServiceClient
    downloader: Downloader
    poll_interval: float
    """Seconds between two polls of one prediction, at the least."""


def find_access(
    service: str, base_url: str | None, environment: Mapping[str, str] = os.environ
) -> Access:
    """How to reach *service* (``wavespeed`` or ``local``): option, environment, default address.

    Raises UsageError for a missing key or an address that cannot be used.
    """
    if service == "local":
        base_url = base_url or ""
        if base_url and not is_loopback(check_base_url(base_url)):
            raise UsageError(f"expected a local service on this machine, got {base_url!r}")
        return Access(base_url=base_url, key=ApiKey(LOCAL_KEY), free=True)
    base_url = base_url or environment.get(BASE_URL) or WAVESPEED
    check_base_url(base_url)
    return Access(base_url=base_url, key=read_key(environment), free=False)


@asynccontextmanager
async def open_service(access: Access, pace: Pace, folder: DatasetFolder) -> AsyncIterator[Service]:
    """Connect for the length of the block; starts the local service when that is asked for."""
    async with AsyncExitStack() as stack:
        base_url = access.base_url
        if not base_url:
            # Pillow and the web server are loaded only when they are used.
            from batchgen.local import LocalSettings, local_service

            settings = LocalSettings(state_file=folder.local_service)
            base_url = await stack.enter_async_context(local_service(settings))
        loopback = is_loopback(check_base_url(base_url))
        client = ServiceClient(
            base_url,
            access.key,
            submit_timeout=pace.submit_timeout,
            poll_timeout=pace.poll_timeout,
        )
        downloader = Downloader(timeout=pace.download_timeout, allow_loopback=loopback)
        await stack.enter_async_context(client)
        await stack.enter_async_context(downloader)
        yield Service(
            client=client,
            downloader=downloader,
            poll_interval=_poll_interval(pace.poll_min_interval, loopback=loopback),
        )


def _poll_interval(asked: float | None, *, loopback: bool) -> float:
    if loopback:
        return asked or LOOPBACK_INTERVAL
    return max(asked or 0.0, POLITE_INTERVAL)
