"""The order in which variants are made, found by arithmetic and never listed.

* ``positions``; at random, ``shuffle``; a fair sample from the beginning, ``balance``
"""
