"""Ledger entries as rows of the manifest and of the failures."""

from collections.abc import Iterator
from itertools import chain

from batchgen.job.models import find_model
from batchgen.ledger.entry import Entry, Image, State
from batchgen.ledger.store import Ledger

Row = dict[str, object]


def manifest_row(entry: Entry, image: Image) -> Row:
    """The row of one image. Parameters that were not set show the model's documented default."""
    asked = _parameters(entry)
    return (
        asked
        | dict(entry.labels)
        | {
            "file_name": image.file_name,
            "prompt_id": entry.prompt_id,
            "image_index": image.index,
            "nsfw": image.nsfw,
            "width": image.width,
            "height": image.height,
            "bytes": image.bytes,
            "sha256": image.sha256,
            "media_type": image.media_type,
            "model": entry.model,
            "prediction_id": entry.prediction_id,
            "variant_key": entry.key,
            "created_at": entry.created_at,
            "submitted_at": entry.submitted_at,
            "completed_at": entry.completed_at,
            "saved_at": image.saved_at,
            "queue_ms": entry.queue_ms,
            "inference_ms": entry.inference_ms,
            "total_ms": entry.total_ms,
            "polls": entry.polls,
            "attempts": entry.attempts,
            "cost_usd": _cost_usd(entry),
        }
    )


def manifest_rows(ledger: Ledger) -> Iterator[Row]:
    """The rows of all images, in the order they came."""
    return (manifest_row(entry, image) for entry, image in ledger.images())


def failure_row(entry: Entry) -> Row:
    """The row of a variant that has not all its images."""
    asked = _parameters(entry)
    return {
        "variant_key": entry.key,
        "prompt_id": entry.prompt_id,
        "prompt": asked.get("prompt"),
        "negative_prompt": asked.get("negative_prompt"),
        "seed": asked.get("seed"),
        "aspect_ratio": asked.get("aspect_ratio"),
        "state": str(entry.state),
        "error_class": entry.error_class,
        "error": entry.error,
        "prediction_id": entry.prediction_id,
        "paid": entry.paid,
        "attempts": entry.attempts,
    }


def unfinished(ledger: Ledger) -> Iterator[Row]:
    """The rows of all variants that ended and have not all their images."""
    broken = (State.FAILED, State.UNCERTAIN, State.EXPIRED)
    return map(failure_row, chain(ledger.entries(*broken, wanted_only=True), ledger.short()))


def _parameters(entry: Entry) -> Row:
    model = find_model(entry.model)
    defaults = {p.name: p.default for p in model.parameters if p.name != "num_images"}
    return defaults | dict(entry.request)


def _cost_usd(entry: Entry) -> float | None:
    """An equal share for each image asked for; None when the price is unknown."""
    if entry.spent_micros is None:
        return None
    return round(entry.spent_micros / entry.images_asked / 1e6, 6)
