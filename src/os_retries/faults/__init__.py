"""Fault injection below every layer that may retry, for tests, rehearsals and demonstrations.

An adapter of requests takes the place of the connection, so that keystoneauth, the client and every layer of retries
see an injected fault exactly as a real one.  Nothing of os_retries that retries may be imported here.  Use it so::

    faults = Faults(AtRandom(refused=0.1), seed=4711)
    session = keystoneauth1.session.Session(auth=auth, session=faults.session())
    swift = faults.swift_connection(session=session)    # swiftclient opens its own connections
"""

from os_retries.faults.fault import Fault, Symptom
from os_retries.faults.plan import Entry, Faults
from os_retries.faults.rules import AtRandom, Request, Script, only

__all__ = ["AtRandom", "Entry", "Fault", "Faults", "Request", "Script", "Symptom", "only"]
