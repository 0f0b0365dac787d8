"""``os-retries check``: which loops of the installed clients repeat requests today, and how the attempts multiply.

``command`` starts two child processes, one without os-retries and one with it, and ``report`` compares them.  In a
child, ``inside`` calls each client of the table in ``clients`` while the service in ``server``, on 127.0.0.1, fails.
The clients contact no other host, and no setting of the user is read.

``program`` runs a command of the user.  Inside that program ``recording`` records what the attached session decides.
"""
