"""The manifest and its rows.

* ``manifest``, a row per image; ``partrows`` of a shard's run, until they are merged
* ``kinds``: the types of the columns; ``row`` with them, for Python; ``reading`` a dataset
"""
