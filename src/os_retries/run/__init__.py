"""``os-retries run``: retries for any program, without a change of its code.

``command`` starts the program, waits for it and sums up.  Inside the program Python executes ``path/sitecustomize.py``
at its start, which loads ``child`` when the first client is imported; ``child`` attaches each client.  The modules that
are loaded inside the program may need nothing of its environment but the client itself.
"""
