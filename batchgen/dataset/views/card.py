"""The dataset card: ``README.md`` with the front matter that Hugging Face reads."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from batchgen.dataset.folder import open_own, write_whole
from batchgen.dataset.rows.kinds import Column
from batchgen.dataset.views.view import View
from batchgen.text import plain

MARK = "<!-- written by batchgen; without this line it is yours, and stays as it is -->"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_card(  # all but two have names
    path: Path,
    view: View,
    *,
    name: str,
    columns: Sequence[Column],
    data_files: Mapping[str, list[str]],
    use: str,
) -> None:
    """Write the card of *view* to *path*, unless somebody has put a file of their own there.

    *data_files* names the files of each configuration, *use* is how the dataset is loaded.
    Raises StorageError.
    """
    if os.path.lexists(path) and not _is_ours(path):
        return
    front: dict[str, object] = {
        "pretty_name": plain(name),
        "tags": ["synthetic", "batchgen"],
        "task_categories": ["text-to-image"],
        "size_categories": [next((word for most, word in _SIZES if view.count < most), "1M<n<10M")],
    }
    if view.count:
        front["configs"] = [
            {"config_name": config, "data_files": [{"split": "train", "path": files}]}
            for config, files in data_files.items()
        ]
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    write_whole(path, [f"---\n{head}---\n{MARK}\n\n", _text(view, name, columns, use)])


def _is_ours(path: Path) -> bool:
    try:
        with open_own(path, os.O_RDONLY, "r") as file:
            return MARK in file.read(4096)
    except (OSError, ValueError):  # a link, a pipe, a folder, or no text
        return False


def _text(view: View, name: str, columns: Sequence[Column], use: str) -> str:
    models = ", ".join(f"`{plain(model)}`" for model in sorted(view.models)) or "no model yet"
    rows = "\n".join(f"| `{plain(column.name)}` | {column.kind} |" for column in columns)
    return f"""# {plain(name)}

{view.count:,} images of {view.prompts:,} prompts, made by {models}. All of them are synthetic.

```python
{use}
```

## Columns

Unknown is an empty text, -1 or -1.0; nothing is null. `text` is the caption.

| column | type |
|---|---|
{rows}
"""
