"""What to make: a YAML job file becomes a checked job, the job a lazy list of variants.

Pure: no network, no clock. Begin reading at ``load``, which holds the threads, and ends with a
``job`` and its ``variants``. The folders, each of which may import from those above it:

* ``source``: the text, with the place of everything in it
* ``grammar``: what it may say
* ``values``: what varies
* ``texts``: prompts, and how one stands for many
* ``expansion``: all variants, without listing them
* ``order``: which of them comes first

Beside them: ``models``, what each accepts, costs and returns, and the ``tiers`` of accounts;
``names`` of image files; ``outline``, what a job varies, in words; ``advice``, what may surprise;
``origins``, where each value of a variant came from.
"""
