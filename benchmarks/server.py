"""A stand-in for the service that is quicker than its clients: ``python -m benchmarks.server``.

It speaks as much of the v3 API as clients use, on loopback only, and prints its address when it is
ready. ``/__stats`` tells what it counted, ``/__reset`` forgets it and changes settings.
"""

import argparse
import asyncio
import gc
import json
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from email.utils import formatdate
from importlib.util import find_spec

from benchmarks.counting import Counters
from benchmarks.making import Making, Prediction, Settings
from benchmarks.picture import ID_DIGITS, naming_chunk, png_frame
from benchmarks.protocol import Answer, Connection

Route = Callable[[bytes, bytes], Answer]
MODEL = "wavespeed-ai/imagen4"
_POLL = b"GET /api/v3/predictions/"
_IMAGE = b"GET /out/"
_TAIL = b"5eed" * 6  # makes an id of a number of eight digits as long as a real one
_KEY = re.compile(rb"\r\nauthorization: *bearer [^\r\n]", re.IGNORECASE)
_QUEUED = 0.1  # the share of its latency that a prediction is called "created"


class StandIn:
    """The service: a request in, an answer out, at once."""

    def __init__(self, settings: Settings) -> None:
        """Begin with nothing counted. Raises ValueError for settings that cannot be."""
        self.base = b""
        self._date = (0, b"")
        guarded = self._guarded
        # In the order of how often they are asked for.
        self._routes: dict[bytes, Route] = {
            _IMAGE: self._image,
            _POLL: guarded(self._poll),
            f"POST /api/v3/{MODEL} ".encode(): guarded(self._submit),
            b"POST /api/v3/predictions ": guarded(self._history),
            b"GET /api/v3/balance ": guarded(lambda _, __: self._json(200, {"balance": 1000.0})),
            b"GET /__stats ": lambda _, __: self._plain(200, json.dumps(self._stats()).encode()),
            b"POST /__reset ": self._changed,
        }
        self.reset(settings)

    def reset(self, settings: Settings) -> None:
        """Forget everything and behave by *settings*. Raises ValueError."""
        before, after = png_frame(settings.size)
        making = Making(settings)
        self.settings = settings
        self._before, self._after = before, after
        self._making = making
        self._bodies: set[bytes] = set()
        self._counters = Counters()
        self._cpu = time.process_time()

    def delay(self) -> float:
        """Seconds by which answers are late."""
        return self.settings.rtt

    def answer(self, head: bytes, body: bytes) -> Answer:
        """The answer to a request of that *head*, first line included, and *body*."""
        for start, route in self._routes.items():
            if head.startswith(start):
                return route(head, body)
        return self._unknown()

    def _guarded(self, route: Route) -> Route:
        """*route* for those who show a key, whatever key it is."""

        def answer(head: bytes, body: bytes) -> Answer:
            if _KEY.search(head):
                return route(head, body)
            self._counters.unknown += 1
            return self._json(401, None)

        return answer

    def _submit(self, _: bytes, body: bytes) -> Answer:
        now = time.monotonic()
        counters = self._counters
        counters.first_submit = counters.first_submit or now
        created = datetime.now(UTC).isoformat(timespec="milliseconds").encode()
        number = len(self._making.predictions)
        made = self._making.accept(now, created)
        if made is None:
            counters.refused += 1
            return self._json(429, None)
        counters.submits += 1
        counters.duplicate_submits += body in self._bodies
        self._bodies.add(body)
        return self._plain(200, self._told(number, made, b"created"))

    def _poll(self, head: bytes, _: bytes) -> Answer:
        found = self._find(head, len(_POLL))
        if not found:
            return self._unknown()
        number, made = found
        now = time.monotonic()
        counters = self._counters
        counters.polls += 1
        if made.polled and not made.seen:
            counters.polled_again(now - made.polled)
        made.polled = now
        if now >= made.ends:
            if not made.seen:
                made.seen = True
                counters.lags.append(now - made.ends)
            return self._plain(200, self._told(number, made, b"completed"))
        waiting = now < made.started + _QUEUED * (made.ends - made.started)
        return self._plain(200, self._told(number, made, b"created" if waiting else b"processing"))

    def _image(self, head: bytes, _: bytes) -> Answer:
        found = self._find(head, len(_IMAGE))
        if not found or time.monotonic() < found[1].ends:
            return self._unknown()
        number, made = found
        counters = self._counters
        counters.keys_on_images += b"uthorization:" in head
        counters.duplicate_downloads += made.downloads > 0
        made.downloads += 1
        counters.downloads += 1
        counters.bytes += self.settings.size
        counters.last_download = time.monotonic()
        top = (
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nDate: %s\r\nContent-Length: %d\r\n\r\n"
            % (self._now(), self.settings.size)
        )
        # The large part is one object for all answers, so none of it is copied here.
        return top + self._before + naming_chunk(_name(number)), self._after

    def _history(self, _: bytes, body: bytes) -> Answer:
        self._counters.histories += 1
        asked = json.loads(body or b"{}")
        size = min(100, int(asked.get("page_size", 100)))
        made = self._making.predictions
        first = len(made) - 1 - size * (int(asked.get("page", 1)) - 1)
        items = [
            {
                "id": _name(number).decode(),
                "model": MODEL,
                "status": "completed" if time.monotonic() >= made[number].ends else "processing",
                "created_at": made[number].created_at.decode(),
            }
            for number in range(first, max(-1, first - size), -1)
        ]
        return self._json(200, {"items": items, "total": len(made)})

    def _find(self, head: bytes, at: int) -> tuple[int, Prediction] | None:
        name = head[at : at + ID_DIGITS]
        made = self._making.predictions
        try:
            number = int(name[:8], 16)
            return (number, made[number]) if name[8:] == _TAIL else None
        except (ValueError, IndexError):
            return None

    def _told(self, number: int, made: Prediction, status: bytes) -> bytes:
        name, base = _name(number), self.base
        ended = status == b"completed"
        outputs = b'"%s/out/%s.png"' % (base, name) if ended else b""
        return (
            b'{"code":200,"message":"success","data":{"id":"%s","model":"%s","outputs":[%s],'
            b'"urls":{"get":"%s/api/v3/predictions/%s/result"},"has_nsfw_contents":[%s],'
            b'"status":"%s","created_at":"%s","error":"","timings":{"inference":%d}}}'
        ) % (
            name, MODEL.encode(), outputs, base, name, b"false" if ended else b"", status,
            made.created_at, (made.ends - made.started) * 1000 if ended else 0,
        )  # fmt: skip

    def _changed(self, _: bytes, body: bytes) -> Answer:
        try:
            self.reset(self.settings.changed(json.loads(body or b"{}")))
        except (TypeError, ValueError) as error:
            return self._plain(400, json.dumps({"error": str(error)}).encode())
        return self._plain(200, json.dumps(asdict(self.settings)).encode())

    def _stats(self) -> dict[str, float | None]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            **self._counters.as_json(),
            "most_in_the_making": self._making.most,
            "most_in_a_window": self._making.busiest(),
            "server_cpu_s": time.process_time() - self._cpu,
            "server_peak_mb": usage.ru_maxrss / 1024,
        }

    def _unknown(self) -> Answer:
        self._counters.unknown += 1
        return self._json(404, None)

    def _json(self, status: int, data: object) -> Answer:
        words = {200: "success", 429: "too many requests"}.get(status, "refused")
        return self._plain(
            status, json.dumps({"code": status, "message": words, "data": data}).encode()
        )

    def _plain(self, status: int, body: bytes) -> Answer:
        return (
            b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nDate: %s\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (status, self._now(), len(body), body),
        )

    def _now(self) -> bytes:
        second = int(time.time())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return self._date[1]


def _name(number: int) -> bytes:
    return b"%08x%s" % (number, _TAIL)


async def serve(service: StandIn, *, join: bool) -> None:
    """Serve on a free port of 127.0.0.1 until whoever started this closes our standard input."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(service.answer, service.delay, join=join), "127.0.0.1", 0, backlog=4096
    )
    service.base = b"http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
    print(service.base.decode(), flush=True)
    try:
        await loop.run_in_executor(None, sys.stdin.buffer.read)
    finally:
        server.close()


def main() -> None:
    """Run the service with the settings on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in asdict(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    service = StandIn(Settings(**vars(parser.parse_args())))
    # Records are kept to the end of a run; looking through them often finds nothing.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    if find_spec("uvloop"):
        import uvloop

        uvloop.run(serve(service, join=True))
    else:
        # Without it, the loop of Python 3.11 would join the parts by copying them.
        asyncio.run(serve(service, join=sys.version_info >= (3, 12)))


if __name__ == "__main__":
    main()
