"""mistral, aodh, masakari, blazar and watcher.

All but mistral's are created through the session itself: their clients are not installed, and add nothing to the request.
"""

from __future__ import annotations

import uuid
from typing import Any

from .kinds import RUN, Clients, Kind

WORKFLOW = """---
version: '2.0'
{name}:
  type: direct
  tasks:
    nothing:
      action: std.noop
"""
HOST = "localhost"  # the sandbox's only one


def made_by(member: str = "", identity: str = "id") -> dict[str, Any]:
    """Return how the answer of a request is read."""

    def inner(answer: dict[str, Any]) -> dict[str, Any]:
        return answer[member] if member else answer

    return {
        "ids": lambda made: [str(inner(made)[identity])],
        "id_of": lambda item: str(item[identity]),
        "shown": lambda made, name: inner(made)["name"] == name,
    }


def post(clients: Clients, service: str, path: str, body: Any) -> Any:
    return clients.session.post(path, json=body, endpoint_filter={"service_type": service}).json()


def listed(service: str, path: str, member: str, by: str = "name") -> Any:
    def keep(clients: Clients, setting: Any, name: str) -> list[dict[str, Any]]:
        found = clients.get(service, path.format(setting))
        return [each for each in (found[member] if member else found) if each[by] == name]

    return keep


def removed(service: str, path: str) -> Any:
    return lambda clients, setting, made: clients.delete(service, f"{path.format(setting)}/{made}")


def a_workflow(clients: Clients) -> str:
    name = f"{RUN}_{uuid.uuid4().hex[:6]}"
    clients.session.post(
        "/workflows",
        data=WORKFLOW.format(name=name),
        headers={"Content-Type": "text/plain"},
        endpoint_filter={"service_type": "workflow"},
    )
    return name


def a_segment(clients: Clients) -> str:
    body = {"name": f"{RUN}-{uuid.uuid4().hex[:6]}", "recovery_method": "auto", "service_type": "compute"}
    return str(post(clients, "instance-ha", "/segments", {"segment": body})["segment"]["uuid"])


def host(name: str) -> dict[str, Any]:
    return {"name": name, "type": "COMPUTE", "control_attributes": "SSH"}


def a_reservable_host(clients: Clients) -> None:
    """Let blazar reserve the sandbox's host, which leaves nova's free pool for that."""
    headers = {"endpoint_filter": {"service_type": "compute"}, "raise_exc": False}
    clients.session.post("/os-aggregates", json={"aggregate": {"name": "freepool"}}, **headers)
    if not clients.get("reservation", "/os-hosts")["hosts"]:
        post(clients, "reservation", "/os-hosts", {"name": HOST})


def lease(name: str) -> dict[str, Any]:
    reservation = {
        "resource_type": "physical:host",
        "min": 1,
        "max": 1,
        "hypervisor_properties": "",
        "resource_properties": "",
    }
    year = 2030 + int.from_bytes(name.encode()[-2:]) % 6000
    days = {"start_date": f"{year}-01-01 10:00", "end_date": f"{year}-01-02 10:00"}
    return {"name": name, **days, "reservations": [reservation], "events": []}


MISTRAL: dict[str, Any] = {"service": "workflow"}
OF_MASAKARI: dict[str, Any] = {"service": "instance-ha", "account": "admin"}
OF_WATCHER: dict[str, Any] = {"service": "resource-optimization", "account": "admin"}

KINDS_OF_MISTRAL = {
    "mistral-execution": Kind(
        **MISTRAL,
        path="/executions",
        setting=a_workflow,
        create=lambda clients, workflow, name: clients.mistral.executions.create(workflow, description=name),
        listed=listed("workflow", "/executions", "executions", by="description"),
        delete=lambda clients, _setting, made: clients.delete("workflow", f"/executions/{made}?force=true"),
        shown=lambda made, name: made.description == name,
    ),
    "mistral-environment": Kind(
        **MISTRAL,
        path="/environments",
        create=lambda clients, _setting, name: clients.mistral.environments.create(name=name, variables={"a": [1]}),
        listed=listed("workflow", "/environments", "environments"),
        delete=lambda clients, _setting, made: clients.delete("workflow", f"/environments/{made}"),
        id_of=lambda item: item["name"],
        ids=lambda made: [made.name],
    ),
    "mistral-cron-trigger": Kind(
        **MISTRAL,
        path="/cron_triggers",
        setting=a_workflow,
        create=lambda clients, workflow, name: clients.mistral.cron_triggers.create(
            name, workflow, pattern="0 0 1 1 *"
        ),
        listed=listed("workflow", "/cron_triggers", "cron_triggers"),
        delete=lambda clients, _setting, made: clients.delete("workflow", f"/cron_triggers/{made}"),
        id_of=lambda item: item["name"],
        ids=lambda made: [made.name],
    ),
}

