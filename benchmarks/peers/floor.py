"""The least that aiohttp can do: a loop of workers that throw the images away.

What any client built on aiohttp needs on top of this is its own. With ``--files`` each image is
hashed and written, as plainly as that goes.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator

import aiohttp
from yarl import URL

from benchmarks.peers.given import MODEL, Given, given


async def make_all(work: Given) -> None:
    """Ask for every image, read it, and keep it only if asked to."""
    numbers = iter(range(len(work.prompts)))
    key = {"Authorization": f"Bearer {work.key}", "Content-Type": "application/json"}
    unlimited, other = aiohttp.TCPConnector(limit=0), aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(headers=key, connector=unlimited) as api,
        aiohttp.ClientSession(connector=other, auto_decompress=False) as images,
    ):
        workers = min(work.concurrency, len(work.prompts))
        await asyncio.gather(*(_worker(work, numbers, api, images) for _ in range(workers)))


async def _worker(
    work: Given, numbers: Iterator[int], api: aiohttp.ClientSession, images: aiohttp.ClientSession
) -> None:
    submit = URL(f"{work.base}/api/v3/{MODEL}")
    for number in numbers:
        async with api.post(submit, data=json.dumps(work.request(number)).encode()) as answer:
            answer.raise_for_status()
            data = json.loads(await answer.read())["data"]
        result = URL(data["urls"]["get"], encoded=True)
        while data["status"] != "completed":
            await asyncio.sleep(work.poll)
            async with api.get(result) as answer:
                answer.raise_for_status()
                data = json.loads(await answer.read())["data"]
        async with images.get(URL(data["outputs"][0], encoded=True)) as answer:
            answer.raise_for_status()
            image = await answer.read()
        if work.files:
            name = hashlib.sha256(image).hexdigest()
            (work.out / f"{number:07d}_{name[:16]}.png").write_bytes(image)


if __name__ == "__main__":
    asyncio.run(make_all(given()))
