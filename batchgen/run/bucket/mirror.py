"""The mirror of a dataset in its bucket: what is durable here is uploaded, beside the run.

Images go one by one, in the order of the manifest, as they land; each is dropped here once it is
there. Everything else is uploaded at checkpoints and at the end, and so that the bucket never
names an image that it does not have.
"""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.stores.bucket import TakenError
from batchgen.dataset.stores.uploads import Uploads
from batchgen.errors import ExitCode, StorageError
from batchgen.ledger.entry import DROPPED
from batchgen.run.bucket.claims import BEAT, Hold
from batchgen.run.bucket.rest import AT_ONCE, SIDES, Rest
from batchgen.run.pace.hands import handled
from batchgen.run.pace.stop import Stop

T = TypeVar("T")

log = logging.getLogger(__name__)

WINDOW = 128
"""Rows that are looked at together; none of the next ones is before all of these are there."""
CHECKPOINT = 60.0
"""Seconds between two checkpoints, at the least; they take a twentieth of the time at the most."""
LOOK = 0.5
"""Seconds until the manifest is looked at again."""
AGAIN = 15.0
"""Seconds until the next try after an upload that failed; twice as many each time, to SELDOM."""
SELDOM = 600.0
HURRIED = 10.0
"""Seconds that uploads are given when a signal ends the run: the next run goes on with them."""


