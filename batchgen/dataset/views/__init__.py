"""What is made from the manifest for training tools and for people.

* ``view``: its rows in one fixed order, flat and typed; ``flags`` of what looks wrong
* ``card``: the README of the dataset
* on request: ``beside`` (captions, rows, checksums) and ``croissant``
"""
