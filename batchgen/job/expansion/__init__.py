"""From prompts and values to all variants, without listing them.

* ``expand`` spans ``boxes``; ``rules`` change some, ``excluding`` leaves thousands out
* ``distinct``: equal requests are made once; ``keys`` of many at a time
* ``unique``: the proof that no two images have one name
"""
