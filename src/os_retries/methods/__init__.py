"""``execute_with_retries``: repeat one call of any client; and ``client_options`` for clients with their own retries.

No session may be imported here.
"""
