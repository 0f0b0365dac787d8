"""ironic: the real API and conductor, with ironic's own fake hardware."""

import sys
from collections.abc import Iterator
from typing import Any

from control.cloud import Cloud

from .common import Files, Service, auth, base

INTERFACES = "bios", "boot", "deploy", "inspect", "management", "power", "raid", "rescue", "vendor"


def config(cloud: Cloud) -> Files:
    fake = {f"enabled_{name}_interfaces": "fake" for name in INTERFACES}
    return {
        "ironic.conf": {
            **base(
                cloud,
                "ironic",
                my_ip="127.0.0.1",
                rpc_transport="oslo",
                auth_strategy="keystone",
                enabled_hardware_types="fake-hardware",
                enabled_network_interfaces="noop",
                default_network_interface="noop",
                **fake,
            ),
            # The administrator of a project may do what else only one of the whole system may.
            "oslo_policy": {"enforce_scope": False, "enforce_new_defaults": False},
            "dhcp": {"dhcp_provider": "none"},
            "conductor": {"automated_clean": False},
            "api": {"public_endpoint": cloud.url("ironic")},
            "service_catalog": auth(cloud, "ironic"),
            "neutron": auth(cloud, "ironic"),
        }
    }


def first_start(cloud: Cloud) -> Iterator[tuple[object, ...]]:
    yield "ironic-dbsync", "--config-file", cloud.etc / "ironic.conf", "create_schema"


def app(cloud: Cloud) -> Any:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    sys.argv = ["ironic-api", "--config-file", str(cloud.etc / "ironic.conf")]
    from ironic.api import wsgi

    application = wsgi.initialize_wsgi_app(sys.argv)
    from ironic.conductor import rpc_service
    from oslo_config import cfg

    rpc_service.RPCService(cfg.CONF.host, "ironic.conductor.manager", "ConductorManager").start()
    return application


IRONIC = Service(
    name="ironic",
    port=6385,
    config=config,
    app=app,
    first_start=first_start,
    catalog=("baremetal", ""),
)
