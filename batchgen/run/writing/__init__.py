"""What a run writes into a dataset beside images and manifest.

* images in shards: ``packing``, by ``batches``
* ``reports``: failures, the summary, views
"""
