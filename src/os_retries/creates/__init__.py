"""Creates that are never made twice and never lost: marked, looked up when an answer is lost, and answered.

``recipe`` says what is known of one kind of create, ``recipes`` holds them all, ``engine`` has the rules, and
``creation`` stands between the engine and a session.  Nothing of ``session`` may be imported here.
"""
