"""The dataset folder: what is where in it, and writing its small files whole."""

import errno
import json
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from batchgen.errors import StorageError, UsageError

_ENCODER = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True)
class DatasetFolder:
    """The paths of a dataset."""

    root: Path

    @property
    def manifest_jsonl(self) -> Path:
        """One JSON object per image."""
        return self.root / "manifest.jsonl"

    @property
    def manifest_csv(self) -> Path:
        """The same rows as a table."""
        return self.root / "manifest.csv"

    @property
    def metadata(self) -> Path:
        """The images as Hugging Face reads them."""
        return self.root / "metadata.jsonl"

    @property
    def card(self) -> Path:
        """What the dataset is, for people and for Hugging Face."""
        return self.root / "README.md"

    @property
    def failures(self) -> Path:
        """One JSON object per variant that has not all its images and is not simply still to do."""
        return self.root / "failures.jsonl"

    @property
    def summary(self) -> Path:
        """The last run."""
        return self.root / "summary.json"

    @property
    def state(self) -> Path:
        """What batchgen keeps for itself; only the owner may look inside."""
        return self.root / ".batchgen"

    @property
    def ledger(self) -> Path:
        """The durable record of every variant."""
        return self.state / "ledger.sqlite3"

    @property
    def ledgers(self) -> Path:
        """The records of a dataset that is made in shards: a ledger for every part."""
        return self.state / "ledgers"

    @property
    def lock(self) -> Path:
        """Held by the run that owns the dataset; shared by runs that each own some parts."""
        return self.state / "lock"

    @property
    def job(self) -> Path:
        """The job as it was resolved for the last run."""
        return self.state / "job.yaml"

    @property
    def log(self) -> Path:
        """What the runs had to say, for people."""
        return self.state / "run.log"

    @property
    def decisions(self) -> Path:
        """What became of uncertain submits, and the evidence."""
        return self.state / "reconcile.jsonl"

    @property
    def runs(self) -> Path:
        """When each run began, and how it ended."""
        return self.state / "runs.jsonl"

    @property
    def last_success(self) -> Path:
        """When a run last ended with every image saved, for monitoring to read."""
        return self.root / "last-success"

    @property
    def latencies(self) -> Path:
        """How long predictions took, which tells when to ask for the next ones."""
        return self.state / "latency.json"

    @property
    def quarantine(self) -> Path:
        """What was found damaged and moved out of the way; nothing is deleted."""
        return self.state / "quarantine"

    @property
    def images(self) -> Path:
        """The images, under their final names."""
        return self.root / "images"

    @property
    def tops(self) -> tuple[Path, ...]:
        """The folders that images come into: the usual one, flagged ones, those to be deleted."""
        return self.images, self.root / "nsfw", self.root / "dropped"

    @property
    def shards(self) -> Path:
        """Where images are packed into shards, if the job wants that."""
        return self.root / "shards"

    @property
    def parts(self) -> Path:
        """Downloads that are not whole yet."""
        return self.state / "parts"

    @property
    def local_service(self) -> Path:
        """What the embedded local service accepted, so that it survives with the dataset."""
        return self.state / "local-service.jsonl"

    def prepare(self) -> None:
        """Make the folder, durable and not to be written by everybody.

        Raises StorageError when it cannot be written or a link would lead the writing elsewhere,
        UsageError when something else is there or everybody may write to it.
        """
        try:
            _make_folder(self.root, 0o775)
            if self.root.stat().st_mode & 0o002:
                raise UsageError(
                    f"everybody on this computer may write to {self.root}; "
                    f"run chmod o-w {self.root}, or give a new folder inside it as --out"
                )
            for folder in (self.state, self.parts):
                _make_folder(folder, 0o700)
                refuse_odd(folder, folder=True)
            self._refuse_links()
            self.state.chmod(0o700)
        except (FileExistsError, NotADirectoryError) as error:
            raise UsageError(
                f"expected a folder at {error.filename}, got a file; give another --out"
            ) from None
        except OSError as error:
            raise storage_error(error, self.root) from None

    def _refuse_links(self) -> None:
        """Only the dataset folder itself may be a link: what is below it is written in place."""
        ledger = (self.ledger.with_name(self.ledger.name + end) for end in ("", "-wal", "-shm"))
        files = (self.manifest_jsonl, self.manifest_csv, self.failures, self.summary, self.lock)
        private = (self.job, self.log, self.decisions, self.local_service, self.runs)
        for path in (*files, self.last_success, *private, *ledger):
            refuse_odd(path)
        for top in (self.quarantine, self.shards, *self.tops):
            refuse_odd(top, folder=True)
            for above, folders, _ in os.walk(top):
                for name in folders:
                    refuse_odd(Path(above, name), folder=True)


def _make_folder(path: Path, mode: int) -> None:
    """Make the folder *path* and those above it where they are missing, and their names durable."""
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    except FileNotFoundError:
        if path.parent == path:
            raise
        _make_folder(path.parent, mode)
        with suppress(FileExistsError):  # another shard may have made it meanwhile
            path.mkdir(mode)
    sync_folder(path.parent)


def refuse_odd(path: Path, *, folder: bool = False) -> None:
    """Raise StorageError when there is something at *path* but no file (or *folder*) of its own.

    A link would lead what is written to another place, a pipe or a device would swallow it.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    wanted = stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode)
    if not wanted:
        kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFREG: "a file"}
        got = kinds.get(stat.S_IFMT(mode), "a pipe or a device")
        expected = "a folder" if folder else "a file"
        raise StorageError(
            f"cannot use {path}: expected {expected} of its own there, got {got}; move it away"
        )


NEW = os.O_WRONLY | os.O_CREAT


def open_own(path: Path, flags: int, mode: str) -> IO[str]:
    """Open the text file at *path* with these *flags* of ``os.open``.

    Never a link, a pipe or a device, at which nothing is waited for. Raises OSError.
    """
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o664)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a file of its own", str(path))
    return os.fdopen(descriptor, mode, encoding="utf-8", newline="")


def write_whole(path: Path, texts: Iterable[str]) -> None:
    """Write a file so that a reader finds the old one or the new one, never a half.

    Raises StorageError.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)  # of a run that was killed
        with open_own(temporary, NEW | os.O_EXCL, "w") as file:
            file.writelines(texts)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def append_lines(path: Path, *rows: Mapping[str, object]) -> None:
    """Add *rows* as durable lines of JSON to a file that is only added to. Raises StorageError."""
    try:
        new = not path.exists()
        with open_own(path, NEW | os.O_APPEND, "a") as file:
            file.writelines(map(json_line, rows))
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from None


def quarantine(folder: DatasetFolder, path: Path) -> None:
    """Move the file at *path* out of the way, if there is one. Raises StorageError."""
    if not os.path.lexists(path):
        return
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    try:
        folder.quarantine.mkdir(mode=0o700, exist_ok=True)
        refuse_odd(folder.quarantine, folder=True)
        path.rename(folder.quarantine / f"{stamp}_{path.name}")
    except OSError as error:
        raise storage_error(error, folder.quarantine) from None


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(error: OSError, path: Path) -> StorageError:
    """*error*, met while writing *path*, as one sentence."""
    return StorageError(f"cannot write {path}: {error.strerror or error}")


def json_line(row: Mapping[str, object]) -> str:
    """*row* as one line of JSON, its newline included.

    U+0085, U+2028 and U+2029 are escaped: readers that split lines the way ``str.splitlines``
    does would cut a prompt that holds one of them in two.
    """
    text = _ENCODER.encode(row)
    if not text.isascii():
        for character in "\u0085\u2028\u2029":
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text + "\n"
