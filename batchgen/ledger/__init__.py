"""What has happened: the durable record of every variant's state, and the lock that guards it.

``entry`` holds the states and their legal moves, ``store`` the SQLite file and its one writer,
``lock`` the claim of a run on its dataset. Nothing here knows of HTTP or of image files.
"""
