"""The official client, and the command, against the service."""

import asyncio
import contextlib
import signal
import sys
import urllib.request

import wavespeed

from batchgen.local import LocalSettings, local_service

INPUT = {"prompt": "a still life", "aspect_ratio": "4:3", "num_images": 2, "seed": 3}


def _use(base: str) -> list[bytes]:
    client = wavespeed.Client(api_key="x", base_url=base)
    ran = client.run("wavespeed-ai/imagen4", dict(INPUT), poll_interval=0.05)
    assert len(ran["outputs"]) == 2
    prediction_id = ran["outputs"][0].split("/")[-2]
    assert client.get_result(prediction_id)["data"]["outputs"] == ran["outputs"]
    found = []
    for url in ran["outputs"]:
        with urllib.request.urlopen(url, timeout=10) as answer:
            found.append(answer.read())
    assert all(body.startswith(b"\x89PNG") for body in found)
    return found


async def test_the_official_client_runs_and_downloads():
    async with local_service(LocalSettings(latency=(0, 0))) as base:
        await asyncio.to_thread(_use, base)
    await asyncio.get_running_loop().shutdown_default_executor()


async def test_serve_runs_until_it_is_stopped(tmp_path):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "batchgen", "serve", "--port", "0", "--latency", "0"),
        *("--state", str(tmp_path / "state.jsonl")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        first = (await process.stdout.readline()).decode()
        assert first.startswith("local service on http://127.0.0.1:")
        assert first.endswith(" (Ctrl-C stops it)\n")
        await asyncio.to_thread(_use, first.split()[3])
        process.send_signal(signal.SIGTERM)
        out, err = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert (process.returncode, out) == (0, b"")
    assert b"WAVESPEED_BASE_URL=http://127.0.0.1:" in err
