"""The misbehaving service, as tests hold it."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.cli import ROOT
from tests.support.picture import canonical


class Counts:
    """What the service was asked so far."""

    def __init__(self, answer: dict[str, Any]) -> None:
        """Take the answer of ``/__counts``."""
        self.orders: list[dict[str, Any]] = answer.pop("orders")
        self.totals = answer

    def __getitem__(self, name: str) -> int:
        """A total: received, billed, polls, downloads, keys_on_images, histories, held_…"""
        return int(self.totals.get(name, 0))

    @property
    def requests(self) -> int:
        """Submits, polls and downloads."""
        return self["received"] + self["polls"] + self["downloads"]

    def by_prompt(self, name: str) -> dict[str, int]:
        """One count for each prompt."""
        return {order["request"]["prompt"]: order[name] for order in self.orders}

    def by_request(self, name: str) -> dict[str, int]:
        """One count for each body that was submitted."""
        return {canonical(order["request"]): order[name] for order in self.orders}

    @property
    def ids(self) -> set[str]:
        """The ids of all predictions."""
        return {prediction_id for order in self.orders for prediction_id in order["ids"]}


class Service:
    """A running service."""

    def __init__(self, base: str) -> None:
        """Remember where it is."""
        self.base = base

    def counts(self) -> Counts:
        """What it was asked so far."""
        return Counts(json.loads(self._call("GET", "/__counts")))

    def hold(self, **after: int) -> None:
        """Let so many of each phase pass: submit, poll, image wait; completion says processing."""
        self._call("POST", "/__hold", after)

    def release(self) -> None:
        """Let everything pass."""
        self._call("POST", "/__release")

    def account(self, **told: Any) -> None:
        """Tell the account like this from now on; :class:`tests.support.account.Told` says how."""
        self._call("POST", "/__account", told)

    def reset(self) -> None:
        """Forget everything."""
        self._call("POST", "/__reset")

    def _call(self, method: str, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: bytes = answer.read()
        return content


@contextmanager
def misbehaving_service() -> Iterator[Service]:
    """Run the service in a process of its own while the block lasts."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.misbehaving"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Service(f"http://127.0.0.1:{int(process.stdout.readline())}")
            process.stdin.close()
            process.wait(10)
        finally:
            process.kill()
