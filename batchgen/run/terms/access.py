"""Where the service is and who asks: settled before anything is written or sent."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from batchgen.api.address import check_base_url, is_loopback
from batchgen.api.key import ApiKey, read_key
from batchgen.errors import UsageError
from batchgen.ledger.store import Ledger

WAVESPEED = "https://api.wavespeed.ai"
BASE_URL = "WAVESPEED_BASE_URL"
# Answers are cleared of the key, so it is a word that appears in none by chance.
LOCAL_KEY = "batchgen-rehearsal-key"


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where to find the service and who asks; settled before anything is written or sent."""

    base_url: str
    """Empty for a local service that is still to be started."""
    key: ApiKey
    free: bool
    """Whether nothing is charged: the local service only."""

    @property
    def service(self) -> str:
        """As a job names it."""
        return "local" if self.free else "wavespeed"

    @property
    def remote(self) -> bool:
        """Whether the service is elsewhere: one on this machine is ours, or a rehearsal."""
        return _elsewhere(self.base_url)

    @property
    def origin(self) -> str:
        """The service's address; one on this machine comes back on another port as the same."""
        return str(URL(self.base_url).origin()) if self.remote else "local"

    def account(self, salt: str) -> str:
        """A fingerprint of key and service; ids of one account mean nothing to another."""
        return self.key.fingerprint(salt, self.origin)


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
    base_url = _address(base_url, environment)
    return Access(base_url=base_url, key=read_key(environment), free=False)


def mixing(ledger: Ledger | None, root: Path, *, remote: bool) -> str | None:
    """Say why a run cannot go on with the dataset in *root*: another kind of service made it.

    Pictures of a rehearsal would count as made, and stand among those that were paid for. *remote*
    says whether the run is for a service elsewhere. None when nothing stands in its way.
    """
    meta = ledger.meta() if ledger and next(ledger.images(), None) else {}
    made = meta.get("origin") or ("local" if meta.get("service") == "local" else None)
    if made is None or (made != "local") is remote:
        return None
    words = "a service on this computer", "one elsewhere"
    there, asked = words if remote else reversed(words)
    return (
        f"the images in {root} were made by {there} and would count as made; expected a folder of "
        f"its own for {asked}: name one with --out or output.dir"
    )


def is_remote(
    service: str, base_url: str | None, environment: Mapping[str, str] = os.environ
) -> bool:
    """Whether *service* is elsewhere, as ``Access.remote``; no key is needed to know.

    Raises UsageError for an address that cannot be used.
    """
    return service != "local" and _elsewhere(_address(base_url, environment))


def _address(base_url: str | None, environment: Mapping[str, str]) -> str:
    base_url = base_url or environment.get(BASE_URL) or WAVESPEED
    check_base_url(base_url)
    return base_url


def _elsewhere(base_url: str) -> bool:
    return bool(base_url) and not is_loopback(URL(base_url))
