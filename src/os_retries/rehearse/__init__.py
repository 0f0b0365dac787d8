"""``os-retries rehearse``: a program under injected faults, once without retries and once with them.

``command`` runs the program and collects the results.  ``inside`` is loaded inside the program by the ``sitecustomize``
of `run`.  It injects the faults of ``os_retries.faults`` below every client, and decides nothing about retries.
"""
