"""What was made: image files, the manifest and its views, failures, summary.

* ``folder`` says what is where, ``disk`` how much room there is, ``treatment`` what the job wanted
* ``holdings`` gives the bytes of an image by its name in the manifest; ``bucket`` is a place in an
  object store, ``uploads`` remembers what is there; ``packed`` puts images into shards, ``members``
  tells where each stands in them, ``mending`` looks whether they are as they were
* an image on its way to its name: ``images``, ``together``, ``placing``, ``renaming``,
  ``picture``
* its row: ``row``, ``manifest``, ``partrows``; ``reading`` gives the rows to Python
* the view for training tools: ``kinds``, ``view``, ``flags``, ``huggingface``, ``card``
* beside it, on request: ``beside``, ``croissant``
* other forms: ``export``, ``samples``, ``embed``, ``shards``, ``forms``, ``webdataset``,
  ``parquet``, ``imagefolder``
"""
