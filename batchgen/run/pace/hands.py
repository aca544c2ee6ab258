"""Some work on many things, a few of them at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def handled(things: Iterable[T], work: Callable[[T], Awaitable[None]], *, hands: int) -> None:
    """Do *work* on all *things*, *hands* of them at once; they are taken as hands are free.

    The first exception ends the others, and is raised.
    """
    left = iter(things)

    async def some() -> None:
        for thing in left:
            await work(thing)

    tasks = [asyncio.create_task(some()) for _ in range(hands)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for error in [task.exception() for task in tasks if not task.cancelled()]:  # each is looked at
        if error:
            raise error
