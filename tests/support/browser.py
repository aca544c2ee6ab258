"""A real Chromium without a window, driven through its own debugging protocol."""

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--no-sandbox",  # root has none; the pages are our own files
    "--remote-debugging-port=0",
)  # fmt: skip


@dataclass
class Page:
    """One tab: what it is told, and what it has said and asked for since it was opened."""

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    """Errors, warnings and whatever the policy of the page forbade."""
    requests: list[str] = field(default_factory=list)
    """Every address it has asked for."""
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)

    async def listen(self) -> None:
        """Take what comes, until cancelled."""
        async for message in self.socket:
            said = json.loads(message.data)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            else:
                self._note(said["method"], said["params"])

    def _note(self, method: str, params: Any) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(params["args"]))

    async def tell(self, method: str, **params: Any) -> Any:
        """Send a command of the protocol and wait for its answer."""
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_json({"id": number, "method": method, "params": params})
        answer = await asyncio.wait_for(future, 60)
        assert "error" not in answer, answer
        return answer["result"]

    async def open(self, address: str) -> float:
        """Load a page; returns after how many seconds it and its first pictures were there."""
        started = time.monotonic()
        await self.tell("Page.navigate", url=address)
        await self.until("document.readyState === 'complete'")
        return time.monotonic() - started

    async def value(self, script: str) -> Any:
        """What an expression is worth."""
        answer = await self.tell(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True,
            userGesture=True,
        )  # fmt: skip
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait, at the most 20 seconds, until an expression holds."""
        end = time.monotonic() + 20
        while not await self.value(f"Boolean({script})"):
            assert time.monotonic() < end, f"waited in vain for {script}; {self.complaints}"
            await asyncio.sleep(0.01)

    async def press(self, key: str, code: int = 0) -> None:
        """Press and let go a key."""
        text = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            await self.tell(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text
            )

    async def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the window a size and the reader a taste."""
        await self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=width < 600,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.tell("Emulation.setEmulatedMedia", features=features)

    async def screenshot(self, path: Path) -> None:
        """Keep what can be seen as a PNG."""
        shot = await self.tell("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    """A browser with one empty page; it ends with the block."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        command = [CHROMIUM, *_FLAGS, f"--user-data-dir={home}", "about:blank"]
        nowhere = subprocess.DEVNULL
        process = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
        try:
            async with _connected(Path(home, "DevToolsActivePort"), process) as page:
                yield page
        finally:
            process.terminate()
            process.wait(20)


@asynccontextmanager
async def _connected(file: Path, process: subprocess.Popen[bytes]) -> AsyncIterator[Page]:
    async with aiohttp.ClientSession() as session:
        end = time.monotonic() + 30
        targets: list[Any] = []
        while not targets:
            assert process.poll() is None, "Chromium has ended"
            assert time.monotonic() < end, "Chromium did not start"
            await asyncio.sleep(0.02)
            if file.exists() and (port := file.read_text().partition("\n")[0]):
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    listed = await answer.json(content_type=None)
                targets = [target for target in listed if target["type"] == "page"]
        address = targets[0]["webSocketDebuggerUrl"]
        async with session.ws_connect(address, max_msg_size=0) as socket:
            page = Page(socket)
            listener = asyncio.create_task(page.listen())
            try:
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await page.tell(f"{domain}.enable")
                yield page
            finally:
                listener.cancel()
