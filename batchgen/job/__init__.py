"""What to make: a YAML job file becomes a checked job, the job a lazy list of variants.

``files`` and ``document`` read text with places, ``shape`` and ``explain`` check its form,
``axes`` and ``prompts`` its values, ``variants`` multiplies them, ``load`` holds the threads.
Pure: no network, no clock.
"""
