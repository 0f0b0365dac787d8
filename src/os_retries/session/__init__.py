"""``attach``: repeat every failed request of a keystoneauth session, if a repeat is safe.

``keystoneauth1.session.Session.request`` is public, and openstacksdk and every client built on keystoneauth call it.
It knows the verb, the headers and the body, and it sees how a connection broke.

Everything that a request may need is imported when a session is attached, and nothing later.  A daemon may be unable to
import anything after it has dropped its privileges, changed its root or used up its file descriptors, or while its
packages are being upgraded.  No configuration library and no HTTP client may be imported here.
"""

# Imported early for the pacers and for parse_date, which otherwise import them after a failure.
import email.utils

from os_retries.pacing import local
from os_retries.session.attaching import attach, detach

__all__ = ["attach", "detach", "email", "local"]
