"""octavia: the real API and controller worker, with octavia's own no-op drivers for everything below them."""

from typing import Any

from control.cloud import Cloud

from .common import Files, Service, auth, base

KINDS = ("load_balancers", "listeners", "pools", "members", "health_monitors", "l7policies", "l7rules")


def config(cloud: Cloud) -> Files:
    unlimited = {f"default_{kind[:-1].replace('policie', 'policy')}_quota": -1 for kind in KINDS}
    return {
        "octavia.conf": {
            **base(cloud, "octavia"),
            "api_settings": {
                "api_base_uri": cloud.url("octavia"),
                "enabled_provider_drivers": "amphora:amphora with no-op drivers",
                "default_provider_driver": "amphora",
            },
            "controller_worker": {
                "amphora_driver": "amphora_noop_driver",
                "compute_driver": "compute_noop_driver",
                "network_driver": "network_noop_driver",
                "image_driver": "image_noop_driver",
                "volume_driver": "volume_noop_driver",
                "amp_flavor_id": "none",
                "amp_boot_network_list": "00000000-0000-0000-0000-000000000001",
                "amp_active_wait_sec": 1,
                "client_ca": cloud.etc / "octavia.conf",  # any file: nobody reads it
            },
            "certificates": {"cert_manager": "noop_cert_manager"},
            "service_auth": auth(cloud, "octavia"),
            "quotas": unlimited,
        }
    }


def app(cloud: Cloud) -> Any:
    from octavia.api import app as api

    begin_late()
    keep_networks(cloud)
    application = api.setup_app(argv=["octavia-api", "--config-file", str(cloud.etc / "octavia.conf")])
    make_tables()
    share_a_certificate()
    from octavia.controller.queue.v2 import consumer
    from oslo_config import cfg

    consumer.ConsumerService(0, cfg.CONF).run()
    return application


def begin_late() -> None:
    """Let a transaction take the write lock when it first writes, not when it begins.

    octavia reads in one session and writes in another before the first one ends, so with services/sqlite.py's way it
    would wait for itself.  Its reads hold no lock at all: that is the isolation that it expects of MySQL.
    """
    import sqlalchemy

    from . import sqlite

    def begin(connection: Any) -> None:
        if connection.dialect.name == "sqlite" and "in_transaction" not in connection.info:
            connection.connection.dbapi_connection.isolation_level = "IMMEDIATE"
            connection.info["in_transaction"] = True

    sqlalchemy.event.remove(sqlalchemy.engine.Engine, "begin", sqlite._begin)
    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "begin", begin)


def keep_networks(cloud: Cloud) -> None:
    """Move the database of the no-op network and compute drivers, which is in /tmp, into the state directory.

    The network driver begins its transactions itself, so services/sqlite.py must not.
    """
    import sqlalchemy
    from octavia.compute.drivers.noop_driver import driver as compute
    from octavia.network.drivers.noop_driver import driver as network

    def create_engine(_url: str, **options: Any) -> Any:
        engine = sqlalchemy.create_engine(f"sqlite:///{cloud.db}/octavia.db_network", **options)

        @sqlalchemy.event.listens_for(engine, "connect")
        def connect(_connection: Any, record: Any) -> None:
            record.info["in_transaction"] = True

        return engine

    network.create_engine = compute.create_engine = create_engine


def share_a_certificate() -> None:
    """Give all amphorae, to which nobody ever connects, the same certificate, because to make one takes a while."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from octavia.certificates.common.local import LocalCert
    from octavia.certificates.generator import local

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "amphora.sandbox.example")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=3650))
    pem = serialization.Encoding.PEM
    text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made = LocalCert(builder.sign(key, hashes.SHA256()).public_bytes(pem), text)
    local.LocalCertGenerator.generate_cert_key_pair = classmethod(lambda *_args, **_options: made)


def make_tables() -> None:
    """Create the tables from the models, as octavia's own tests do: its migrations do not support SQLite."""
    from octavia.common import constants
    from octavia.db import api, base_models, models

    base_models.BASE.metadata.create_all(api.get_engine())
    names = {
        models.ProvisioningStatus: constants.SUPPORTED_PROVISIONING_STATUSES,
        models.HealthMonitorType: constants.SUPPORTED_HEALTH_MONITOR_TYPES,
        models.Algorithm: constants.SUPPORTED_LB_ALGORITHMS,
        models.Protocol: constants.SUPPORTED_PROTOCOLS,
        models.OperatingStatus: constants.SUPPORTED_OPERATING_STATUSES,
        models.SessionPersistenceType: constants.SUPPORTED_SP_TYPES,
        models.AmphoraRoles: constants.SUPPORTED_AMPHORA_ROLES,
        models.LBTopology: constants.SUPPORTED_LB_TOPOLOGIES,
        models.VRRPAuthMethod: constants.SUPPORTED_VRRP_AUTH,
        models.L7RuleType: constants.SUPPORTED_L7RULE_TYPES,
        models.L7RuleCompareType: constants.SUPPORTED_L7RULE_COMPARE_TYPES,
        models.L7PolicyAction: constants.SUPPORTED_L7POLICY_ACTIONS,
        models.ClientAuthenticationMode: constants.SUPPORTED_CLIENT_AUTH_MODES,
    }
    with api.session().begin() as session:
        if session.query(models.ProvisioningStatus).count():
            return
        for model, values in names.items():
            session.add_all(model(name=value) for value in values)


OCTAVIA = Service(
    name="octavia",
    port=9876,
    config=config,
    app=app,
    catalog=("load-balancer", ""),
    roles=("load-balancer_member",),
)
