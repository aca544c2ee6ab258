"""What is done with a dataset outside of runs.

``doctor`` before, ``standing`` during and after, ``verify`` and ``merging`` after them.
"""
