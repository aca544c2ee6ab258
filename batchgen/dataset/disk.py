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
    """What the disk of *folder* has free for us. Raises OSError when there is no such folder."""
    return shutil.disk_usage(folder).free
