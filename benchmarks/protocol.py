"""HTTP/1.1 on an asyncio connection, by hand: keep-alive, pipelining, bodies with a length.

Only as much of it as HTTP clients send to an API, for the sake of speed.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

Answer = Sequence[bytes]
"""The parts of a whole answer, head first."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,7})\r\n", re.IGNORECASE)
_MOST = 1 << 20  # bytes of a request


class Connection(asyncio.Protocol):
    """One connection: every request is answered at once, or all of them *delay* seconds later."""

    def __init__(
        self, answer: Callable[[bytes, bytes], Answer], delay: Callable[[], float], *, join: bool
    ) -> None:
        """Answer by ``answer(head, body)``; *join* hands all parts to the transport in one call."""
        self._answer = answer
        self._delay = delay
        self._join = join
        self._held = b""
        self._later: deque[Answer] = deque()
        self._transport: asyncio.Transport | None = None
        self._last = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        # What uvloop hands over is one without inheriting from it.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's own name
        """Forget what was to be sent."""
        self._transport = None
        self._later.clear()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole by now, in order."""
        held = self._held + data if self._held else data
        at = 0
        while not self._last and (end := held.find(b"\r\n\r\n", at)) >= 0:
            stop = end + 4
            if not held.startswith(b"GET ", at):
                length = _LENGTH.search(held, at, stop)
                stop += int(length[1]) if length else 0
                if stop > len(held):
                    break
            head = held[at : end + 2]
            self._last = b"onnection: close\r\n" in head
            self._reply(self._answer(head, held[end + 4 : stop]))
            at = stop
        self._held = held[at:]
        if len(self._held) > _MOST and self._transport:
            self._transport.abort()

    def _reply(self, answer: Answer) -> None:
        if delay := self._delay():
            self._later.append(answer)
            asyncio.get_running_loop().call_later(delay, self._send_next)
        else:
            self._send(answer)

    def _send_next(self) -> None:
        if self._later:
            self._send(self._later.popleft())

    def _send(self, answer: Answer) -> None:
        if not self._transport:
            return
        if self._join:
            self._transport.writelines(answer)
        else:
            for part in answer:
                self._transport.write(part)
        if self._last and not self._later:
            self._transport.close()
