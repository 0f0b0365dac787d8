"""neutron: the real server with ML2 and without agents; plugins/cloudfakes_neutron.py binds the ports."""

import os
import sys
from collections.abc import Iterator
from typing import Any

from control.cloud import Cloud
from control.place import SANDBOX

from .common import SHARE, Files, Service, auth, base

PLUGINS = "router", "qos", "trunk", "segments", "tag", "metering", "port_forwarding"
EXTENSIONS = "port_security", "qos", "dns"
UNLIMITED = (
    "network",
    "subnet",
    "subnetpool",
    "port",
    "router",
    "floatingip",
    "security_group",
    "security_group_rule",
    "rbac_policy",
    "trunk",
)


def config(cloud: Cloud) -> Files:
    extensions = [*EXTENSIONS, *([] if "tag-ports" in cloud.without else ["tag_ports_during_bulk_creation"])]
    return {
        "neutron.conf": {
            **base(
                cloud,
                "neutron",
                core_plugin="ml2",
                state_path=cloud.data / "neutron",
                service_plugins=",".join(PLUGINS),
                api_paste_config=SHARE / "neutron/api-paste.ini",
                # There are no agents to notify, and nova's fake driver does not wait for the event of a port.
                dhcp_agent_notification=False,
                notify_nova_on_port_status_changes=False,
                notify_nova_on_port_data_changes=False,
            ),
            "ml2": {
                "type_drivers": "flat,vlan,vxlan",
                "tenant_network_types": "vxlan",
                # neutron's own drivers bind no port without an L2 agent, and nova would fail with PortBindingFailed.
                "mechanism_drivers": "bindall",
                "extension_drivers": ",".join(extensions),
            },
            "ml2_type_flat": {"flat_networks": "*"},
            "ml2_type_vlan": {"network_vlan_ranges": "physnet1:100:199"},
            "ml2_type_vxlan": {"vni_ranges": "1:10000"},
            "placement": auth(cloud, "neutron"),
            "nova": auth(cloud, "neutron"),
            "quotas": {f"quota_{resource}": -1 for resource in UNLIMITED},
        }
    }


def first_start(cloud: Cloud) -> Iterator[tuple[object, ...]]:
    # `neutron-db-manage upgrade heads` cannot work on SQLite: its migrations ALTER constraints.
    (cloud.data / "neutron").mkdir()
    yield "python", SANDBOX / "plugins/neutron_schema.py", cloud.root


def app(cloud: Cloud) -> Any:
    os.environ["OS_NEUTRON_CONFIG_FILES"] = str(cloud.etc / "neutron.conf")
    sys.argv = ["neutron-api"]
    from neutron import policy
    from neutron.wsgi.api import application

    policy.init()  # see policies.py
    return application


NEUTRON = Service(
    name="neutron",
    port=9696,
    config=config,
    app=app,
    first_start=first_start,
    catalog=("network", ""),
)
