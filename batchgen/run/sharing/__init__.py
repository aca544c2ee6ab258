"""Several runs that share the limits of one account, and the parts of one dataset.

* ``leases``: what they tell each other; ``granting`` gives them out, ``leasing`` keeps to them
* ``lending``: the parts of a dataset, to those who make its shards
"""
