"""``execute_with_retries``: one call of any client, and the clients that have loops of their own.

No session may be imported here.
"""
