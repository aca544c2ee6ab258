"""Who hears how a run goes and how it ended.

* while it goes on: ``hooks``, ``tally``, ``slots``, ``metrics``, ``notify``
* its end: ``accounts``, and a line in the ``history``
* ``rows``: entries of the ledger as manifest and failures have them
"""
