"""A dataset in other forms: beside it, or instead of files of their own.

* ``export`` writes ``webdataset`` or ``parquet``, the ``forms`` in ``shards``, or an
  ``imagefolder``
* ``samples`` are the images with their bytes; ``embed`` writes into one how it was made
* ``packed`` keeps images in shards while a run goes on; ``mending`` looks after these
* ``huggingface`` makes the dataset folder itself one that ``load_dataset`` reads
"""
