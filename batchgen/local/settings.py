"""What the local service can be told."""

import ipaddress
import math
from dataclasses import dataclass
from pathlib import Path

from batchgen.errors import UsageError
from batchgen.job.tiers import TIERS, Tier


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    """How the local service behaves. Raises UsageError for values it cannot work with."""

    host: str = "127.0.0.1"
    port: int = 0
    """TCP port; 0 picks a free one."""
    latency: tuple[float, float] = (0.5, 1.5)
    """Seconds from start to completed, lowest and highest; each request has its own in between."""
    tier: str | None = None
    """A name of TIERS; None is an account without limits."""
    state_file: Path | None = None
    """Where accepted predictions are kept, so that their ids still answer after a restart."""
    history_lag: float = 0.0
    """Seconds before an accepted prediction shows up in the history."""
    history_inputs: bool = False
    """Whether the history shows the request of each prediction; the documented one does not."""

    def __post_init__(self) -> None:
        """Refuse what cannot work before a socket is opened."""
        low, high = self.latency
        if not 0 <= low <= high < math.inf:
            raise UsageError(
                f"latency: expected 0 <= low <= high in seconds, got {low:g} and {high:g}"
            )
        if not 0 <= self.history_lag < math.inf:
            raise UsageError(f"history lag: expected 0 or more seconds, got {self.history_lag:g}")
        if not 0 <= self.port <= 65_535:
            raise UsageError(f"port: expected 0 to 65535, got {self.port}")
        if self.tier is not None and self.tier not in TIERS:
            raise UsageError(f"tier: expected one of {', '.join(TIERS)}, got {self.tier!r}")

    @property
    def limits(self) -> Tier | None:
        """The limits of the tier; None when there are none."""
        return None if self.tier is None else TIERS[self.tier]

    @property
    def bind_host(self) -> str:
        """The address to listen on. ``localhost`` would be two, each with its own free port."""
        return "127.0.0.1" if self.host == "localhost" else self.host.strip("[]")

    @property
    def loopback(self) -> bool:
        """Whether only programs of this computer can connect."""
        address = _address(self.bind_host)
        return address is not None and address.is_loopback

    @property
    def wildcard(self) -> bool:
        """Whether it listens on every address, so that no single one is its own."""
        address = _address(self.bind_host)
        return address is not None and address.is_unspecified

    def url(self, port: int) -> str:
        """The base URL for this computer when *port* is the bound one."""
        if not self.wildcard:
            host = f"[{self.bind_host}]" if ":" in self.bind_host else self.bind_host
        else:
            host = "[::1]" if ":" in self.bind_host else "127.0.0.1"
        return f"http://{host}:{port}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
