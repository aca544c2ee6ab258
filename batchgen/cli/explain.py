"""What ``batchgen plan --explain`` shows: where each value of one variant was written."""

from batchgen.cli.screen import show
from batchgen.errors import UsageError
from batchgen.job.job import Job
from batchgen.job.origins import Origin, origins

_LONGEST = 60  # characters of a value
_SHORTEST_KEY = 6


def print_origins(job: Job, wanted: str) -> None:
    """Print the origins of the variant with that key, or at that index of the file's order.

    Raises UsageError when there is none.
    """
    variant, found = origins(job, _position(job, wanted))
    show(f"variant {variant.index:,} of {len(job.variants):,}, {variant.key}")
    show(f"{job.image_name(variant, 0)}.png")
    for title, sent in (("sent", True), ("not sent", False)):
        rows = [_row(origin) for origin in found if origin.sent is sent]
        widths = [max(len(row[i]) for row in rows) for i in range(3)] if rows else []
        if rows:
            show("")
            show(title)
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            show(f"  {'  '.join([*cells, row[3]])}".rstrip())


def _position(job: Job, wanted: str) -> int:
    whole = job.variants
    if wanted.isdecimal() and int(wanted) < len(whole):
        return int(wanted)
    found = whole.position_of(wanted.lower()) if len(wanted) >= _SHORTEST_KEY else None
    if found is None:
        raise UsageError(
            f"expected an index from 0 to {len(whole) - 1:,}, or a key or {_SHORTEST_KEY} digits "
            f"of one that it begins with, got {wanted!r}"
        )
    return found


def _row(origin: Origin) -> tuple[str, str, str, str]:
    value = origin.value
    text = value if isinstance(value, str) else str(value).lower() if value is True else str(value)
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    place = origin.place
    where = f"{place.file}:{place.line}:{place.column}" if place else "-"
    return origin.name, text, where, origin.why
