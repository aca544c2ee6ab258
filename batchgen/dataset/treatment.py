"""What a job wants of its dataset beside images and manifest, as the folder itself remembers it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from batchgen.dataset.folder import DatasetFolder, open_own

ALSO = ("captions", "rows", "croissant", "checksums")
"""What can be written beside the images: .txt, .json, ``croissant.json``, ``SHA256SUMS``."""
FORMATS = ("webdataset", "parquet", "huggingface")
"""What a dataset can be exported to."""
_PLACES = {"quarantine": "nsfw", "drop": "dropped"}
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """The part of ``output`` in a job that is about what lies beside the images."""

    caption: str = "{prompt}"
    """Pattern of the text of an image; its placeholders are columns of the manifest."""
    also: frozenset[str] = frozenset()
    """Those of ALSO that are wanted."""
    exports: tuple[str, ...] = ()
    """Those of FORMATS that are kept beside the dataset."""

    embed: bool = False
    """Whether the pictures of these exports say how they were made."""
    format: str = "files"
    """How images are kept: as files, or one of FORMATS."""
    nsfw: str = "keep"
    """What becomes of an image that is flagged: ``keep``, ``quarantine`` or ``drop``."""

    def place(self, name: str, *, nsfw: bool | None) -> str:
        """Where the image called *name*, below ``images/``, goes."""
        top = _PLACES.get(self.nsfw) if nsfw else None
        return name if top is None else f"{top}/{name.removeprefix('images/')}"

    def text(self, row: Mapping[str, object]) -> str:
        """The caption of *row*; what is unknown leaves nothing."""

        def value(found: re.Match[str]) -> str:
            known = row.get(found[1])
            return "" if known is None else str(known)

        return _PLACEHOLDER.sub(value, self.caption)


def read_job(folder: DatasetFolder) -> Mapping[str, object]:
    """The job of the last run, as it left it in *folder*, all values as texts; empty without."""
    try:
        with open_own(folder.job, os.O_RDONLY, "r") as file:
            # Texts and lists alone: what a tag or a date makes of a value may be any error.
            job = yaml.load(file, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506
    except (OSError, yaml.YAMLError, RecursionError, ValueError):
        return {}
    return job if isinstance(job, dict) else {}


def read_treatment(folder: DatasetFolder) -> Treatment:
    """How the last run was asked to treat *folder*; the usual where nothing can be read."""
    output = read_job(folder).get("output")
    if not isinstance(output, dict):
        return Treatment()
    caption, nsfw, form = (output.get(name) for name in ("caption", "nsfw", "format"))
    return Treatment(
        caption=caption if isinstance(caption, str) else Treatment.caption,
        also=frozenset(_among(output.get("also"), ALSO)),
        exports=_among(output.get("exports"), FORMATS),
        embed=output.get("embed") == "true",
        format=form if form in FORMATS else Treatment.format,
        nsfw=nsfw if nsfw in tuple(_PLACES) else Treatment.nsfw,
    )


def _among(told: object, known: tuple[str, ...]) -> tuple[str, ...]:
    """Those of *known* that the list *told* names."""
    return tuple(word for word in known if isinstance(told, list) and word in told)
