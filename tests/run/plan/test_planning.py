"""What a start settles by itself: files that are lost, and files that are back."""

import asyncio
import hashlib
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder
from batchgen.ledger.divided import DividedLedger
from batchgen.ledger.entry import Image, State
from batchgen.ledger.parts import divide
from batchgen.run.plan.planning import restore_files
from tests.dataset.pictures import picture
from tests.ledger.made import bring

KEYS = ("0a", "8a")  # of different parts


def saved(folder: DatasetFolder, key: str, index: int, second: int) -> Image:
    """An image with its file."""
    name, data = f"images/{key}_{index}.png", picture()
    folder.images.mkdir(exist_ok=True)
    (folder.root / name).write_bytes(data)
    return Image(
        index=index,
        file_name=name,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        media_type="image/png",
        width=13,
        height=7,
        nsfw=False,
        saved_at=f"2026-01-31T00:00:{second:02}.000Z",
    )


def test_all_images_of_a_variant_come_back_though_others_were_saved_between_them(tmp_path: Path):
    folder = DatasetFolder(tmp_path)
    folder.prepare()
    divide(folder.ledger, folder.ledgers, salt="salt")

    async def away_and_back(ledger: DividedLedger) -> None:
        for second, key in enumerate(KEYS):
            images = [saved(folder, key, index, second + 10 * index) for index in range(2)]
            await bring(ledger, key, State.SAVED, images)
        folder.images.rename(tmp_path / "away")
        assert await restore_files(ledger, folder)
        (tmp_path / "away").rename(folder.images)
        assert await restore_files(ledger, folder)

    with DividedLedger(folder.ledgers) as ledger:
        asyncio.run(away_and_back(ledger))
        assert ledger.counts() == {State.SAVED: 2}
        assert not list(ledger.short())
