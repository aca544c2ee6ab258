"""What varies: the values of axes, one by one or by rule.

* ``axes`` and their ``matrix``; ``known``: what the models of a job accept; ``sweep``, all of it
* ``templates``: where a value stands in a text
* ``canonical``: one spelling for equal content
"""
