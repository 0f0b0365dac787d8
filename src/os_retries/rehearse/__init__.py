"""``os-retries rehearse``: a program under injected faults, once without retries and once with them.

``command`` runs it and collects what happened.  ``inside`` is loaded in the program itself, by the ``sitecustomize`` of
`run`, and injects the faults of ``os_retries.faults`` below every client; it decides nothing about retries.
"""
