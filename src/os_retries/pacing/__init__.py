"""Pacing: the retries of all calls to a struggling service form one queue, which limits their rate.

``local`` has the algorithm, ``process`` keeps the pacers of this process, and ``fleet`` shares pacers through Redis.
No policy, no client and no session may be imported here.  The clock is an argument.
"""
