"""What to make: a YAML job file becomes a checked job, the job a lazy list of variants.

Pure: no network, no clock. Begin reading at ``load``, which holds the threads.

* text with places: ``files``, ``document``, ``scalars``, ``faults``, ``layers``, ``wording``
* its shape: ``shape``, ``sections``, ``explain``, ``schema``, ``units``, ``pace``, ``keeping``,
  ``tiers``
* values: ``models``, ``known``, ``axes``, ``matrix``, ``rules``, ``sweep``
* prompts: ``prompts``, ``prompt``, ``promptfiles``, ``parquetfiles``, ``templates``
* one prompt for many: ``wildcards``, ``choices``, ``wordlists``
* expansion: ``expand``, ``excluding``, ``boxes``, ``distinct``, ``variants``
* their order: ``positions``, ``shuffle``, ``balance``
* keys and names: ``canonical``, ``keys``, ``names``, ``unique``
* what comes of it: ``load``, ``job``, ``outline``, ``advice``, ``origins``
"""
