"""What is made from the manifest for training tools and for people.

* ``view``, its rows in one fixed order, flat and typed; ``flags`` of what looks wrong
* the ``card``; on request captions and checksums (``beside``), and ``croissant``
"""
