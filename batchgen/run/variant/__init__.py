"""One variant's way from submit to saved image, and many of them side by side.

Begin with ``life``: ``submit``, ``follow``, ``collect``, all with one ``context``. ``working``
starts lives as slots become free, and ``guards`` keep an eye on them.
"""
