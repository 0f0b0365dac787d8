"""Creates on the real services: what is created through which client, and how the service itself counts it.

There is one file for each service.  To add a kind of create, add an entry to its KINDS, which
test_creates_on_cloud.py then tests.
"""

from . import (
    baremetal,
    block_storage,
    compute,
    dns,
    further,
    identity,
    image,
    key_manager,
    load_balancer,
    network,
    orchestration,
    placement,
    shared_file_system,
)
from .block_storage import BACKUP
from .kinds import RUN, Clients, Kind

__all__ = ["BACKUP", "BRIEF", "EXTRAS", "EXTRAS_BRIEF", "KINDS", "RUN", "Clients", "Kind"]

KINDS: dict[str, Kind] = {
    **compute.KINDS,
    **block_storage.KINDS,
    **identity.KINDS,
    **network.KINDS,
    **image.KINDS,
    **orchestration.KINDS,
    **placement.KINDS,
}

#: The kinds of the services that the sandbox starts on demand, by the name of the service.
EXTRAS: dict[str, dict[str, Kind]] = {
    "barbican": key_manager.KINDS,
    "designate": dns.KINDS,
    "octavia": load_balancer.KINDS,
    "ironic": baremetal.KINDS,
    "manila": shared_file_system.KINDS,
    "mistral": further.KINDS_OF_MISTRAL,
    "zaqar": {},
    "aodh": further.KINDS_OF_AODH,
    "masakari": further.KINDS_OF_MASAKARI,
    "blazar": further.KINDS_OF_BLAZAR,
    "watcher": further.KINDS_OF_WATCHER,
}

#: Those of them that are like another one, and are tested in all ways only with `--full`.
EXTRAS_BRIEF = (
    "octavia-pool",
    "octavia-member",
    "octavia-health-monitor",
    "octavia-l7rule",
    "sdk-load-balancer",
    "manila-share-older",
    "sdk-share",
    "manila-security-service",
    "manila-share-group-snapshot",
)

# These use the recipe and the client of another kind: what differs is a path, or what the service shows.
BRIEF = (
    "nova-volume-attachment-newer",
    "nova-interface-net-newer",
    "nova-snapshot-older",
    "nova-server-group-newer",
    "nova-server-group-older",
    "cinder-group-type",
    "neutron-security-group-described",
    "neutron-subnetpool-described",
    "neutron-address-group-described",
    "neutron-qos-policy-described",
    "neutron-address-scope",
    "neutron-no-interface-by-port",
    "keystone-user-domain-unsaid",
    "keystone-group",
    "keystone-role",
    "keystone-domain",
    "keystone-project-as-domain",
    "keystone-policy",
    "keystone-region",
    "keystone-credential",
    "keystone-limit",
    "heat-update-existing",
    "sdk-resource-provider-older",
)
