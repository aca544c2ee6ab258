"""The forms that come in shards, by the names that jobs and commands have for them."""

from collections.abc import Mapping

from batchgen.dataset.exports.parquet import Parquet
from batchgen.dataset.exports.shards import Form
from batchgen.dataset.exports.webdataset import WebDataset

FORMS: Mapping[str, Form] = {form.name: form for form in (WebDataset(), Parquet())}
