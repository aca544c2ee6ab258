"""What a run leaves in the ledger for other commands and later runs to know."""

import secrets
from dataclasses import asdict

from batchgen.job.load import Job, Pace
from batchgen.ledger.store import Ledger
from batchgen.run.plan.planning import longest_wait
from batchgen.run.telling.hooks import Begun
from batchgen.run.terms.access import Access
from batchgen.run.terms.prices import Prices, listed_prices


def introduce(ledger: Ledger, job: Job, pace: Pace, access: Access, begun: Begun) -> str:
    """Leave what is known of a run before it begins; returns the fingerprint of its account."""
    meta = ledger.meta()
    salt = str(meta.get("salt") or secrets.token_hex(8))
    # What was quoted for other models, or forms of the job, still prices what is uncertain.
    listed = listed_prices(job, free=access.free)
    ledger.set_meta(
        salt=salt,
        job=job.name,
        images_planned=job.image_count(),
        **listed.filled(Prices.remembered(meta)).as_meta(listed),
        service=access.service,
        origin=access.origin,
        model=job.models[0].id,
        file_name=job.file_name,
        csv_safe=job.csv_safe,
        # The longest there was: an earlier submit may have waited that long for its answer.
        submit_timeout=longest_wait(meta, pace.submit_timeout),
        pace=asdict(pace),
        started_at=begun.started_at,
    )
    return access.account(salt)
