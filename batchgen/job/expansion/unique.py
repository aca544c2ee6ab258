"""The proof that no two images of a job will have the same name, before any of them is paid for.

Two names that differ in upper and lower case alone are the same to some file systems. Memory does
not grow with the number of variants: what is compared is sorted by SQLite, in a file of its own
that nobody else sees and that is gone with it.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter

from batchgen.errors import UsageError
from batchgen.job.job import Job
from batchgen.job.models import find_model
from batchgen.job.names import KEY_DIGITS, key_has_its_place
from batchgen.job.variants import Variant

MAX_PROVED = 10_000_000  # variants; a million takes some seconds
_TWINS = """
SELECT mark, position FROM marks
WHERE mark IN (SELECT mark FROM marks GROUP BY mark HAVING count(*) > 1) ORDER BY mark, position
"""


def prove_names(job: Job) -> None:
    """Raise UsageError when two images of *job* would have the same name.

    Of more than MAX_PROVED variants that is not looked for: the name has to say it.
    """
    if key_has_its_place(job.file_name, "variant_key"):
        return  # which no two variants share
    if wrong := too_many_to_prove(job):
        raise UsageError(wrong)
    short = key_has_its_place(job.file_name, "key")
    marks = _short_keys(job) if short else _hashed_names(job)
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("CREATE TABLE marks (mark INTEGER, position INTEGER)")
        db.execute("BEGIN")
        db.executemany("INSERT INTO marks VALUES (?, ?)", marks)
        for _, twins in groupby(db.execute(_TWINS), itemgetter(0)):
            _compare(job, [job.variants[position] for _, position in twins])


def too_many_to_prove(job: Job) -> str | None:
    """Say that *job* has more variants than names are compared of; None when it has not."""
    if len(job.variants) <= MAX_PROVED or key_has_its_place(job.file_name, "variant_key"):
        return None
    return (
        f"the file names of more than {MAX_PROVED:,} variants are not compared; write "
        "{variant_key} for {key} in output.file_name"
    )


def _short_keys(job: Job) -> Iterator[tuple[int, int]]:
    """Of names in which the key stands at a known place, equal ones have equal keys."""
    for position, key in enumerate(job.variants.keys()):
        yield int(key[:KEY_DIGITS], 16), position


def _hashed_names(job: Job) -> Iterator[tuple[int, int]]:
    for position, variant in enumerate(job.variants):
        for name in _names(job, variant):
            found = hashlib.blake2b(name.encode(), digest_size=8).digest()
            yield int.from_bytes(found, signed=True), position


def _names(job: Job, variant: Variant) -> Iterator[str]:
    images = find_model(variant.model).images(variant.request)
    return (job.image_name(variant, index).casefold() for index in range(images))


def _compare(job: Job, variants: list[Variant]) -> None:
    found: dict[str, Variant] = {}
    for variant in variants:
        for name in _names(job, variant):
            other = found.setdefault(name, variant)
            if other is not variant:
                raise UsageError(
                    f"two variants would have an image called {name}: {other.key} and "
                    f"{variant.key}; write {{variant_key}} for {{key}} in output.file_name, or "
                    "name more of what varies"
                )
