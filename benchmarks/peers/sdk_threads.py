"""The official ``wavespeed`` package in a pool of threads; it hands out addresses, not images."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import requests
from wavespeed import Client

from benchmarks.peers.given import MODEL, Given, given


def make_all(work: Given) -> None:
    """Make every image and a row for each, many at once."""
    client = Client(api_key=work.key, base_url=work.base)
    one_at_a_time = threading.Lock()

    with (work.out / "rows.jsonl").open("w", encoding="utf-8") as rows:

        def make(number: int) -> None:
            result = client.run(MODEL, work.request(number), poll_interval=work.poll)
            answer = requests.get(result["outputs"][0], timeout=60)
            answer.raise_for_status()
            (work.out / f"{number:07d}.png").write_bytes(answer.content)
            with one_at_a_time:
                rows.write(json.dumps({"number": number, **work.request(number)}) + "\n")

        with ThreadPoolExecutor(work.concurrency) as pool:
            for done in [pool.submit(make, number) for number in range(len(work.prompts))]:
                done.result()


if __name__ == "__main__":
    make_all(given())
