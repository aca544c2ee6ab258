"""The text of a job file, with the place of everything in it.

* ``files`` that a job names; ``document``, YAML with places, by ``scalars`` and ``faults``
* ``layers``: one job out of several files, and what the command line sets
* ``wording``: how messages name what stands there
"""
