"""``os-retries run``: retries for any program, without a change of its code.

``command`` starts the program, waits for it and prints a summary.  Each Python in the program executes
``path/sitecustomize.py`` at its start.  That file loads ``child`` when the first client is imported, and ``child``
attaches each client.  The modules that are loaded inside the program must not import any package of the program's
environment except the client itself.
"""
