"""Submits whose answer was never read.

* ``adoption`` decides by the service's history, ``settle`` asks for it and writes down the decision
* ``reconciling``: the same outside a run
"""
