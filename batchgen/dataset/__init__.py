"""What was made: image files, the manifest and its views, failures, summary.

``folder`` says what is where, ``disk`` how much room there is, ``treatment`` what the job wanted.
The folders, each of which may import from those above it:

* ``stores``: where the bytes of images are
* ``files``: an image on its way to its final name
* ``rows``: the manifest
* ``views``: what is made from it
* ``exports``: other forms
"""
