"""The command in a process that kills itself at one of its durable steps.

``python -m tests.support.crashing 7 -- run job.yaml`` counts the moments straight before and after
every commit of the ledger, every image that gets its final name, every append to the manifest or
the evidence, every small file that is written whole and every step of an upload, and dies by
SIGKILL at the seventh. The product has no hook for this: what it calls is wrapped from outside.
With a number beyond the last moment it runs as ever.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import batchgen.cli
from batchgen.api import retry
from batchgen.dataset import folder
from batchgen.dataset.exports import huggingface, shards
from batchgen.dataset.exports.packed import Packed
from batchgen.dataset.files import placing
from batchgen.dataset.rows.manifest import Manifest
from batchgen.dataset.stores import members
from batchgen.dataset.stores.bucket import Bucket
from batchgen.dataset.stores.uploads import Uploads
from batchgen.dataset.views import card
from batchgen.ledger.writer import Writer
from batchgen.run import making
from batchgen.run.uncertain import settle
from batchgen.run.writing import packing, reports


class Fuse:
    """Counts moments and kills the process at one of them."""

    def __init__(self, point: int) -> None:
        """Die at the moment number *point*, from 1."""
        self._left = point
        self._lock = threading.Lock()

    def moment(self) -> None:
        """One of the moments has come."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """*function* with a moment before it and one after it."""

        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.moment()
            result = function(*args, **kwargs)
            self.moment()
            return result

        return wrapped


def lay_on_uploads(fuse: Fuse) -> None:
    """Wrap the steps of what goes to a bucket."""
    uploading = Bucket.upload

    async def upload(bucket: Bucket, *args: Any) -> int:
        fuse.moment()
        size = await uploading(bucket, *args)
        fuse.moment()
        return size

    setattr(Bucket, "upload", upload)  # noqa: B010  # as the others
    for owner, name in ((Bucket, "write"), (Uploads, "add"), (Uploads, "tell"), (Path, "unlink")):
        setattr(owner, name, fuse.around(getattr(owner, name)))


def lay(fuse: Fuse) -> None:
    """Wrap the durable steps, wherever they are called from."""
    places: dict[str, tuple[object, ...]] = {
        "_commit": (Writer,),
        "append": (Manifest,),
        "name": (placing._Folders,),  # the final name of an image
        "replace": (Path,),  # of a small file
        "write_whole": (folder, making, reports, huggingface, card, members, shards),
        "_remove": (Packed,),  # of what a new shard stands for
        "append_lines": (folder, settle),  # the evidence of a decision
    }
    for name, owners in places.items():
        wrapped = fuse.around(getattr(owners[0], name))
        for owner in owners:
            setattr(owner, name, wrapped)


def main() -> None:
    """Read the point, lay the fuse, and run the command."""
    point, dashes, *rest = sys.argv[1:]
    assert dashes == "--"
    retry.BACKOFF_BASE, settle.BETWEEN_READINGS, packing.LOOK = 0.001, 0.01, 0.01
    fuse = Fuse(int(point))
    lay(fuse)
    lay_on_uploads(fuse)
    sys.argv = ["batchgen", *rest]
    batchgen.cli.main()


if __name__ == "__main__":
    main()
