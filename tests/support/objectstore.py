"""A small object store on loopback, in the dialects of S3 and of Google's XML API.

It keeps what it is sent, minds the conditions of conditional writes, and goes wrong as it is told.
"""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.support.listening import serving

BUCKET = "pictures"
SECRET = "canary-secret-8d41"


@dataclass
class Held:
    """An object."""

    data: bytes
    generation: int
    media_type: str

    @property
    def tag(self) -> str:
        return f'"{hashlib.md5(self.data).hexdigest()}"'


@dataclass
class Store:
    """What is in the bucket, and how requests are to go wrong."""

    base: str = ""
    objects: dict[str, Held] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and name of each, in their order."""
    wrong: dict[str, int] = field(default_factory=dict)
    """What names contain, and the status that is answered to a write then."""
    hanging: str = ""
    """What names contain whose writes are not answered, as long as it is set."""
    generation: int = 0

    def names(self, prefix: str = "") -> list[str]:
        """Of the objects below *prefix*, in order."""
        return sorted(name for name in self.objects if name.startswith(prefix))

    def puts(self, within: str) -> list[str]:
        """The names that contain *within* and were written, as often as they were."""
        return [name for method, name in self.requests if method == "PUT" and within in name]

    def put(self, name: str, data: bytes) -> None:
        """Let somebody else have written *name*."""
        self.generation += 1
        self.objects[name] = Held(data, self.generation, "text/plain")

    @property
    def env(self) -> dict[str, str]:
        """Where it is and who may use it, for S3 and for Google."""
        return {
            "AWS_ENDPOINT_URL": self.base,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "canary-id-77",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "GOOGLE_BASE_URL": self.base,
            "GOOGLE_BEARER_TOKEN": SECRET,
        }


class _Handler(BaseHTTPRequestHandler):
    store: Store
    lock: threading.Lock
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        bucket, name, query = self._place()
        self.store.requests.append((self.command, name))
        if bucket != BUCKET:
            return self._fail(404, "NoSuchBucket")
        if not name:
            return self._list(query.get("prefix", [""])[0])
        held = self.store.objects.get(name)
        if held is None:
            return self._fail(404, "NoSuchKey")
        return self._answer(200, held.data, **self._told(held))

    def do_PUT(self) -> None:
        bucket, name, _ = self._place()
        data = self.rfile.read(int(self.headers["Content-Length"]))
        while self.store.hanging and self.store.hanging in name:
            time.sleep(0.02)
        with self.lock:
            self.store.requests.append(("PUT", name))
            status = next((s for part, s in self.store.wrong.items() if part in name), 0)
            if status:
                return self._fail(status, "AccessDenied" if status == 403 else "InternalError")
            if bucket != BUCKET:
                return self._fail(404, "NoSuchBucket")
            if not self._may_write(self.store.objects.get(name)):
                return self._fail(412, "PreconditionFailed")
            self.store.generation += 1
            media_type = self.headers.get("Content-Type", "")
            held = Held(data, self.store.generation, media_type)
            self.store.objects[name] = held
        return self._answer(200, b"", **self._told(held))

    def do_DELETE(self) -> None:
        _, name, _ = self._place()
        self.store.requests.append(("DELETE", name))
        self.store.objects.pop(name, None)
        self._answer(204, b"")

    def do_POST(self) -> None:
        """Delete several at once, as S3 has it."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        names = [part.partition("</Key>")[0] for part in body.split("<Key>")[1:]]
        for name in names:
            self.store.requests.append(("DELETE", name))
            self.store.objects.pop(name, None)
        told = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
        self._answer(200, f"<DeleteResult>{told}</DeleteResult>".encode())

    def _may_write(self, there: Held | None) -> bool:
        wanted = self.headers.get("x-goog-if-generation-match")
        if wanted is not None:
            return int(wanted) == (there.generation if there else 0)
        if self.headers.get("If-None-Match") == "*":
            return there is None
        tag = self.headers.get("If-Match")
        return tag is None or (there is not None and tag == there.tag)

    def _list(self, prefix: str) -> None:
        contents = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(self.store.objects[name].data)}</Size>"
            f"<ETag>{escape(self.store.objects[name].tag)}</ETag>"
            "<LastModified>2026-11-27T10:00:00.000Z</LastModified></Contents>"
            for name in self.store.names(prefix)
        )
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        self._answer(200, text.encode())

    def _place(self) -> tuple[str, str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        bucket, _, name = unquote(parts.path).lstrip("/").partition("/")
        return bucket, name, parse_qs(parts.query)

    def _told(self, held: Held) -> dict[str, str]:
        return {
            "ETag": held.tag,
            "x-goog-generation": str(held.generation),
            "Last-Modified": "Fri, 27 Nov 2026 10:00:00 GMT",
        }

    def _fail(self, status: int, code: str) -> None:
        # Some stores tell who asked; none of it may be shown.
        told = f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>"
        self._answer(status, told.encode())

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def object_store(store: Store | None = None) -> Iterator[Store]:
    """Serve *store* on a free port of this computer while the block lasts."""
    found = store or Store()
    own = {"store": found, "lock": threading.Lock()}
    with serving(type("Handler", (_Handler,), own)) as found.base:
        yield found
