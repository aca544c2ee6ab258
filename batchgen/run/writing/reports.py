"""What a run leaves beside the manifest: failures, the summary, and the Hugging Face view."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from batchgen.dataset.exports.export import check_export, export_dataset
from batchgen.dataset.exports.huggingface import write_huggingface, write_views
from batchgen.dataset.folder import DatasetFolder, json_line, write_whole
from batchgen.dataset.stores.uploads import bucket_of
from batchgen.dataset.treatment import read_treatment
from batchgen.dataset.views.view import LeftError
from batchgen.errors import LockedError, StorageError, UsageError
from batchgen.job.load import Job
from batchgen.ledger.store import Ledger
from batchgen.run.pace.stop import Stop
from batchgen.run.telling.accounts import Outcome
from batchgen.run.telling.rows import unfinished
from batchgen.run.writing.packing import check_packing

log = logging.getLogger(__name__)

# Seconds between two checkpoints, at the least; they take a twentieth of the time at the most.
CHECKPOINT = 60.0
# Images above which the view is left to the next run when a signal ends this one: 100,000 take
# about five seconds, and a scheduler kills what does not end.
MOST_WHEN_HURRIED = 20_000

Findings = Mapping[str, Mapping[str, int]]


def refresh_views(
    folder: DatasetFolder, ledger: Ledger, job: str, *, mark: object, hurried: bool
) -> Findings | None:
    """Write what is made from the manifest, unless it is there; returns what was found in it.

    *mark* stands for the manifest as it is. None when the run is *hurried* and there are too many
    images. Raises StorageError.
    """
    treatment = read_treatment(folder)
    shows = [mark, treatment.caption, sorted(treatment.also)]
    meta = ledger.meta()
    known = meta.get("findings")
    if mark is not None and meta.get("view") == shows and isinstance(known, dict):
        return known
    if hurried and ledger.totals().images > MOST_WHEN_HURRIED:
        return None
    found = write_views(folder, job)
    ledger.set_meta(view=shows, findings=found)
    return found


def write_reports(folder: DatasetFolder, ledger: Ledger, outcome: Outcome) -> None:
    """Write what the run has come to. Raises StorageError."""
    write_whole(folder.failures, map(json_line, unfinished(ledger)))
    write_whole(folder.summary, [json.dumps(outcome.summary(), indent=2) + "\n"])


def check_output(job: Job, folder: DatasetFolder) -> None:
    """Raise UsageError when *job* cannot have its images kept or exported as it wants.

    Before money is spent.
    """
    check_packing(job, folder)
    output = job.resolved["output"]
    wanted = output["exports"] if isinstance(output, dict) else ()
    if wanted and (bucket := bucket_of(folder)):
        raise UsageError(f"expected no output.exports beside {bucket}; use batchgen export")
    for to in wanted:
        check_export(folder.root, to)


def keep_exports(folder: DatasetFolder, ledger: Ledger, *, mark: object) -> None:
    """Bring the exports beside the dataset up to date, unless they are.

    *mark* stands for the manifest as it is. Raises StorageError.
    """
    treatment = read_treatment(folder)
    made = [mark, treatment.caption, list(treatment.exports), treatment.embed]
    if not treatment.exports or (mark is not None and ledger.meta().get("exports") == made):
        return
    for to in treatment.exports:
        try:
            export_dataset(folder.root, to=to, embed=treatment.embed)
        except (LockedError, UsageError) as error:
            raise StorageError(str(error)) from None
    ledger.set_meta(exports=made)


@asynccontextmanager
async def checkpoints(folder: DatasetFolder, name: str, stop: Stop) -> AsyncIterator[None]:
    """Keep the Hugging Face view fresh while the block lasts.

    A view is no reason to end paid work: a bug in it is told, and it is written no more until the
    end of the run.
    """
    ended = asyncio.Event()
    writing = asyncio.create_task(_now_and_then(folder, name, ended, stop))
    try:
        yield
    finally:
        ended.set()
        await asyncio.wait({writing})


async def _now_and_then(folder: DatasetFolder, name: str, ended: asyncio.Event, stop: Stop) -> None:
    pause = CHECKPOINT
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), pause)
        if ended.is_set():
            return
        begun = time.monotonic()
        try:
            await asyncio.to_thread(write_huggingface, folder, name, lambda: not ended.is_set())
        except LeftError:
            return
        except StorageError as error:  # the run itself meets it too, and knows what to do
            log.warning("%s", error)
        except Exception as error:
            what = "the view of the dataset could not be written while the run lasted"
            log.exception("%s", what)
            stop.last_words.append(f"{what} ({type(error).__name__}); run.log has the details")
            return
        pause = max(CHECKPOINT, 20 * (time.monotonic() - begun))