KINDS_OF_AODH = {
    "session-alarm": Kind(
        **made_by(identity="alarm_id"),
        service="alarm",
        path="/v2/alarms",
        create=lambda clients, _setting, name: post(
            clients,
            "alarming",
            "/v2/alarms",
            {"name": name, "type": "event", "event_rule": {"event_type": "compute.*"}},
        ),
        listed=listed("alarming", "/v2/alarms", ""),
        delete=removed("alarming", "/v2/alarms"),
        baseline=True,
    ),
}

KINDS_OF_MASAKARI = {
    "session-segment": Kind(
        **OF_MASAKARI,
        **made_by("segment", "uuid"),
        path="/segments",
        create=lambda clients, _setting, name: post(
            clients,
            "instance-ha",
            "/segments",
            {"segment": {"name": name, "recovery_method": "auto", "service_type": "compute"}},
        ),
        listed=listed("instance-ha", "/segments", "segments"),
        delete=removed("instance-ha", "/segments"),
    ),
    "session-host": Kind(
        **OF_MASAKARI,
        **made_by("host", "uuid") | {"shown": lambda made, _name: made["host"]["name"] == HOST},
        path="/segments/[^/]+/hosts",
        setting=a_segment,
        create=lambda clients, segment, _name: post(
            clients, "instance-ha", f"/segments/{segment}/hosts", {"host": host(HOST)}
        ),
        listed=lambda clients, segment, _name: clients.get("instance-ha", f"/segments/{segment}/hosts")["hosts"],
        delete=removed("instance-ha", "/segments/{}/hosts"),
    ),
}

KINDS_OF_BLAZAR = {
    "session-lease": Kind(
        **made_by("lease"),
        service="reservation",
        account="admin",
        path="/leases",
        setting=a_reservable_host,
        create=lambda clients, _setting, name: post(clients, "reservation", "/leases", lease(name)),
        listed=listed("reservation", "/leases", "leases"),
        delete=removed("reservation", "/leases"),
        baseline=True,
    ),
}

KINDS_OF_WATCHER = {
    "session-audit-template": Kind(
        **OF_WATCHER,
        **made_by(identity="uuid"),
        path="/audit_templates",
        create=lambda clients, _setting, name: post(
            clients, "infra-optim", "/v1/audit_templates", {"name": name, "goal": "dummy", "description": "ours"}
        ),
        listed=listed("infra-optim", "/v1/audit_templates?limit=1000", "audit_templates"),
        delete=removed("infra-optim", "/v1/audit_templates"),
    ),
    "session-audit": Kind(
        **OF_WATCHER,
        **made_by(identity="uuid"),
        path="/audits",
        create=lambda clients, _setting, name: post(
            clients, "infra-optim", "/v1/audits", {"name": name, "goal": "dummy", "audit_type": "ONESHOT"}
        ),
        listed=listed("infra-optim", "/v1/audits?limit=1000", "audits"),
        delete=lambda clients, _setting, made: remove_audit(clients, made),
    ),
}


def remove_audit(clients: Clients, audit: str) -> None:
    """Delete an audit, which must be over or cancelled for that."""
    cancelled = [{"op": "replace", "path": "/state", "value": "CANCELLED"}]
    clients.session.patch(f"/v1/audits/{audit}", json=cancelled, endpoint_filter={"service_type": "infra-optim"})
    clients.delete("infra-optim", f"/v1/audits/{audit}")
