"""How fast a struggling service may be asked again: the retries of all calls to it are one queue.

``local`` is the algorithm, ``process`` keeps the pacers of this process, and ``fleet`` shares them through Redis.  No
policy, no client and no session may be imported here.  The clock is an argument.
"""
