"""`os-retries rewrite`: put `execute_with_retries` around every call of an OpenStack client in a code base.

Finding: `services.py` is the table of the clients and of what their calls do; `values.py`, `origins.py`,
`expressions.py` and `evaluate.py` follow each client from its constructor through the program. Changing: `edit.py` and
`imports.py` change the text, with LibCST. `command.py` is the command line's body, and reads and writes through
`files.py`. Nothing outside this package imports it but the command line; only `edit.py` and `imports.py` import LibCST.
"""
