"""Small datasets made by hand."""

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

Rows = list[dict[str, Any]]


def png(shade: int, size: tuple[int, int] = (48, 32)) -> bytes:
    """A plain picture; another shade is another file."""
    data = io.BytesIO()
    Image.new("RGB", size, (shade % 256, 120, 90)).save(data, "PNG")
    return data.getvalue()


def image_row(root: Path, number: int, **more: Any) -> dict[str, Any]:
    """The row of an image, whose file is written."""
    data = png(number)
    name = f"images/p{number % 2}/{number}.png"
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)
    return {
        "file_name": name, "prompt_id": f"p{number % 2}", "prompt": f"A pear, number {number % 2}",
        "negative_prompt": None, "seed": number // 2, "aspect_ratio": "3:2", "image_index": 0,
        "nsfw": False, "width": 48, "height": 32, "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(), "media_type": "image/png",
        "model": "wavespeed-ai/imagen4", "prediction_id": f"id{number}",
        "variant_key": f"key{number:04}",
        "saved_at": f"2026-11-27T01:{number // 60:02}:{number % 60:02}Z",
        "total_ms": 1000 + 100 * number, "cost_usd": 0.04, **more,
    }  # fmt: skip


def failure_row(number: int, **more: Any) -> dict[str, Any]:
    """The row of a variant that came to nothing."""
    return {
        "variant_key": f"lost{number:04}", "prompt_id": "p0", "prompt": "A pear, number 0",
        "negative_prompt": None, "seed": 1000 + number, "aspect_ratio": "1:1", "state": "failed",
        "error_class": "rejected", "error": "the prompt was refused", "prediction_id": None,
        "paid": False, "attempts": 1, **more,
    }  # fmt: skip


def dataset(root: Path, images: Sequence[object], failures: Sequence[object] = ()) -> Path:
    """Write the files of a dataset."""
    root.mkdir(exist_ok=True)
    for name, rows in (("manifest.jsonl", images), ("failures.jsonl", failures)):
        (root / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return root


def data_of(page: str) -> dict[str, Any]:
    """What the page hands to its script."""
    text = page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    found: dict[str, Any] = json.loads(text)
    return found


def column(page: str, name: str) -> list[Any]:
    """The values of a column, one for each item."""
    found = data_of(page)["columns"][name]
    if "list" in found:
        return list(found["list"])
    return [found["values"][at] for at in found["at"]]
