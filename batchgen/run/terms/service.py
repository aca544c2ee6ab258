"""Reaching the service: WaveSpeedAI with the user's key, or the local service started here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from batchgen.api.address import check_base_url, is_loopback
from batchgen.api.client import ServiceClient
from batchgen.api.download import Downloader
from batchgen.dataset.folder import DatasetFolder
from batchgen.job.load import Pace
from batchgen.run.terms.access import Access

# The real service asks for 2 s between two polls of one image prediction (docs/get-result).
POLITE_INTERVAL = 2.0
LOOPBACK_INTERVAL = 0.25


@dataclass(frozen=True, kw_only=True)
class Service:
    """The open connections of a run."""

    client: ServiceClient
    downloader: Downloader
    base_url: str
    poll_interval: float
    """Seconds between two polls of one prediction, at the least."""


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
            base_url=base_url,
            poll_interval=_poll_interval(pace.poll_min_interval, loopback=loopback),
        )


def _poll_interval(asked: float | None, *, loopback: bool) -> float:
    if loopback:
        return asked or LOOPBACK_INTERVAL
    return max(asked or 0.0, POLITE_INTERVAL)
