"""``attach``: every request of a keystoneauth session, repeated where that is safe.

``keystoneauth1.session.Session.request`` is public, and every keystoneauth client and openstacksdk use it.  It knows
the verb, the headers and the body, and it sees how a connection broke.  All that a request may need is imported when a
session is attached, and nothing later: a daemon can import nothing any more when it has dropped its rights, changed its
root or used up its descriptors, or when its packages are being upgraded.  No configuration library and no HTTP client
may be imported here.
"""

# For the pacers and for parse_date, which import them when a request has failed.
import email.utils

from os_retries.pacing import local
from os_retries.session.attaching import attach, detach

__all__ = ["attach", "detach", "email", "local"]
