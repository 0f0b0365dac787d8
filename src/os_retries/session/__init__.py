"""``attach``: repeat every failed request of a keystoneauth session, if a repeat is safe.

``keystoneauth1.session.Session.request`` is public, and openstacksdk and every client built on keystoneauth call it.
It knows the verb, the headers and the body, and it sees how a connection broke.

Everything that a request may need is imported when a session is attached, and nothing later.  A daemon may be unable to
import anything after it has dropped its privileges, changed its root or used up its file descriptors, or while its
packages are being upgraded.  No configuration library and no HTTP client may be imported here.
"""

import email.utils

from os_retries.core import events, paths
from os_retries.pacing import host, local
from os_retries.session.attaching import attach, detach

__all__ = ["attach", "detach"]

# What is otherwise imported after a failure only: for a date, an event, and the pacers.
_IMPORTED_EARLY = (email.utils, events, paths, host, local)
