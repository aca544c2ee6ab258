"""What a job file may say: its keys, their types, and the words for what is wrong.

* ``shape`` and ``sections``, the classes that check it; ``schema`` for editors, made of them;
  ``explain``, mistakes in words
* ``units`` of time, money and size; ``pace`` and ``keeping``, read from run and output
"""
