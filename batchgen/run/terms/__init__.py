"""What a run was told to do, and which service it asks.

* what the user says: ``options``, ``sharding``, ``limits`` of the pace
* the service: ``access`` (address and key), ``service`` (reached), ``prices``
* ``planned``: how much the job asks for, as earlier runs have told the ledger
"""
