"""Making it: the room that knows all the others.

Begin reading at ``making``, the list of stages, and ``variant.life``, the way of one variant.
Beside ``making``: ``ending``, what a run leaves for people and for programs, and ``streaming``, a
run for Python programs. The folders, each of which may import from those above it:

* ``terms``: what a run was told to do, and which service it asks
* ``pace``: how many at once, how fast, until when
* ``telling``: who hears how it goes and how it ended
* ``writing``: what it writes beside images and manifest
* ``claim``: having the dataset for itself, and its ledger open
* ``bucket``: a dataset that is kept in one
* ``plan``: the job held against the dataset: what is left, and what it costs
* ``variant``: one variant's way from submit to saved image, and many side by side
* ``uncertain``: submits whose answer was never read
* ``sharing``: limits and parts that several runs share
* ``care``: what is done with a dataset outside of runs
"""
