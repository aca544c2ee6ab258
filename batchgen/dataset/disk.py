"""What a disk is, and how much room it has."""

import shutil
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
_NETWORK = ("nfs", "cifs", "smb", "afs", "ceph", "gluster", "lustre", "fuse.sshfs", "9p", "beegfs")


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


def free_bytes(folder: Path) -> int:
    """What the disk that *folder* is on, or will be on, has free for us."""
    return shutil.disk_usage(existing(folder)).free


def existing(folder: Path) -> Path:
    """The *folder* itself, or the nearest above it that is there."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.is_dir())
