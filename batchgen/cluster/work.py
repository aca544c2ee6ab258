"""What a driver and its workers tell each other: no variants, no images, no key."""

from dataclasses import dataclass

from batchgen.errors import ExitCode
from batchgen.job.load import Job
from batchgen.run.terms.options import RunOptions


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every worker of a run has to know."""

    job: Job
    """As the driver has read it, its limits without those that the driver itself keeps."""
    options: RunOptions
    account: str
    """Fingerprint, with the token, of the key and the service: all machines have to have the same.
    The key itself is read on each of them."""
    token: str
    """Left in the dataset, which all machines have to see."""
    version: str
    """Of batchgen, likewise."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """How the run of a shard ended."""

    code: ExitCode
    why: str
    """Why before its work was done; empty when it was done."""
    limited: bool
    """Whether that reason only ended its submits."""
