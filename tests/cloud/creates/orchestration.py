"""heat."""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable
from typing import Any

from .kinds import RUN, Clients, Kind, listing

TEMPLATE = {"heat_template_version": "2018-08-31", "resources": {"r": {"type": "OS::Heat::RandomString"}}}


def no_stack(clients: Clients, _setting: Any, made: str) -> None:
    clients.heat.stacks.delete(made)
    for _ in range(1200):
        if made not in [each["id"] for each in clients.get("orchestration", "/stacks")["stacks"]]:
            return
        time.sleep(0.05)
    raise AssertionError(f"{made} is not deleted")


def wait(clients: Clients, stack: str, status: str) -> None:
    for _ in range(1200):
        if clients.heat.stacks.get(stack).stack_status == status:
            return
        time.sleep(0.05)
    raise AssertionError(f"{stack} is not {status}")


def a_stack(clients: Clients) -> tuple[Clients, str]:
    stack = clients.heat.stacks.create(stack_name=f"{RUN}-{uuid.uuid4().hex[:6]}", template=TEMPLATE)["stack"]["id"]
    wait(clients, stack, "CREATE_COMPLETE")
    return clients, stack


def suspend(act: Callable[[Clients, str], Any], clients: Clients, setting: tuple[Clients, str], _name: str) -> str:
    clean, stack = setting
    if clean.heat.stacks.get(stack).action == "SUSPEND":
        wait(clean, stack, "SUSPEND_COMPLETE")
        clean.heat.actions.resume(stack)
        wait(clean, stack, "RESUME_COMPLETE")
    act(clients, stack)
    return stack


def suspension(act: Callable[[Clients, str], Any]) -> Kind:
    return Kind(
        service="orchestration",
        path=r"/stacks/[^/]+/[^/]+/actions",  # not the one that heat redirects to it
        setting=a_stack,
        create=functools.partial(suspend, act),
        ids=lambda made: [made],
        listed=lambda clients, setting, _name: [
            {"id": setting[1]} for _ in "1" if clients.heat.stacks.get(setting[1]).action == "SUSPEND"
        ],
        delete=lambda _clients, _setting, _made: None,
        shown=lambda _made, _name: True,
    )


def update(verb: str, clients: Clients, setting: tuple[Clients, str], name: str) -> str:
    """Give a stack another description, by its whole path: the clients ask for the path with a GET of their own."""
    clean, stack = setting
    clean.until(lambda: clean.heat.stacks.get(stack).stack_status.endswith("COMPLETE"))
    # Heat shows the time of an update in whole seconds.
    clean.until(lambda: clean.heat.stacks.get(stack).updated_time != time.strftime("%FT%TZ", time.gmtime()))
    UPDATES[stack] = begun(clean, stack)
    clients.session.request(
        f"/stacks/{clean.heat.stacks.get(stack).stack_name}/{stack}",
        verb,
        json={"template": TEMPLATE | {"description": name}},
        endpoint_filter={"service_type": "orchestration"},
    )
    return stack


# How many updates of a stack had begun before the present one.
UPDATES: dict[str, int] = {}


def begun(clients: Clients, stack: str) -> int:
    return sum(each.resource_status_reason == "Stack UPDATE started" for each in clients.heat.events.list(stack))


def updates(clients: Clients, setting: tuple[Clients, str], name: str) -> list[dict[str, Any]]:
    """List the updates that have given the stack this description: one if it has it, more if heat began more."""
    stack = setting[1]
    if clients.heat.stacks.get(stack).description != name:
        return []
    return [{"id": stack} for _ in range(begun(clients, stack) - UPDATES[stack])]


def updating(verb: str) -> Kind:
    return Kind(
        service="orchestration",
        path=r"/stacks/[^/]+/[^/]+",
        verb=verb,
        setting=a_stack,
        create=functools.partial(update, verb),
        ids=lambda made: [made],
        listed=updates,
        delete=lambda _clients, _setting, _made: None,
        shown=lambda _made, _name: True,
        later=True,
        baseline=True,
    )


KINDS = {
    "heat-update": updating("PUT"),
    "heat-update-existing": updating("PATCH"),
    "heat-stack": Kind(
        service="orchestration",
        path="/stacks",
        create=lambda clients, _setting, name: clients.heat.stacks.create(
            stack_name=name, template=TEMPLATE, tags="mine"
        ),
        ids=lambda made: [made["stack"]["id"]],
        listed=listing("orchestration", "/stacks", "stacks", by="stack_name"),
        delete=no_stack,
        shown=lambda made, name: name in made["stack"]["links"][0]["href"],
    ),
    "heat-suspend": suspension(lambda clients, stack: clients.heat.actions.suspend(stack)),
    "sdk-suspend": suspension(lambda clients, stack: clients.sdk.orchestration.suspend_stack(stack)),
}
