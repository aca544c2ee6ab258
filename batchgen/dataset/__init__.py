"""What was made: image files, the manifest and its views, failures, summary.

``folder`` says what is where, ``picture`` looks at image bytes, ``images`` gives files their final
names, ``manifest`` streams the rows, ``reading`` gives a finished dataset to Python.
"""
