"""A place in an object store: ``s3://bucket/prefix``, ``gs://…``, ``az://container/prefix``.

Who may use it, and at which address, is read from the environment as obstore documents it. What
the store answers is put into words of our own: its messages quote addresses, and those may be
signed.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchgen.errors import StorageError, UsageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az")
_URL = re.compile(r"(s3|gs|az)://([A-Za-z0-9][A-Za-z0-9._-]{1,220})(?:/(.*))?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_ODD = re.compile(r"[\x00-\x1f\x7f?#*\\]")
# The six tries take about ten seconds of waiting; a store that is away for longer is met again at
# the next checkpoint, or by the next run.
_RETRIES = {
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {
        "init_backoff": timedelta(milliseconds=200),
        "max_backoff": timedelta(seconds=5),
        "base": 2,
    },
}
_SMALL = 100_000  # bytes of what is written on a condition
# A part of 5 MB may take as long as this.
_CLIENT = {"timeout": timedelta(seconds=120), "connect_timeout": timedelta(seconds=10)}


def is_url(place: object) -> bool:
    """Whether *place* is written as an address, and not as a path."""
    return isinstance(place, str) and bool(_SCHEME.match(place))


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a dataset is in an object store."""

    scheme: str
    bucket: str
    """Or the container, as Azure says."""
    prefix: str

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Raises UsageError for what is no such address."""
        found = _URL.fullmatch(url)
        prefix = (found[3] or "").rstrip("/") if found else ""
        segments = prefix.split("/") if prefix else []
        if not found or _ODD.search(prefix) or {"", ".", ".."} & set(segments):
            shown = re.sub("//.*@", "//…@", url.partition("?")[0])  # what may be a secret is not
            raise UsageError(
                "expected s3://bucket/prefix, gs://bucket/prefix or az://container/prefix, "
                f"got {shown!r}"
            )
        return cls(scheme=found[1], bucket=found[2], prefix=prefix)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    @property
    def slug(self) -> str:
        """A name for a folder of this place, and of no other."""
        words = re.sub(r"[^A-Za-z0-9._-]+", "-", str(self))[:80].strip("-.")
        return f"{words}-{hashlib.sha256(str(self).encode()).hexdigest()[:8]}"


@dataclass(frozen=True, kw_only=True)
class Object:
    """What a listing tells of an object."""

    name: str
    """Relative to the prefix."""
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Content:
    """The bytes of an object, and the version to which a conditional write refers."""

    data: bytes
    version: Mapping[str, str]


class TakenError(StorageError):
    """Somebody else has written the object meanwhile."""


@dataclass(frozen=True)
class Bucket:
    """The objects below an address; names are relative to it. All calls raise StorageError."""

    address: Address
    store: "ObjectStore" = field(repr=False)

    @classmethod
    def open(cls, url: str) -> "Bucket":
        """The place *url*; nothing is sent yet.

        Raises UsageError when obstore is not installed, or needs more from the environment.
        """
        address = Address.parse(url)
        try:
            from obstore.exceptions import BaseError
            from obstore.store import from_url
        except ImportError:
            raise UsageError(
                f"{address.scheme}:// needs obstore; run pip install 'batchgen[cloud]'"
            ) from None
        # S3 compares the bytes with their checksum before it keeps them.
        more = {"checksum_algorithm": "SHA256"} if address.scheme == "s3" else {}
        try:
            make: Any = from_url  # it has a form for each scheme
            options = {**_CLIENT, "allow_http": _plain_http(address.scheme)}
            store = make(str(address), retry_config=_RETRIES, client_options=options, **more)
        except (BaseError, ValueError) as error:
            raise UsageError(f"cannot use {address}: {_reason(error)}") from None
        return cls(address, store)

    def read(self, name: str) -> bytes | None:
        """The bytes of *name*; None when it is not there."""
        import obstore

        with self._telling("read", name):
            try:
                return bytes(obstore.get(self.store, name).bytes())
            except FileNotFoundError:
                return None

    def look(self, name: str) -> Content | None:
        """The content of the small object *name* with its version; None when it is not there."""
        import obstore

        with self._telling("read", name):
            try:
                got = obstore.get(self.store, name)
            except FileNotFoundError as error:
                if _code(error) in {"NoSuchBucket", "ContainerNotFound"}:
                    raise
                return None
            if got.meta["size"] > _SMALL:
                raise StorageError(f"{self.address}/{name} is larger than batchgen writes it")
            return Content(data=bytes(got.bytes()), version=_version(got.meta))

    def size(self, name: str) -> int | None:
        """How many bytes *name* has; None when it is not there."""
        import obstore

        with self._telling("read", name):
            try:
                return int(obstore.head(self.store, name)["size"])
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes, *, over: Content | None) -> Content:
        """Write a small object whose content was *over*; one that was not there, with None.

        Raises TakenError when that is so no more. A write whose answer was lost is found again.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if over is None else dict(over.version)
        with self._telling("write", name):
            try:
                put = obstore.put(self.store, name, data, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                there = self.look(name)
                if there is None or there.data != data:
                    raise TakenError(f"another run has written {self.address}/{name}") from None
                return there
        return Content(data=data, version=_version(put))

    def download(self, name: str, path: Path) -> bool:
        """Write the bytes of *name* to the new file *path*; False when it is not there."""
        import obstore

        with self._telling("read", name):
            try:
                got = obstore.get(self.store, name)
            except FileNotFoundError:
                return False
            with path.open("wb") as file:
                for chunk in got.stream():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        return True

    async def upload(self, name: str, source: Path | bytes, media_type: str) -> int:
        """Put *source* at *name*, over what is there; returns the size that the store tells."""
        import obstore

        with self._telling("write", name):
            await obstore.put_async(
                self.store, name, source, attributes={"Content-Type": media_type}
            )
            return int((await obstore.head_async(self.store, name))["size"])

    def delete(self, name: str) -> None:
        """Delete *name*, if it is there."""
        import obstore

        with self._telling("delete", name):
            try:
                obstore.delete(self.store, name)
            except FileNotFoundError:
                return

    def list(self) -> Iterator[Object]:
        """All objects, a thousand in memory at a time."""
        import obstore

        with self._telling("list", ""):
            for objects in obstore.list(self.store, chunk_size=1000):
                for found in objects:
                    yield Object(name=found["path"], bytes=int(found["size"]))

    @contextmanager
    def _telling(self, doing: str, name: str) -> Iterator[None]:
        """Put what obstore raises into a sentence."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            place = f"{self.address}/{name}" if name else str(self.address)
            raise StorageError(f"cannot {doing} {place}: {_reason(error)}") from None


def _plain_http(scheme: str) -> bool:
    """As obstore reads it, which looks no more when it is given options; gs:// allows it always."""
    told = {"s3": "AWS_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}.get(scheme)
    return told is None or os.environ.get(told, "").lower() in {"1", "true"}


def _version(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: found[name] for name in ("e_tag", "version") if found.get(name) is not None}


def _code(error: Exception) -> str:
    found = re.search(r"<Code>([A-Za-z]{1,60})</Code>", str(error))
    return found[1] if found else ""


_SAYINGS = (
    (r"NoSuchBucket|ContainerNotFound", "there is no such bucket"),
    (r"status code: 40[13]", "it is not allowed; credentials come from the environment"),
    (r"Account must be specified", "AZURE_STORAGE_ACCOUNT_NAME is not set"),
    (r"error sending request", "the store does not answer"),
    (
        r"builder error",
        "its address is plain http; AWS_ALLOW_HTTP=true allows that, for an emulator",
    ),
)


def _reason(error: Exception) -> str:
    """What went wrong, without a word that was sent: addresses may hold a signature."""
    text = str(error)
    status = re.search(r"status code: (\d{3})", text)
    told = [f"the store answered {status[1]}"] if status else []
    told += [_code(error)] if _code(error) else []
    known = next((words for found, words in _SAYINGS if re.search(found, text)), "")
    if isinstance(error, OSError) and error.strerror:
        known = error.strerror
    return ", ".join(filter(None, (known, *told))) or type(error).__name__
