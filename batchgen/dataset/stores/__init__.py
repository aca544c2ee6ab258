"""Where the bytes of images are.

``holdings`` gives them by the name in the manifest, wherever that is: a file of its own, or in a
shard, where ``members`` know their places, or in a ``bucket``, as ``uploads`` remember.
"""
