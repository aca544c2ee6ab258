"""Who makes it: the v3 protocol.

``wire`` turns bytes into values, ``outcome`` says what an answer means for money, ``client`` sends,
``download`` fetches images, ``retry`` says how long to wait before asking again.
"""
