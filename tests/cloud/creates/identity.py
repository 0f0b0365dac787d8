"""keystone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from .kinds import RUN, Clients, Kind, listing, removal


def named(collection: str, create: Callable[[Clients, Any, str], Any], *, by: str = "name", **more: Any) -> Kind:
    """What the operator makes, and what keystone lists by a field of its own."""
    path = f"/{collection}"
    given: dict[str, Any] = {
        "service": "identity",
        "path": path,
        "create": create,
        "listed": listing("identity", path, collection.rpartition("/")[2], by),
        "delete": removal("identity", path),
        "account": "admin",
    }
    return Kind(**given | more)


def region(clients: Clients, _setting: Any, name: str) -> Any:
    return clients.keystone.regions.create(id=name, description="here")


def endpoint(clients: Clients, service: str, name: str) -> Any:
    return clients.keystone.endpoints.create(service, f"http://{name}", interface="public", region="RegionOne")


def domain_off(clients: Clients, _setting: Any, made: str) -> None:
    """A domain goes only when it is disabled."""
    clients.keystone.domains.update(made, enabled=False)
    clients.delete("identity", f"/domains/{made}")


def trust(clients: Clients, trustee: str, name: str) -> Any:
    """``note`` is not keystone's: it keeps what it does not know, and so the trusts can be told apart."""
    session = clients.session
    return clients.keystone.trusts.create(
        trustee_user=trustee,
        trustor_user=session.get_user_id(),
        project=session.get_project_id(),
        role_names=["member"],
        impersonation=True,
        note=name,
    )


def trusts(clients: Clients, _setting: Any, name: str) -> list[dict[str, Any]]:
    mine = f"/OS-TRUST/trusts?trustor_user_id={clients.session.get_user_id()}"
    return [each for each in clients.get("identity", mine)["trusts"] if each.get("note") == name]


def credential(clients: Clients, _setting: Any, name: str) -> Any:
    user = clients.session.get_user_id()
    return clients.keystone.credentials.create(user, "certificate", json.dumps({"name": name}))


def ec2(clients: Clients) -> str:
    return f"/users/{clients.session.get_user_id()}/credentials/OS-EC2"


def own(clients: Clients) -> str:
    return f"/users/{clients.session.get_user_id()}/application_credentials"


def application_credentials(clients: Clients, _setting: Any, name: str) -> list[dict[str, Any]]:
    return [each for each in clients.get("identity", own(clients))["application_credentials"] if each["name"] == name]


def can_be_used(made: Any, _name: str) -> bool:
    """Whether the secret that the caller was given is the one that keystone knows."""
    auth_url = made.manager.client.session.auth.auth_url
    auth = v3.ApplicationCredential(auth_url, made.secret, application_credential_id=made.id)
    return bool(Session(auth=auth).get_token())


def a_service(clients: Clients) -> str:
    return clients.keystone.services.create(f"{RUN}-needed", type="nothing").id


def clean_and_a_service(clients: Clients) -> tuple[Clients, str]:
    return clients, a_service(clients)


def limit(clients: Clients, setting: tuple[Clients, str], name: str) -> Any:
    """Limit a project.  Keystone asks for a registered limit of that name first."""
    clean, service = setting
    if name not in [each.resource_name for each in clean.keystone.registered_limits.list()]:
        clean.keystone.registered_limits.create(service, name, 10)
    return clients.keystone.limits.create(clean.session.get_project_id(), service, name, 5)


KINDS = {
    "keystone-user": named(
        "users",
        lambda clients, _setting, name: clients.keystone.users.create(name, domain="default", password="x"),
        shown=lambda made, name: made.name == name and made.enabled,
    ),
    "keystone-user-domain-unsaid": named(
        "users", lambda clients, _setting, name: clients.keystone.users.create(name, password="x")
    ),
    "keystone-group": named(
        "groups", lambda clients, _setting, name: clients.keystone.groups.create(name, domain="default")
    ),
    "keystone-project": named(
        "projects", lambda clients, _setting, name: clients.keystone.projects.create(name, domain="default")
    ),
    "keystone-role": named("roles", lambda clients, _setting, name: clients.keystone.roles.create(name)),
    "keystone-domain": named(
        "domains", lambda clients, _setting, name: clients.keystone.domains.create(name), delete=domain_off
    ),
    "keystone-project-as-domain": named(
        "projects",
        lambda clients, _setting, name: clients.keystone.projects.create(name, domain=None, is_domain=True),
        listed=listing("identity", "/domains", "domains"),
        delete=domain_off,
    ),
    "keystone-service": named(
        "services", lambda clients, _setting, name: clients.keystone.services.create(name, type="nothing")
    ),
    "keystone-endpoint": named(
        "endpoints",
        endpoint,
        by="url",
        listed=lambda clients, _setting, name: [
            each for each in clients.get("identity", "/endpoints")["endpoints"] if name in each["url"]
        ],
        setting=lambda clients: clients.keystone.services.create("nothing", type="nothing").id,
        shown=lambda made, name: made.url == f"http://{name}" and made.region == "RegionOne",
    ),
    "keystone-policy": named(
        "policies",
        lambda clients, _setting, name: clients.keystone.policies.create(name, type="text/plain"),
        by="blob",
        shown=lambda made, name: made.blob == name,
    ),
    "keystone-region": named("regions", region, by="id", shown=lambda made, name: made.id == name),
    "keystone-registered-limit": named(
        "registered_limits",
        lambda clients, service, name: clients.keystone.registered_limits.create(service, name, 10, description="d"),
        setting=a_service,
        by="resource_name",
        shown=lambda made, name: (made.resource_name, made.default_limit, made.description) == (name, 10, "d"),
        baseline=True,
    ),
    "keystone-limit": named(
        "limits",
        limit,
        setting=clean_and_a_service,
        by="resource_name",
        shown=lambda made, name: (made.resource_name, made.resource_limit) == (name, 5),
        baseline=True,
    ),
    "keystone-trust": named(
        "OS-TRUST/trusts",
        trust,
        setting=lambda clients: clients.session.get_user_id(),
        listed=trusts,
        account="demo",
        shown=lambda made, name: made.note == name and [role["name"] for role in made.roles] == ["member"],
    ),
    "keystone-credential": named(
        "credentials",
        credential,
        account="demo",
        listed=lambda clients, _setting, name: [
            each for each in clients.get("identity", "/credentials")["credentials"] if name in each["blob"]
        ],
        shown=lambda made, name: json.loads(made.blob) == {"name": name},
    ),
    "keystone-application-credential": named(
        "application_credentials",
        lambda clients, _setting, name: clients.keystone.application_credentials.create(name),
        account="demo",
        listed=application_credentials,
        delete=lambda clients, _setting, made: clients.delete("identity", f"{own(clients)}/{made}"),
        shown=can_be_used,
    ),
    "keystone-ec2": named(
        "OS-EC2",
        lambda clients, project, _name: clients.keystone.ec2.create(clients.session.get_user_id(), project),
        account="demo",
        setting=lambda clients: clients.session.get_project_id(),
        ids=lambda made: [made.access],
        id_of=lambda item: item["access"],
        listed=lambda clients, _setting, _name: clients.get("identity", ec2(clients))["credentials"],
        delete=lambda clients, _setting, made: clients.delete("identity", f"{ec2(clients)}/{made}"),
        shown=lambda made, _name: bool(made.secret),
        single_writer=True,
    ),
    "sdk-project": named(
        "projects", lambda clients, _setting, name: clients.sdk.identity.create_project(name=name, domain_id="default")
    ),
}
