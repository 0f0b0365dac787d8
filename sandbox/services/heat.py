"""heat: the real API and engine, with trusts and the domain of stack users."""

import sys
import threading
from collections.abc import Iterator
from typing import Any

from control.cloud import PASSWORD, REGION, Cloud

from .common import SHARE, Files, Service, auth, base


def config(cloud: Cloud) -> Files:
    return {
        "heat.conf": {
            **base(
                cloud,
                "heat",
                auth_encryption_key="0123456789abcdef" * 2,
                region_name_for_services=REGION,
                num_engine_workers=1,
                stack_user_domain_name="heat",
                stack_domain_admin="heat_domain_admin",
                stack_domain_admin_password=PASSWORD,
                max_stacks_per_tenant=-1,
                environment_dir=SHARE / "heat/environment.d",
                template_dir=SHARE / "heat/templates",
                heat_metadata_server_url=cloud.url("heat"),
                heat_waitcondition_server_url=f"{cloud.url('heat')}/v1/waitcondition",
            ),
            "trustee": auth(cloud, "heat"),
            "clients_keystone": {"auth_uri": cloud.url("keystone")},
            "paste_deploy": {"api_paste_config": SHARE / "heat/api-paste.ini"},
        }
    }


def first_start(cloud: Cloud) -> Iterator[tuple[object, ...]]:
    yield "heat-manage", "--config-file", cloud.etc / "heat.conf", "db_sync"


def app(cloud: Cloud) -> Any:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    sys.argv = ["heat-api", "--config-file", str(cloud.etc / "heat.conf")]
    from heat.common import config as heat_config
    from heat.engine import service, template
    from heat.rpc import api
    from heat.wsgi.api import application
    from oslo_config import cfg

    give_each_id_once()
    heat_config.startup_sanity_check()
    template._get_template_extension_manager()
    service.EngineService(cfg.CONF.host, api.ENGINE_TOPIC).start()
    return application


def give_each_id_once() -> None:
    """Give no row the id of a row that was deleted, as MySQL does.

    SQLite gives the highest id again once its row is gone. heat's engine deletes rows of resource_properties_data by
    ids that it has remembered, so it deleted the properties of new resources: when a stack was scaled, its outputs
    failed with "ResourcePropertiesData with id 93 not found", and it could not be deleted.
    """
    import sqlalchemy
    from heat.db import models

    last: dict[str, int] = {}
    lock = threading.Lock()

    def number(mapper: Any, connection: Any, row: Any) -> None:
        table = mapper.local_table
        with lock:
            highest = connection.scalar(sqlalchemy.select(sqlalchemy.func.max(table.c.id))) or 0
            row.id = last[table.name] = max(highest, last.get(table.name, 0)) + 1

    for mapper in models.BASE.registry.mappers:
        column = mapper.local_table.autoincrement_column
        if column is not None and column.name == "id":
            sqlalchemy.event.listen(mapper, "before_insert", number)


HEAT = Service(
    name="heat",
    port=8004,
    config=config,
    app=app,
    first_start=first_start,
    catalog=("orchestration", "/v1/$(project_id)s"),
)
