"""Who makes it: the v3 protocol. Nothing here raises because of the network.

* on the wire: ``wire`` turns bytes into values and back, ``catalog`` and ``account`` what else the
  service can be asked
* ``outcome`` says what an answer means for money, ``retry`` how long to wait before asking again
* ``client`` sends, and alone holds the ``key``
* ``download`` fetches images, from where ``address`` allows it
"""
