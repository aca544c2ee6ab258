"""Whether shards are what was written, and making their list and indexes anew if not."""

import hashlib
import re
from contextlib import suppress
from pathlib import Path

from batchgen.dataset.exports.packed import REST
from batchgen.dataset.exports.shards import Limits
from batchgen.dataset.folder import DatasetFolder, storage_error
from batchgen.dataset.stores.members import (
    ENDINGS,
    Listing,
    Shard,
    contents,
    index_of,
    is_own,
    read_listing,
    scanned,
    write_listing,
)
from batchgen.errors import StorageError


def damaged_shards(folder: DatasetFolder) -> list[str]:
    """The listed shards of *folder* that are not what was written. Raises StorageError."""
    found = []
    listing = read_listing(folder)
    for shard in listing.shards if listing else ():
        try:
            path = folder.shards / shard.file
            sound = is_own(path) and _sha256(path) == shard.sha256
        except FileNotFoundError:
            sound = False
        except OSError as error:
            raise StorageError(f"cannot read {shard.file}: {error.strerror}") from None
        if not sound:
            found.append(shard.file)
    return found


def mend_listing(folder: DatasetFolder) -> None:
    """Make the list anew, when it is damaged or gone, from the shards that are there.

    The next run takes them for those of an earlier plan. Raises StorageError.
    """
    with suppress(StorageError):
        read_listing(folder)
        return
    shards = []
    name = ""
    for path in sorted(folder.shards.iterdir()):
        found = next((name for name, end in ENDINGS.items() if path.name.endswith(end)), "")
        if found and is_own(path) and not path.name.startswith("."):
            name, number = found, re.search(r"-(\d{6,})-", path.name)
            shards.append(
                Shard(
                    file=path.name,
                    batch=int(number[1]) if number else REST,
                    images=len(contents(path)),
                    bytes=path.stat().st_size,
                    sha256=_sha256(path),
                    shape="",
                    done=False,
                )
            )
    first = 1 + max((shard.batch for shard in shards), default=REST)
    usual = Limits()
    listing = Listing(
        format=name or next(iter(ENDINGS)),
        images=usual.images,
        bytes=usual.bytes,
        first=first,
        shards=tuple(shards),
    )
    write_listing(folder, listing)


def mend_indexes(folder: DatasetFolder) -> None:
    """Remove each index that says of a sound shard what the shard itself does not say.

    The images are found without it. Raises StorageError.
    """
    damaged, listing = damaged_shards(folder), read_listing(folder)
    for shard in listing.shards if listing else ():
        path = folder.shards / shard.file
        found = [] if shard.file in damaged else scanned(path)
        if found and found != contents(path):
            try:
                index_of(path).unlink(missing_ok=True)
            except OSError as error:
                raise storage_error(error, index_of(path)) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
