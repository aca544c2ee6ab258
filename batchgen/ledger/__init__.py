"""What has happened: the durable record of every variant's state, and the lock that guards it.

Nothing here knows of HTTP or of image files.

* states and their legal moves: ``entry``, ``fields``
* the SQLite file: ``store``, its one ``writer``, ``rows``, ``sums``, ``wanting``
* in parts: ``parts``, ``divided``
* whole or not: ``lock``, ``seal``, ``salvage``; ``copying`` takes all of it at one moment
"""
