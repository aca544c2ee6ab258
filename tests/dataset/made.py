"""Datasets of small pictures, made without a run."""

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, json_line
from batchgen.dataset.rows.manifest import columns
from tests.dataset.pictures import picture

HOSTILE = (
    'lines\nand "quotes", \r\ncommas',
    "🫖 日本のキッチン e\u0301 \u2028",
    "test",
    "train",
    "a validation of eval",
    "long " * 2_000,
    "",
    "null",
    "{'a': 1}",
)
ENDINGS = {
    "PNG": ("png", "image/png"),
    "JPEG": ("jpg", "image/jpeg"),
    "WEBP": ("webp", "image/webp"),
}


def row(number: int, **changes: object) -> dict[str, object]:
    """The row of the manifest of image *number*; two images belong to each variant."""
    variant, index = divmod(number, 2)
    key = hashlib.sha256(str(variant).encode()).hexdigest()[:20]
    prompt = HOSTILE[variant % len(HOSTILE)]
    return {
        **dict.fromkeys(columns()),
        "file_name": f"images/p{variant % len(HOSTILE)}/{variant}_{key[:8]}_{index}.png",
        "prompt_id": f"p{variant % len(HOSTILE)}",
        "prompt": prompt,
        "negative_prompt": "",
        "seed": variant,
        "aspect_ratio": "1:1",
        "image_index": index,
        "nsfw": [True, False, None][variant % 3],
        "model": "wavespeed-ai/imagen4",
        "prediction_id": f"pred-{variant}",
        "variant_key": key,
        "saved_at": "2026-11-27T10:00:00.000Z",
        "polls": 2,
        **changes,
    }


def make_dataset(
    root: Path, rows: Iterable[Mapping[str, object]], *, shuffled: int | None = None
) -> DatasetFolder:
    """A dataset whose manifest has *rows*, in the order that the seed *shuffled* gives."""
    folder = DatasetFolder(root)
    folder.prepare()
    made = [_with_file(folder, dict(row)) for row in rows]
    if shuffled is not None:
        random.Random(shuffled).shuffle(made)
    write_manifest(folder, made)
    return folder


def write_manifest(folder: DatasetFolder, rows: Sequence[Mapping[str, object]]) -> None:
    """Give *folder* a manifest of *rows*."""
    folder.manifest_jsonl.write_bytes("".join(map(json_line, rows)).encode())


def _with_file(folder: DatasetFolder, row: dict[str, object]) -> dict[str, object]:
    form = str(row.pop("form", "PNG"))
    ending, media_type = ENDINGS[form]
    number = int(str(row["seed"] or 0))
    size = (8 + number % 5, 6 + int(str(row["image_index"])))
    data = picture(form, size)
    path = (folder.root / str(row["file_name"])).with_suffix(f".{ending}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {
        **row,
        "file_name": path.relative_to(folder.root).as_posix(),
        "width": size[0],
        "height": size[1],
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "media_type": media_type,
    }
