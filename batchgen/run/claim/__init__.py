"""Having a dataset, or parts of it, for oneself, and its ledger open.

* ``looking`` needs no claim; ``claiming`` takes the lock, ``parting`` those of parts
* ``opening`` the ledger; ``rebuild`` makes a lost one anew
* ``purse``: the budget among runs that each own some parts
"""
