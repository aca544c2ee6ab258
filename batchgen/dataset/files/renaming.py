"""Giving a file a name that nothing else has, in one step where the system has one for it."""

import ctypes
import errno
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

# Of Linux: linux/fcntl.h and linux/fs.h.
_HERE = -100
_NO_REPLACE = 1
# What is said where the kernel, or the file system, has no such step.
_LACKING = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


def rename_new(file: Path, name: str, folder: int) -> bool:
    """Give *file* the *name* in *folder* (a descriptor); False, and nothing done, when it is taken.

    On Linux not even another process can take it in between. Elsewhere, and on file systems that
    cannot do that (NFS), it is looked at first. Raises OSError.
    """
    if step := _step():
        if step(_HERE, os.fsencode(file), folder, os.fsencode(name), _NO_REPLACE) == 0:
            return True
        error = ctypes.get_errno()
        if error == errno.EEXIST:
            return False
        if error not in _LACKING:
            raise OSError(error, os.strerror(error), str(file))
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.replace(file, name, dst_dir_fd=folder)
        return True
    return False


@cache
def _step() -> Callable[..., int] | None:
    """``renameat2`` of the C library; None where it has none."""
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
