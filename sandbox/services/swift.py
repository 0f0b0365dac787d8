"""swift: the proxy, account, container and object servers as green threads of one process, with one replica."""

from typing import Any

from control.cloud import Cloud

from .common import Files, Service, auth

STORAGE = {"object": 6200, "container": 6201, "account": 6202}
# There is no memcached, so the pipeline has no `cache`.
PIPELINE = (
    "catch_errors",
    "gatekeeper",
    "healthcheck",
    "proxy-logging",
    "listing_formats",
    "bulk",
    "tempurl",
    "authtoken",
    "keystoneauth",
    "copy",
    "container-quotas",
    "account-quotas",
    "slo",
    "dlo",
    "versioned_writes",
    "symlink",
    "proxy-server",
)
FILTER_OPTIONS = {
    "versioned_writes": {"allow_object_versioning": True},
    "keystoneauth": {"operator_roles": "admin, member"},
}


def config(cloud: Cloud) -> Files:
    everywhere = {"bind_ip": "127.0.0.1", "swift_dir": cloud.etc, "workers": 0, "log_address": "/nonexistent"}
    files: Files = {
        "swift.conf": {
            "swift-hash": {"swift_hash_path_suffix": "suffix", "swift_hash_path_prefix": "prefix"},
            "storage-policy:0": {"name": "default", "default": "yes"},
        }
    }
    for server in STORAGE:
        files[f"swift-{server}.conf"] = {
            "DEFAULT": {
                **everywhere,
                "bind_port": cloud.ports[server],
                "devices": cloud.data / "swift",
                "mount_check": False,
                "fallocate_reserve": 0,
                "disable_fallocate": True,
            },
            "pipeline:main": {"pipeline": f"{server}-server"},
            f"app:{server}-server": {"use": f"egg:swift#{server}"},
        }
    filters = {
        f"filter:{name}": {"use": f"egg:swift#{name.replace('-', '_')}", **FILTER_OPTIONS.get(name, {})}
        for name in PIPELINE[:-1]
    }
    filters["filter:authtoken"] = {
        **auth(cloud, "swift"),
        "delay_auth_decision": True,
        "www_authenticate_uri": cloud.auth_url,
        "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory",
    }
    files["swift-proxy.conf"] = {
        "DEFAULT": {**everywhere, "bind_port": cloud.ports["swift"]},
        "pipeline:main": {"pipeline": " ".join(PIPELINE)},
        "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": True},
        **filters,
    }
    return files


def run(cloud: Cloud, sockets: dict[int, int]) -> None:
    (cloud.data / "swift/d1").mkdir(parents=True, exist_ok=True)
    import eventlet
    from swift.common import utils

    # The default is /etc/swift, so this comes first. The import has already read the storage policies there, so they
    # are read again below.
    utils.set_swift_dir(str(cloud.etc))
    from swift.common import storage_policy, wsgi

    storage_policy.reload_storage_policies()
    make_rings(cloud)
    files = {server: str(cloud.etc / f"swift-{server}.conf") for server in (*STORAGE, "proxy")}
    # This imports all the code before the monkey patch, because swift.obj looks up a C library through a pipe, which
    # hangs with a green os.read().
    configs = {server: wsgi.load_app_config(path) for server, path in files.items()}
    utils.monkey_patch()
    use_hub = eventlet.hubs.use_hub
    use_hub(utils.get_hub())
    # run_server() asks for a hub by name, which would replace the hub that the other servers use.
    eventlet.hubs.use_hub = lambda name=None: None if name else use_hub()
    pool = eventlet.GreenPool()
    for server, conf in configs.items():
        conf["__file__"] = files[server]
        logger = utils.get_logger(conf, f"{server}-server", log_to_console=True)
        listener = eventlet.greenio.GreenSocket(fileno=sockets[int(conf["bind_port"])])
        pool.spawn(wsgi.run_server, conf, logger, listener)
    pool.waitall()


def make_rings(cloud: Cloud) -> None:
    """Write swift's rings, with its one device. This is done at every start, because the ports may have changed."""
    from swift.common.ring import RingBuilder

    for server in STORAGE:
        builder: Any = RingBuilder(2, 1, 0)
        builder.add_dev(
            {
                "region": 1,
                "zone": 1,
                "ip": "127.0.0.1",
                "port": cloud.ports[server],
                "device": "d1",
                "weight": 1,
            }
        )
        builder.rebalance(seed="sandbox")
        builder.get_ring().save(str(cloud.etc / f"{server}.ring.gz"))


SWIFT = Service(
    name="swift",
    port=8080,
    config=config,
    run=run,
    catalog=("object-store", "/v1/AUTH_$(project_id)s"),
    health="/healthcheck",
    more_ports=STORAGE,
)
