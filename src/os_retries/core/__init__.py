"""The decision: what a failure means, whether and when the call is attempted again, and the evidence of it.

Standard library only, without I/O.  The clock, the dice and the sleep are arguments.  No client, no session and no
configuration may be imported here.
"""
