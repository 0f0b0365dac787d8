"""``os-retries check``: which loops of the installed clients repeat requests today, and how they multiply.

``command`` starts two child processes, one without os-retries and one with it, and ``report`` compares them.  In a
child, ``inside`` calls each client of the table in ``clients`` while the service in ``server``, on 127.0.0.1, fails.
These reach no other host, and no setting of the user's is read.

``program`` runs a command of the user's, in which ``recording`` notes what the attached session decides.
"""
