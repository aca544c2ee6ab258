"""A dataset in other forms: beside it, or instead of files of their own.

* ``export`` into one of the ``forms``: ``webdataset``, ``parquet``, ``imagefolder``
* of ``samples``, in ``shards``; ``embed``: provenance inside a picture
* while a run goes on: ``packed``; ``mending`` what was damaged
* ``huggingface``: the dataset folder itself as one
"""
