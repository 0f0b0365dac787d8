"""The service type of each client package, and the official names of service types."""

from __future__ import annotations

#: The package of each client and its service type (https://service-types.openstack.org).
SERVICE_TYPES = {
    "novaclient": "compute",
    "cinderclient": "block-storage",
    "heatclient": "orchestration",
    "keystoneclient": "identity",
    "neutronclient": "network",
    "swiftclient": "object-store",
    "glanceclient": "image",
    "manilaclient": "shared-file-system",
    "barbicanclient": "key-manager",
    "magnumclient": "container-infrastructure-management",
    "designateclient": "dns",
    "octaviaclient": "load-balancer",
    "ironicclient": "baremetal",
    "saharaclient": "data-processing",
    "troveclient": "database",
    "mistralclient": "workflow",
}

# Older names that keystoneauth's callers still use.
_OTHER_NAMES = {
    "volume": "block-storage",
    "volumev2": "block-storage",
    "volumev3": "block-storage",
    "block-store": "block-storage",
    "share": "shared-file-system",
    "sharev2": "shared-file-system",
    "container-infra": "container-infrastructure-management",
    "workflowv2": "workflow",
    "messaging": "message",
    "alarming": "alarm",
    "infra-optim": "resource-optimization",
}


def service_type(name: str) -> str:
    """Return the official service type for a name that a catalog or a client uses."""
    name = name.lower().replace("_", "-")
    return _OTHER_NAMES.get(name, name)
