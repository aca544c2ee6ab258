"""How soon the report of a large dataset is written, opens, scrolls and filters in Chromium."""

import asyncio
import hashlib
import io
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
from PIL import Image, ImageDraw

from batchgen.report import write_report
from tests.support.browser import Page, chromium

_SIZES = {"1:1": (768, 768), "16:9": (1024, 576), "9:16": (576, 1024)}
_PROMPT = "A still life of {} on a marble counter, soft light from the left, 1960s kitchen, {}"

# Scrolls through the whole page in two seconds and says how long each frame took, in ms.
_SCROLL = """
new Promise((done) => {
  const times = [], far = document.body.scrollHeight - innerHeight, begun = performance.now();
  let last = begun;
  const step = (now) => {
    times.push(now - last); last = now;
    if (now - begun > 2000) return done(times.slice(1).sort((a, b) => a - b));
    scrollTo(0, far * %s);
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})
"""
_QUICK = "(now - begun) / 2000"
_STEADY = "(now - begun) / 2000 * 0.02"
# Until what was chosen can be seen.
_FILTER = """
new Promise((done) => {
  const begun = performance.now();
  %s;
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
})
"""
_CHOOSE = (
    "const s = document.querySelector('[data-filter=aspect_ratio]'); "
    "s.value = '=16:9'; s.dispatchEvent(new Event('change'))"
)
_SEARCH = "location.hash = '#images?q=marble+number+7'"


@click.command()
@click.option("--images", default=20_000, show_default=True)
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Kept, and used again.")
@click.option("--screenshots", type=click.Path(path_type=Path), help="A folder for pictures.")
def gallery(images: int, folder: Path | None, screenshots: Path | None) -> None:
    """Measure the report of a dataset of so many images."""
    with tempfile.TemporaryDirectory() as temporary:
        root = folder or Path(temporary, "dataset")
        if not (root / "manifest.jsonl").exists():
            make(root, images)
        print(f"first written: {_written(root):.1f} s, with its thumbnails: {_written(root):.1f} s")
        page = root / "report.html"
        print(f"page: {page.stat().st_size / 1e6:.1f} MB")
        asyncio.run(measure(page.resolve().as_uri(), screenshots))


def _written(root: Path) -> float:
    began = time.monotonic()
    write_report(root)
    return time.monotonic() - began


def make(root: Path, images: int) -> None:
    """A dataset of small JPEG files with plain shapes, one in fifty of its variants failed."""
    chance = random.Random(7)  # noqa: S311  # a measurement, the same every time
    root.mkdir(parents=True, exist_ok=True)
    with (root / "manifest.jsonl").open("w") as rows, (root / "failures.jsonl").open("w") as failed:
        for number, (prompt, seed, ratio) in enumerate(_variants(images)):
            text = _PROMPT.format(f"number {prompt}", "in oil " * (prompt % 40))
            asked = {"variant_key": f"{number:020x}", "prompt_id": f"prompt-{prompt:03}",
                     "prompt": text, "seed": seed, "aspect_ratio": ratio}  # fmt: skip
            if number % 50 == 49:
                lost = {"state": "failed", "error_class": chance.choice(["rejected", "filtered"])}
                failed.write(json.dumps({**asked, **lost, "paid": False, "attempts": 1}) + "\n")
            data = _picture(chance, _SIZES[ratio])
            name = f"images/prompt-{prompt:03}/{number}.jpg"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
            rows.write(
                json.dumps({"file_name": name, **asked, **_rest(chance, number, data)}) + "\n"
            )


def _variants(images: int) -> Iterator[tuple[int, int, str]]:
    every = ((p, s, r) for s in range(1_000_000) for p in range(100) for r in _SIZES)
    return (variant for variant, _ in zip(every, range(images), strict=False))


def _picture(chance: random.Random, size: tuple[int, int]) -> bytes:
    image = Image.new("RGB", size, f"hsl({chance.randrange(360)}, 30%, 80%)")
    draw = ImageDraw.Draw(image)
    for _ in range(9):
        x, y, r = chance.randrange(size[0]), chance.randrange(size[1]), chance.randrange(20, 160)
        fill = f"hsl({chance.randrange(360)}, 55%, {chance.randrange(30, 70)}%)"
        draw.ellipse((x - r, y - r, x + r, y + r), fill)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=85)
    return data.getvalue()


def _rest(chance: random.Random, number: int, data: bytes) -> dict[str, object]:
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    seconds = number * 0.9 + (number // 9_000) * 60_000
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_795_000_000 + seconds))
    return {
        "image_index": 0, "nsfw": chance.random() < 0.04, "width": width, "height": height,
        "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "media_type": "image/jpeg",
        "model": "wavespeed-ai/imagen4", "prediction_id": f"{chance.getrandbits(128):032x}",
        "created_at": at, "submitted_at": at, "completed_at": at, "saved_at": at, "queue_ms": None,
        "inference_ms": 8_000, "total_ms": round(chance.lognormvariate(9, 0.5)), "polls": 3,
        "attempts": 1, "cost_usd": 0.038,
    }  # fmt: skip


async def measure(address: str, screenshots: Path | None) -> None:
    """Print what opening, scrolling and filtering take."""
    async with chromium() as page:
        await page.size(1440, 900)
        for view in ("summary", "images", "matrix", "failures"):
            await page.open("about:blank")
            seconds = await page.open(f"{address}#{view}")
            if view == "images":
                pictures = "[...document.querySelectorAll('#grid img')]"
                began = time.monotonic()
                await page.until(f"{pictures}.length && {pictures}.every(one => one.complete)")
                seconds += time.monotonic() - began
            print(f"open {view}: {seconds:.2f} s")
            if screenshots:
                await page.screenshot(screenshots / f"{view}.png")
        await page.value("location.hash = '#images'")
        await page.until("document.querySelector('#grid .tile')")
        await _frames(page, "scrolled by a fiftieth in 2 s", _STEADY)
        await _frames(page, "scrolled to the end in 2 s", _QUICK)
        await page.value("scrollTo(0, 0)")
        for what, doing in (("filter", _CHOOSE), ("search", _SEARCH)):
            print(f"{what}: {await page.value(_FILTER % doing):.0f} ms")
        heap = await page.value("performance.memory.usedJSHeapSize")
        print(f"memory of the page's script: {heap / 1e6:.0f} MB")
        print(f"complaints: {page.complaints or 'none'}")


async def _frames(page: Page, what: str, way: str) -> None:
    times = await page.value(_SCROLL % way)
    late = sum(one > 50 for one in times)
    print(
        f"{what}: {len(times)} frames, median {times[len(times) // 2]:.0f} ms, "
        f"95 % within {times[int(0.95 * len(times))]:.0f} ms, longest {times[-1]:.0f} ms, "
        f"{late} above 50 ms"
    )


if __name__ == "__main__":
    gallery()
