"""The dataset folder: what is where in it, and writing its small files whole."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from batchgen.errors import StorageError, UsageError

MOUNTS = Path("/proc/self/mounts")
_NETWORK = ("nfs", "cifs", "smb", "afs", "ceph", "gluster", "lustre", "fuse.sshfs", "9p", "beegfs")


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
    def lock(self) -> Path:
        """Held by the run that owns the dataset."""
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
    def quarantine(self) -> Path:
        """What was found damaged and moved out of the way; nothing is deleted."""
        return self.state / "quarantine"

    @property
    def parts(self) -> Path:
        """Downloads that are not whole yet."""
        return self.state / "parts"

    @property
    def local_service(self) -> Path:
        """What the embedded local service accepted, so that it survives with the dataset."""
        return self.state / "local-service.jsonl"

    def prepare(self) -> None:
        """Make the folder.

        Raises StorageError when it cannot be written, UsageError when something else is there.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.state.mkdir(mode=0o700, exist_ok=True)
            self.parts.mkdir(mode=0o700, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise UsageError(
                f"expected a folder at {error.filename}, got a file; give another --out"
            ) from None
        except OSError as error:
            raise storage_error(error, self.root) from None

    def clear_parts(self) -> None:
        """Throw away downloads that an earlier run left unfinished; only the owner may do so."""
        try:
            for part in self.parts.iterdir():
                part.unlink()
        except OSError as error:
            raise storage_error(error, self.parts) from None


def write_whole(path: Path, texts: Iterable[str]) -> None:
    """Write a file so that a reader finds the old one or the new one, never a half.

    Raises StorageError.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
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


def network_file_system(path: Path) -> str | None:
    """The kind of network file system that *path* is on, or None when it is a local one.

    Locks and the ledger's log cannot be trusted there. Known from Linux's list of mounts only.
    """
    try:
        mounts = MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    kinds = {line.split()[1]: line.split()[2] for line in mounts if len(line.split()) > 2}
    for folder in (path.resolve(), *path.resolve().parents):
        kind = kinds.get(str(folder).replace(" ", "\\040"))
        if kind is not None:
            return kind if kind.startswith(_NETWORK) else None
    return None


def append_line(path: Path, row: Mapping[str, object]) -> None:
    """Add one line of JSON to a file that is only ever added to. Raises StorageError."""
    try:
        with path.open("a", encoding="utf-8", newline="") as file:
            file.write(json_line(row))
    except OSError as error:
        raise storage_error(error, path) from None


def quarantine(folder: DatasetFolder, path: Path) -> None:
    """Move the file at *path* out of the way, if there is one. Raises StorageError."""
    if not path.exists():
        return
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    try:
        folder.quarantine.mkdir(mode=0o700, exist_ok=True)
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
    text = json.dumps(row, ensure_ascii=False, separators=(", ", ": "))
    if not text.isascii():
        for character in "\u0085\u2028\u2029":
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text + "\n"
