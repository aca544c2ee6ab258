"""The script that most people would write: gather, a semaphore, aiohttp and aiofiles."""

import asyncio
import json

import aiofiles
import aiohttp

from benchmarks.peers.given import MODEL, Given, given


async def make_all(work: Given) -> None:
    """Make every image and a row for each; one task for each image from the start."""
    slots, row_lock = asyncio.Semaphore(work.concurrency), asyncio.Lock()
    key = {"Authorization": f"Bearer {work.key}"}
    async with aiohttp.ClientSession(headers=key) as api, aiohttp.ClientSession() as images:

        async def make(number: int) -> None:
            async with slots:
                url = f"{work.base}/api/v3/{MODEL}"
                async with api.post(url, json=work.request(number)) as answer:
                    answer.raise_for_status()
                    data = (await answer.json())["data"]
                url = f"{work.base}/api/v3/predictions/{data['id']}/result"
                while data["status"] != "completed":
                    await asyncio.sleep(work.poll)
                    async with api.get(url) as answer:
                        answer.raise_for_status()
                        data = (await answer.json())["data"]
                async with images.get(data["outputs"][0]) as answer:
                    answer.raise_for_status()
                    async with aiofiles.open(work.out / f"{number:07d}.png", "wb") as file:
                        async for chunk in answer.content.iter_chunked(64 * 1024):
                            await file.write(chunk)
                async with row_lock, aiofiles.open(work.out / "rows.jsonl", "a") as rows:
                    await rows.write(json.dumps({"id": data["id"], "number": number}) + "\n")

        await asyncio.gather(*(make(number) for number in range(len(work.prompts))))


if __name__ == "__main__":
    asyncio.run(make_all(given()))
