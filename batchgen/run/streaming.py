"""A run for Python programs: its images while they are saved, and a twin without asyncio."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from batchgen.errors import ExitCode, UsageError
from batchgen.job.load import Job
from batchgen.ledger.parts import rows_of
from batchgen.run.making import run_job
from batchgen.run.pace.stop import Stop, signals
from batchgen.run.telling.accounts import Outcome
from batchgen.run.telling.hooks import Begun, Hooks
from batchgen.run.telling.rows import Row
from batchgen.run.terms.options import RunOptions
from batchgen.run.terms.sharding import read_shard


class Running:
    """A run that goes on. Iterating gives the row of each image that it saves, to its end."""

    def __init__(self, job: Job, options: RunOptions | None, hooks: Hooks) -> None:
        """Start it, on the event loop that runs."""
        self._stop = Stop()
        self._stirred = asyncio.Event()
        self._shard = options.shard if options else None
        self._starts: dict[Path, int] = {}
        self._hooks = hooks
        mine = replace(hooks, begun=self._on_begun, image=self._on_image)
        self._task = asyncio.create_task(run_job(job, options, stop=self._stop, hooks=mine))
        self._task.add_done_callback(lambda _: self._stirred.set())

    def _on_begun(self, begun: Begun) -> None:
        # The manifest is whole now, and all that follows in it is of this run.
        files = [begun.folder.manifest_jsonl]
        if self._shard:  # which leaves the manifest to whoever merges
            files = [rows_of(begun.folder.ledgers, p) for p in read_shard(self._shard).parts]
        self._starts = {file: file.stat().st_size for file in files}
        self._hooks.begun(begun)

    def _on_image(self, row: Row) -> None:
        self._stirred.set()
        self._hooks.image(row)

    def stop(self) -> None:
        """End it tidily: no more submits, what is in flight is left for the next run."""
        self._stop.leave(ExitCode.INCOMPLETE, "the program that ran it stopped it")

    async def outcome(self) -> Outcome:
        """Wait for its end. Raises what :func:`run_job` raises."""
        return await asyncio.shield(self._task)

    async def __aiter__(self) -> AsyncIterator[Row]:
        """The rows in the order in which the images land; those of a shard part by part.

        They come from the disk, so a slow reader costs no memory and holds nothing up.
        """
        read: dict[Path, int] = {}
        while True:
            self._stirred.clear()
            done = self._task.done()
            for file, start in self._starts.items():
                with file.open("rb") as lines:
                    lines.seek(read.get(file, start))
                    # The last line may be on its way to the file.
                    while (line := lines.readline()).endswith(b"\n"):
                        read[file] = lines.tell()
                        yield json.loads(line)
            if done:
                await self.outcome()
                return
            await self._stirred.wait()


@asynccontextmanager
async def start_job(
    job: Job, options: RunOptions | None = None, *, hooks: Hooks | None = None
) -> AsyncIterator[Running]:
    """Make the dataset of *job* while the block lasts, and wait for its end there.

    A block that raises stops the run tidily. Raises what :func:`run_job` raises.
    """
    running = Running(job, options, hooks or Hooks())
    try:
        yield running
    except BaseException:
        running.stop()
        with suppress(Exception):  # what the block raised comes first
            await running.outcome()
        raise
    await running.outcome()


def run_job_sync(
    job: Job, options: RunOptions | None = None, *, hooks: Hooks | None = None
) -> Outcome:
    """:func:`run_job` for programs without an event loop.

    In the main thread INT, TERM and HUP end the run tidily, with exit code 130 or 143 in the
    outcome. Raises UsageError where an event loop runs already, as in a notebook.
    """
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise UsageError("an event loop runs here already; use: await batchgen.run_job(job)")

    async def make() -> Outcome:
        stop = Stop()
        main = threading.current_thread() is threading.main_thread()
        with signals(stop) if main else nullcontext():
            return await run_job(job, options, stop=stop, hooks=hooks)

    return asyncio.run(make())
