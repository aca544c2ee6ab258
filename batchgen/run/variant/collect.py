"""The last step of a variant's life: its images, verified and under their final names."""

import logging
from collections.abc import Sequence
from itertools import count

from batchgen.api.download import DownloadError, GoneError, UnsafeAddressError
from batchgen.api.retry import backoff, may_download_again
from batchgen.api.wire import Prediction
from batchgen.dataset.files.picture import PictureError
from batchgen.dataset.files.placing import StoredImage
from batchgen.dataset.stores.holdings import drop
from batchgen.job.names import name_of
from batchgen.ledger.entry import Entry, Image, State
from batchgen.run.telling.rows import manifest_row
from batchgen.run.variant.context import RETENTION, Context, now, seconds_since

log = logging.getLogger(__name__)


async def collect(run: Context, entry: Entry, prediction: Prediction) -> Entry:
    """Download the images of a completed prediction; nothing here can buy anything.

    The entry stays completed when an image cannot be had now; the next run tries again for free.
    Raises StorageError.
    """
    async with run.downloads:
        images = await _images(run, entry, prediction)
        if images is None:
            images = await _after_fresh_poll(run, entry)
    if not images:
        return await _give_up(run, entry)
    missing = entry.images_asked - len(images)
    short = f"{len(images)} of {entry.images_asked} images came"
    entry = entry.move(
        State.SAVED,
        error_class="missing_output" if missing else None,
        error=short if missing else None,
    )
    await run.ledger.write(entry, images)
    for image in images:
        if image.dropped:
            drop(run.folder, image.file_name)
    # Straight after the commit, so that rows land in the order of the ledger.
    rows = [manifest_row(entry, image) for image in images]
    run.manifest.append(rows)
    run.tally.saved(images)
    run.breaker.saved()
    for row in rows:
        run.hooks.image(row)
    return entry


async def _after_fresh_poll(run: Context, entry: Entry) -> Sequence[Image]:
    """Ask for fresh addresses once, and try these."""
    answer = await run.service.client.result(str(entry.prediction_id))
    run.tally.polls += 1
    if isinstance(answer, Prediction) and answer.completed:
        return await _images(run, entry, answer) or ()
    return ()


async def _give_up(run: Context, entry: Entry) -> Entry:
    """Once the service has deleted them, images that could not be had never will be."""
    if seconds_since(entry.created_at or entry.submitted_at) <= RETENTION.total_seconds():
        if not run.stop.leaving:
            # An image host that is down must not let everything be bought and nothing be had.
            run.breaker.making_failed(entry.prompt_id, "its images could not be downloaded")
        return entry
    error = "the service keeps images for seven days, and these could not be had before"
    run.failed(entry, error)
    log.warning("the images of %s have expired", entry.prediction_id)
    error_class = entry.error_class or "expired"
    entry = entry.move(State.EXPIRED, error_class=error_class, error=error)
    await run.ledger.write(entry)
    return entry


async def _images(run: Context, entry: Entry, prediction: Prediction) -> Sequence[Image] | None:
    """All images, an empty list when one cannot be had now, None when an address is gone."""
    images = []
    for index, address in enumerate(prediction.outputs[: entry.images_asked]):
        if not address:
            continue  # this one was withheld; the others are paid
        try:
            stored = await _download(run, entry, index, address, nsfw=prediction.nsfw(index))
        except GoneError as error:
            log.info("image %d of %s: %s", index, entry.prediction_id, error)
            return None
        if stored is None:
            return ()
        images.append(_record(stored, index, prediction))
    return images


async def _download(
    run: Context, entry: Entry, index: int, address: str, *, nsfw: bool | None
) -> StoredImage | None:
    """One image, tried a few times; None when it cannot be had now. Raises GoneError."""

    def name(whole_key: bool) -> str:
        wanted = name_of(run.file_name, entry, index, whole_key=whole_key)
        return run.treatment.place(wanted, nsfw=nsfw)

    for tries in count(1):
        try:
            stored = await run.images.store(
                run.service.downloader.fetch(address),
                part=f"{entry.key}_{index}",
                names=name,
            )
        except GoneError:
            raise
        except UnsafeAddressError as error:
            log.warning("image %d of %s: %s", index, entry.prediction_id, error)
            break
        except (DownloadError, PictureError) as error:
            log.warning("image %d of %s, try %d: %s", index, entry.prediction_id, tries, error)
        else:
            run.patience.earn()
            return stored
        if not may_download_again(tries, run.pace.retries) or not run.patience.take():
            break
        run.tally.retries += 1
        if not await run.stop.pause(backoff(tries)):
            break
    return None


def _record(stored: StoredImage, index: int, prediction: Prediction) -> Image:
    return Image(
        index=index,
        file_name=stored.file_name,
        bytes=stored.bytes,
        sha256=stored.sha256,
        media_type=stored.picture.media_type,
        width=stored.picture.width,
        height=stored.picture.height,
        nsfw=prediction.nsfw(index),
        saved_at=now(),
    )
