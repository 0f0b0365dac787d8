"""Safe creates: no create is made twice or lost, even if its answer is lost.

Each create gets a marker.  If its answer is lost, a look-up finds out whether it took effect.  ``recipe`` describes one
kind of create, ``recipes`` holds the recipes of all services, ``engine`` has the rules, and ``creation`` connects the
engine with a session.  Nothing of ``session`` may be imported here.
"""
