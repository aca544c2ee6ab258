"""An image on its way to its final name.

``images`` gathers the bytes, ``picture`` looks at them, ``placing`` makes them durable, many
``together``, and ``renaming`` gives a name that nothing else has.
"""
