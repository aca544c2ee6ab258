"""Entries and images for the tests of this room, and a disk that is full for a while."""

import asyncio
import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from batchgen.ledger.entry import Entry, Image, State
from batchgen.ledger.fields import Fields
from batchgen.ledger.store import Ledger

ROUTES = {
    State.PLANNED: [State.SUBMITTING, State.PLANNED],
    State.SUBMITTING: [State.SUBMITTING],
    State.SUBMITTED: [State.SUBMITTING, State.SUBMITTED],
    State.COMPLETED: [State.SUBMITTING, State.SUBMITTED, State.COMPLETED],
    State.SAVED: [State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.SAVED],
    State.FAILED: [State.SUBMITTING, State.FAILED],
    State.UNCERTAIN: [State.SUBMITTING, State.UNCERTAIN],
    State.EXPIRED: [State.SUBMITTING, State.SUBMITTED, State.EXPIRED],
}


def untouched(key: str = "k1") -> Entry:
    """A planned variant, as the run makes it before the ledger knows of it."""
    return Entry(
        key=key,
        state=State.PLANNED,
        revision=0,
        prompt_id="espresso",
        model="wavespeed-ai/imagen4",
        request={"prompt": f"an espresso, {key}", "seed": 7},
        images_asked=1,
    )


def moves(key: str, state: State, **last: Unpack[Fields]) -> list[Entry]:
    """The entries of a variant on its way to *state*; the last move brings the fields given."""
    steps, entry = [], untouched(key)
    for step in ROUTES[state]:
        entry = entry.move(step)
        steps.append(entry)
    steps[-1] = replace(steps[-1], **last)
    return steps


def image(key: str = "k1", index: int = 0, *, nsfw: bool | None = None, size: int = 100) -> Image:
    return Image(
        index=index,
        file_name=f"images/{key}_{index}.png",
        bytes=size,
        sha256="ab" * 32,
        media_type="image/png",
        width=64,
        height=48,
        nsfw=nsfw,
        saved_at="2026-01-31T23:59:59.123Z",
    )


async def bring(
    ledger: Ledger,
    key: str,
    state: State,
    images: Iterable[Image] = (),
    **last: Unpack[Fields],
) -> Entry:
    """Write a variant's moves up to *state*; the *images* come with the last one."""
    *before, final = moves(key, state, **last)
    for entry in before:
        await ledger.write(entry)
    await ledger.write(final, list(images))
    return final


async def bring_all(ledger: Ledger, keys: Iterable[str], state: State) -> None:
    """As bring, for many variants at once, without images."""
    await asyncio.gather(*(bring(ledger, key, state) for key in keys))


@contextmanager
def full_disk(limit: int = 0) -> Iterator[None]:
    """For the block, no file of this process can grow beyond *limit* bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def commits(path: Path) -> int:
    """How many transactions the write-ahead log of *path* holds."""
    log = path.with_name(f"{path.name}-wal").read_bytes()
    page, salt = int.from_bytes(log[8:12]), log[16:24]
    frames = [log[at : at + 24] for at in range(32, len(log), 24 + page)]
    # The last frame of a transaction carries the size of the database; others carry 0.
    return sum(frame[8:16] == salt and frame[4:8] != b"\0\0\0\0" for frame in frames)
