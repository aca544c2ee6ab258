"""The dataset folder as a Hugging Face dataset: ``metadata.jsonl`` and the card beside it.

``load_dataset("imagefolder", data_dir=…)`` reads the first, ``load_dataset("…")`` the second.
"""

from collections.abc import Callable

from batchgen.dataset.exports.forms import FORMS
from batchgen.dataset.exports.shards import data_files
from batchgen.dataset.folder import DatasetFolder, json_line, storage_error, write_whole
from batchgen.dataset.stores.members import read_listing
from batchgen.dataset.views.beside import write_beside
from batchgen.dataset.views.card import write_card
from batchgen.dataset.views.view import View

USE = """from datasets import load_dataset

images = load_dataset("imagefolder", data_dir="path/to/this/folder", split="train")"""


def write_views(folder: DatasetFolder, name: str) -> dict[str, dict[str, int]]:
    """Write everything that is made from the manifest; returns what was found on the way.

    Raises StorageError.
    """
    with View.open(folder) as view:
        _write(view, name)
        write_beside(view, name)
        return view.findings()


def write_huggingface(
    folder: DatasetFolder, name: str, go_on: Callable[[], bool] = lambda: True
) -> int:
    """Write ``metadata.jsonl`` and ``README.md`` for the images there are; returns how many.

    Each file is the old one or the new one, never a half. Raises StorageError, and LeftError as
    soon as *go_on* says no; the files are as they were then.
    """
    with View.open(folder, go_on) as view:
        _write(view, name)
        return view.count


def _write(view: View, name: str) -> None:
    folder = view.folder
    listing = read_listing(folder)
    files = {"default": ["metadata.jsonl", *(f"images/**/*{end}" for end in view.endings)]}
    if listing:
        form = FORMS[listing.format]
        files, use = data_files(form, view.endings, f"{folder.shards.name}/"), form.use
        use = use.replace("this/folder/*", f"this/folder/{folder.shards.name}/*")
    else:
        use = USE
    if view.count and not listing:
        write_whole(folder.metadata, (json_line(row.values) for row in view.rows()))
    else:  # readers take an empty file, and one that names what is elsewhere, for a broken one
        try:
            folder.metadata.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, folder.metadata) from None
    write_card(
        folder.card,
        view,
        name=name,
        columns=view.columns,
        data_files=files,
        use=use,
    )
