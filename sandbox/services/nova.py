"""nova: the real API, conductor, scheduler and compute manager, with nova's own fake hypervisor."""

import os
import sys
from collections.abc import Iterator
from typing import Any

from control.cloud import Cloud
from control.place import SANDBOX

from .common import SHARE, Files, Service, auth, base, database

UNLIMITED = (
    "instances",
    "cores",
    "ram",
    "metadata_items",
    "injected_files",
    "injected_file_content_bytes",
    "injected_file_path_length",
    "key_pairs",
    "server_groups",
    "server_group_members",
)


def config(cloud: Cloud) -> Files:
    login = auth(cloud, "nova")
    return {
        "nova.conf": {
            **base(
                cloud,
                "nova",
                my_ip="127.0.0.1",
                state_path=cloud.data / "nova",
                compute_driver="cloudfakes_nova.Driver",
                osapi_compute_workers=1,
                reserved_host_memory_mb=0,
                ram_allocation_ratio=1.0,
                cpu_allocation_ratio=16.0,
                allow_resize_to_same_host=True,  # there is no other host
            ),
            "api_database": database(cloud, "nova_api"),
            "placement": login,
            "glance": login,
            "neutron": login,
            "cinder": login,
            "service_user": {**login, "send_service_user_token": True},
            "vnc": {"enabled": False},
            "scheduler": {"discover_hosts_in_cells_interval": -1},  # app() does it once
            "quota": dict.fromkeys(UNLIMITED, -1),
        }
    }


def first_start(cloud: Cloud) -> Iterator[tuple[object, ...]]:
    manage = "nova-manage", "--config-file", cloud.etc / "nova.conf"
    (cloud.data / "nova/instances").mkdir(parents=True)
    yield *manage, "api_db", "sync"
    # The connections are templates, so that the mappings are valid for any state directory.
    yield *manage, "cell_v2", "map_cell0", "--database_connection", "{scheme}:////{path}_cell0?{query}"
    yield (
        *manage,
        "cell_v2",
        "create_cell",
        "--name",
        "cell1",
        "--database_connection",
        "{scheme}:////{path}?{query}",
        "--transport-url",
        "fake:///",
    )
    yield *manage, "db", "sync"


def app(cloud: Cloud) -> Any:
    # Threads by default.  `up --env OS_NOVA_DISABLE_EVENTLET_PATCHING=false` runs all of nova under eventlet.
    os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "true")
    from nova import monkey_patch

    monkey_patch.patch()
    # The paste file must come first: nova looks for it only in the first file.
    os.environ["OS_NOVA_CONFIG_FILES"] = f"{SHARE / 'nova/api-paste.ini'};{cloud.etc / 'nova.conf'}"
    sys.argv = ["nova-api"]
    # nova loads drivers only from the package nova.virt.
    import nova.virt
    from nova.wsgi.osapi_compute import application

    nova.virt.__path__.append(str(SANDBOX / "plugins"))
    import os_brick
    import os_vif
    from nova import context, objects, service
    from nova.compute import rpcapi as compute
    from nova.conf import CONF
    from nova.objects import host_mapping

    os_brick.setup(CONF)
    os_vif.initialize()
    objects.register_all()
    for binary, arguments in (
        ("nova-conductor", {}),
        ("nova-scheduler", {}),
        ("nova-compute", {"topic": compute.RPC_TOPIC, "topic_alt": compute.RPC_TOPIC_ALT}),
    ):
        part = service.Service.create(binary=binary, **arguments)
        part.start()
        # Report now: the first regular report comes five seconds later, and after a minute without one (the sandbox was
        # down) the scheduler would not use this service until then.
        part.servicegroup_api._driver._report_state(part)
    # This must follow the start of nova-compute: the scheduler uses only hosts that are mapped to a cell.
    host_mapping.discover_hosts(context.get_admin_context())
    return application


# nova asks neutron about every server that it shows, so it needs neutron even for servers with `--nic none`.
NOVA = Service(
    name="nova",
    port=8774,
    config=config,
    app=app,
    first_start=first_start,
    catalog=("compute", "/v2.1"),
)
