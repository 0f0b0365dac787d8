"""``os-retries run``: retries for any program, without a change of its code.

``command`` starts the program and sums up.  ``path/sitecustomize.py`` is the first of us that the program meets; it
fetches ``child``, which attaches each client when it is imported.  What travels into the program's environment may need
nothing there but the client itself.
"""
