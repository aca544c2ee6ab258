"""What every peer is told: where the service is, what to make, how, and where to put it."""

import argparse
from dataclasses import dataclass
from pathlib import Path

MODEL = "wavespeed-ai/imagen4"


@dataclass(frozen=True, kw_only=True)
class Given:
    """The work of one peer."""

    base: str
    """The address of the service."""
    key: str
    prompts: tuple[str, ...]
    """One image each."""
    concurrency: int
    poll: float
    """Seconds between two polls of one prediction."""
    out: Path
    """An empty folder."""
    files: bool
    """Whether one that keeps nothing is to write its images after all."""

    def request(self, number: int) -> dict[str, object]:
        """The body of the POST for the prompt of that *number*."""
        prompt = self.prompts[number]
        return {"prompt": prompt, "aspect_ratio": "1:1", "num_images": 1, "seed": number}


def given() -> Given:
    """The work by this process's command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--poll", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--files", action="store_true")
    told = parser.parse_args()
    return Given(
        base=told.base,
        key=told.key,
        prompts=tuple(told.prompts.read_text("utf-8").splitlines()),
        concurrency=told.concurrency,
        poll=told.poll,
        out=told.out,
        files=told.files,
    )
