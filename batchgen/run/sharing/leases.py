"""What a run and whoever shares out the limits of an account tell each other.

A run asks again a few times a second and says by which grant it goes meanwhile, so that nothing is
granted to one that another may still use. Without a fresh grant it sends nothing.
"""

from dataclasses import dataclass
from typing import Protocol

# Seconds for which a grant holds.
VALID = 3.0


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a run may have done, and may have in flight, until it has the next one."""

    in_flight: int
    images: int | None = None
    """Images that its submits have asked for altogether; None for no limit, as the next two."""
    micros: int | None = None
    """What its parts may have cost altogether, in millionths of a US dollar."""
    submits: int | None = None
    """Of this run altogether."""
    last: bool = False
    """Whether there will never be more money or submits than that."""


NOTHING = Grant(in_flight=0, images=0, micros=0, submits=0)
"""By which a run goes before its first grant."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a run has in use of the limits, and has done so far."""

    run: str
    """Its id: another one of the same shard is another run, and the one before it is over."""
    grant: Grant
    """By which it goes now."""
    in_flight: int
    """Submits on their way and predictions being made, those it is about to take up included."""
    waiting: int
    """Submits that it would send if it were let."""
    images: int = 0
    micros: int = 0
    submits: int = 0
    """As in :class:`Grant`."""
    done: tuple[int, ...] = ()
    """What else it has done, as :data:`batchgen.run.sharing.leasing.COUNTS` names it."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What all runs have done together."""

    in_flight: int
    micros: int
    done: tuple[int, ...]


class NoGrantError(Exception):
    """Whoever grants cannot be reached now."""


class Leases(Protocol):
    """Who grants, as a run sees it."""

    async def renew(self, name: str, usage: Usage) -> Grant:
        """A new grant for the run of the shard *name*. Raises NoGrantError."""

    async def end(self, name: str, usage: Usage) -> None:
        """That run has ended; what it left in flight is still being made. Raises NoGrantError."""
