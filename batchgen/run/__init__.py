"""Making it: the room that knows all the others.

Begin reading at ``making``, the list of stages, and ``life``, the way of one variant.

* what is wanted: ``options``, ``access``, ``limits``, ``sharding``, ``checking``, ``approval``
* claiming the dataset: ``claiming``, ``parting``, ``lending``, ``opening``, ``facts``, ``rebuild``
* a dataset in a bucket: ``claims``, ``bringing``, ``mirroring``, ``mirror``, ``rest``,
  ``hands``
* what is left to do: ``planned``, ``planning``, ``settle``, ``adoption``, ``history``
* limits that several runs share: ``leases``, ``granting``, ``leasing``
* money: ``prices``, ``money``, ``spend``, ``purse``
* one variant: ``life``, ``submit``, ``follow``, ``collect``, all with one ``context``
* many at once: ``working``, ``pool``, ``pacer``, ``slots``, ``service``, ``latency``,
  ``experience``
* images in shards: ``packing``, ``batches``
* ending: ``stop``, ``guards``, ``breaker``, ``ending``, ``accounts``, ``rows``, ``reports``
* who hears of it: ``hooks``, ``tally``, ``streaming``, ``notify``, ``metrics``
* outside a run: ``looking``, ``preview``, ``stock``, ``standing``, ``verify``, ``reconciling``,
  ``merging``, ``doctor``
"""
