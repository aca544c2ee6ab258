"""A dataset in a bucket, worked on in a folder here.

* who owns it: ``claims``; for the length of a run: ``mirroring``
* what it knows better than the folder: ``bringing``
* what is uploaded: ``mirror`` images, ``rest`` everything else
"""
