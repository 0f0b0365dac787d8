"""Make the services load their policies once, before the first request.

Otherwise the first requests load them, in threads that do not wait for each other. A request that sees only a part of
the rules fails with "rule:create_network is disallowed by policy". nova has fixed this; neutron, cinder and keystone
have not.
"""

import threading

from oslo_policy import policy


def one_at_a_time() -> None:
    """Make every policy enforcer of this process load its rules under a lock."""
    load, lock = policy.Enforcer.load_rules, threading.RLock()

    def load_rules(self, force_reload=False):
        with lock:
            load(self, force_reload)

    policy.Enforcer.load_rules = load_rules
