"""What ``batchgen plan --explain`` shows: where each value of one variant was written."""

from collections.abc import Sequence

from batchgen.cli.screen import show
from batchgen.errors import UsageError
from batchgen.job.job import Job
from batchgen.job.origins import Origin, origins

_WIDTH = 80
_LEAST = 20  # characters of a value that are shown, however long the others are
_SHORTEST_KEY = 6

Row = tuple[str, str, str, str]
"""A name, its value, where that was written, and why it holds."""


def print_origins(job: Job, wanted: str) -> None:
    """Print the origins of the variant with that key, or at that index of the file's order.

    Raises UsageError when there is none.
    """
    variant, found = origins(job, _position(job, wanted))
    show(f"variant {variant.index:,} of {len(job.variants):,}, {variant.key}")
    show(f"{job.image_name(variant, 0)}.png")
    for title, sent in (("sent", True), ("not sent", False)):
        if rows := [_row(origin) for origin in found if origin.sent is sent]:
            show("")
            show(title)
            _print_table(rows)


def _print_table(rows: Sequence[Row]) -> None:
    """Print *rows* in columns; values give way, so that a line has 80 characters if it can."""
    name, value, where, why = (max(map(len, column)) for column in zip(*rows, strict=True))
    value = min(value, max(_LEAST, _WIDTH - len("  " * 4) - name - where - why))
    for row in rows:
        text = row[1] if len(row[1]) <= value else f"{row[1][: value - 1]}…"
        show(f"  {row[0]:<{name}}  {text:<{value}}  {row[2]:<{where}}  {row[3]}".rstrip())


def _position(job: Job, wanted: str) -> int:
    whole = job.variants
    if wanted.isdecimal() and len(wanted) < 20 and int(wanted) < len(whole):
        return int(wanted)
    found = whole.position_of(wanted.lower()) if len(wanted) >= _SHORTEST_KEY else None
    if found is None:
        raise UsageError(
            f"expected an index from 0 to {len(whole) - 1:,}, or a key or {_SHORTEST_KEY} digits "
            f"of one that it begins with, got {wanted!r}"
        )
    return found


def _row(origin: Origin) -> Row:
    value = origin.value
    text = value if isinstance(value, str) else str(value).lower() if value is True else str(value)
    place = origin.place
    where = f"{place.file}:{place.line}:{place.column}" if place else "-"
    return origin.name, text, where, origin.why
