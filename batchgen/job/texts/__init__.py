"""Prompts: where they are written, and how one stands for many.

* ``prompts`` reads them, from ``promptfiles`` and ``parquetfiles`` too; each is a ``prompt``
* ``wildcards`` make a tree of ``choices``, with ``wordlists``
"""