@dataclass(kw_only=True)
class Mirror:
    """Keeps a bucket that is ours up to date with the folder of its dataset."""

    folder: DatasetFolder
    hold: Hold
    uploads: Uploads
    stop: Stop
    place: int = 0
    """Bytes of the manifest whose images are in the bucket."""
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    _moving: asyncio.Lock = field(default_factory=asyncio.Lock)
    _patience: float = field(default_factory=lambda: HURRIED)
    """Seconds that are left for uploads once a signal has come."""
    _trouble: str = ""
    """Why an image cannot be uploaded, whatever the bucket does."""
    _rest: Rest = field(init=False)

    def __post_init__(self) -> None:
        self._rest = Rest(folder=self.folder, bucket=self.hold.bucket, uploads=self.uploads)

    def begin(self) -> None:
        """Start to upload, now that the manifest is whole."""
        self.uploads.tell(ledger=True)
        if not self._waiting_here():  # all there is was uploaded by earlier runs
            self.place = _size(self.folder.manifest_jsonl)
        for work in (self._follow(), self._checkpoints()):
            self._tasks.append(asyncio.create_task(work))

    async def beat(self) -> None:
        """Tell now and then that the run is alive, until cancelled."""
        while True:
            await asyncio.sleep(BEAT)
            try:
                await asyncio.to_thread(self.hold.beat)
            except TakenError as error:
                self.stop.leave(ExitCode.STORAGE, f"{error}, and owns the dataset now")
                return
            except StorageError as error:
                log.warning("%s", error)

    async def drain(self) -> None:
        """Upload the images that are left. Raises StorageError when not all could be."""
        await self.leave()
        if self.place < _size(self.folder.manifest_jsonl):
            log.info("uploading what is left to %s", self.hold.bucket.address)
        await self._in_time(self._catch_up())
        if self._trouble:
            raise StorageError(self._trouble)

    async def publish(self) -> str:
        """Upload everything else; returns the hash of the ledger in the bucket.

        That is empty when images are missing in the bucket. Raises StorageError.
        """
        return await self._in_time(self._publish(all_of_it=True))

    async def save(self) -> None:
        """Upload all that was done outside of a run, and let go. Raises StorageError."""
        await self.drain()
        if ledger := await self.publish():
            await self.release(ledger)

    async def release(self, ledger: str) -> None:
        """Let go of a bucket that has everything, its *ledger* with this hash included.

        Raises StorageError.
        """
        await self._in_time(self._rest.upload_last())
        # Before it is so: a folder that does not know this is older than what the bucket has.
        self.uploads.tell(released=self.hold.claim.run)
        await asyncio.to_thread(self.hold.end, ledger)

    async def _in_time(self, work: Coroutine[None, None, T]) -> T:
        """What *work* returns; after a signal it is given up soon. Raises StorageError then."""
        task = asyncio.ensure_future(work)
        while not task.done() and self._patience > 0 and not self.stop.hurry.is_set():
            await asyncio.wait({task}, timeout=LOOK)
            self._patience -= LOOK if self.stop.signalled else 0
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if task.cancelled():
            raise StorageError(
                f"there was no time to upload everything to {self.hold.bucket.address}"
            )
        return task.result()

    async def leave(self) -> None:
        """End the uploading beside the run."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            if not task.cancelled():
                task.result()

    def _waiting_here(self) -> bool:
        """Whether image files of earlier runs are still here."""
        files = (path for top in self.folder.tops for path in top.rglob("*"))
        return any(path.suffix not in SIDES and path.is_file() for path in files)

    # Images ---------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Upload images as their rows land, until cancelled."""
        again = AGAIN
        while True:
            try:
                await self._catch_up()
                again = AGAIN
                await asyncio.sleep(LOOK)
            except StorageError as error:
                log.warning("%s; tried again in %.0f s", error, again)
                await asyncio.sleep(again)
                again = min(2 * again, SELDOM)

    async def _catch_up(self, end: int | None = None) -> None:
        """Upload the images of all rows up to the place *end*. Raises StorageError."""
        end = _size(self.folder.manifest_jsonl) if end is None else end
        async with self._moving:
            while self.place < end:
                rows, place = await asyncio.to_thread(self._window)
                if place == self.place:
                    return  # the last row is being written right now
                await handled(rows, self._send, hands=AT_ONCE)
                self.place = place

    def _window(self) -> tuple[list[Mapping[str, object]], int]:
        """The next rows of the manifest, and the place behind them."""
        rows: list[Mapping[str, object]] = []
        place = self.place
        with self.folder.manifest_jsonl.open("rb") as file:
            file.seek(place)
            for line in file:
                if not line.endswith(b"\n") or len(rows) == WINDOW:
                    break
                rows.append(json.loads(line))
                place += len(line)
        return rows, place

    async def _send(self, row: Mapping[str, object]) -> None:
        """Upload the image of *row*, unless that was done, and drop it then. Raises StorageError.

        One that is not as it was saved is noted, and keeps no other from being uploaded.
        """
        name, sha256 = str(row["file_name"]), str(row["sha256"])
        path = self.folder.root / name
        data = await asyncio.to_thread(_content, path, sha256)
        if data is None:
            if not name.startswith(DROPPED) and (path.exists() or not self.uploads.size(name)):
                self._trouble = (
                    f"{path} is not the image that was saved; "
                    f"batchgen verify {self.hold.bucket.address} --repair mends that"
                )
            return
        size = await self.hold.bucket.upload(name, data, str(row["media_type"]))
        if size != len(data):
            place = f"{self.hold.bucket.address}/{name}"
            raise StorageError(f"{place} has {size} bytes, but {len(data)} were sent")
        self.uploads.add(name, size)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    # Everything else ------------------------------------------------------------------------------

    async def _checkpoints(self) -> None:
        pause = CHECKPOINT
        while True:
            await asyncio.sleep(pause)
            begun = time.monotonic()
            try:
                await self._publish(all_of_it=False)
            except StorageError as error:
                log.warning("%s; tried again at the next checkpoint", error)
            pause = max(CHECKPOINT, 20 * (time.monotonic() - begun))

    async def _publish(self, *, all_of_it: bool) -> str:
        """Upload all that is no image as it is now, when the images that it names are there.

        Returns the hash of the ledger; empty when an image is on its way to the manifest, and
        nothing was uploaded. Raises StorageError.
        """
        end = _size(self.folder.manifest_jsonl)
        moment = await self._rest.stage()
        await self._catch_up(end)
        # A run that was asleep may have lost the bucket, and must not write over what came since.
        await asyncio.to_thread(self.hold.beat)
        if self.place < end:
            return ""
        return await self._rest.upload(moment, all_of_it=all_of_it)


def _content(path: Path, sha256: str) -> bytes | None:
    """The bytes of the file at *path*, if they have this hash."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
