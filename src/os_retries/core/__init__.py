"""The core: what a failure means, whether and when the call is attempted again, and the evidence of each attempt.

It uses the standard library only, and does no I/O.  The clock, the dice and the sleep are arguments.  No client, no
session and no configuration may be imported here.
"""
