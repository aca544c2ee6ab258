"""The local service as something to start and stop."""

import errno
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from batchgen.errors import UsageError
from batchgen.local.routes import Routes
from batchgen.local.settings import LocalSettings

# A request that is being answered at the end gets this long; a drawing takes a tenth of it.
SHUTDOWN_SECONDS = 1.0
_DEFAULTS = LocalSettings()


class LocalService:
    """An HTTP server in the caller's event loop, with its own small pool of drawing threads."""

    def __init__(
        self, settings: LocalSettings = _DEFAULTS, *, clock: Callable[[], float] = time.time
    ) -> None:
        """*clock* gives seconds since the epoch; statuses, limits and retention follow it."""
        self.settings = settings
        self.requests: Counter[str] = Counter()
        """Requests so far: submits, accepted, polls, downloads, histories, deletes, balances,
        prices, models, pages, unknown."""
        self._clock = clock
        self._routes: Routes | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen, and return the base URL.

        Raises UsageError when the address is taken or not one of this computer, or when the state
        file cannot be used.
        """
        listener = self._listen()
        base_url = self.settings.url(listener.getsockname()[1])
        try:
            self._routes = Routes(
                self.settings, base_url=base_url, clock=self._clock, requests=self.requests
            )
            self._runner = web.AppRunner(
                self._routes.application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
            )
            await self._runner.setup()
            await web.SockSite(self._runner, listener).start()
        except BaseException:
            listener.close()
            await self.stop()
            raise
        return base_url

    async def stop(self) -> None:
        """Close every connection, thread and file. Does nothing when it is not running."""
        runner, self._runner = self._runner, None
        routes, self._routes = self._routes, None
        try:
            if runner is not None:
                await runner.cleanup()
        finally:
            if routes is not None:
                routes.close()

    def _listen(self) -> socket.socket:
        host, port = self.settings.bind_host, self.settings.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, port), family=family, backlog=1024)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = f"port {port} of {host} is in use; choose another one (0 = a free one)"
            else:
                message = f"cannot listen on {host} port {port}: {error.strerror or error}"
            raise UsageError(message) from None


@asynccontextmanager
async def local_service(settings: LocalSettings = _DEFAULTS) -> AsyncIterator[str]:
    """Run the service while the block lasts; yields its base URL, e.g. http://127.0.0.1:43121.

    Raises UsageError as LocalService.start does.
    """
    service = LocalService(settings)
    base_url = await service.start()
    try:
        yield base_url
    finally:
        await service.stop()
