"""Safe creates: no resource is created twice or orphaned, even if the answer to its create is lost.

Each create gets a marker, if its recipe has one. If its answer is lost, a look-up finds out whether the resource
exists.  ``recipe`` describes one kind of create, ``recipes`` holds the recipes of all services, ``engine`` has the
rules, and ``creation`` connects the engine with a session.  Nothing of ``session`` may be imported here.
"""
