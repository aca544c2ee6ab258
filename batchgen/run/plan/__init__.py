"""A job held against its dataset: what is left to do, and what it costs.

* ``planning`` what to do; ``stock`` of what is there; ``preview`` of a run
* before money: ``checking`` models, ``money`` for all of it, ``approval`` by somebody
* ``facts`` that the ledger keeps for later runs
"""
