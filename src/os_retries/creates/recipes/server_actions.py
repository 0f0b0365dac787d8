"""Actions of nova's servers; the facts are in docs/design/creates.md#compute.

No action has room for a marker.  The state of the server, its security groups, or nova's log of the server's actions
shows whether an action was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from os_retries.creates.recipe import Look, Recipe, no_body, password

if TYPE_CHECKING:
    from os_retries.creates.markers import Item

ACTION = r"/servers/(?P<server>[^/]+)/action"


def location(server: Item, _found: list[Item]) -> dict[str, str]:
    """Return the header with the URL of a server."""
    links = [link["href"] for link in server["links"] if link.get("rel") == "self"]
    return {"Location": links[0]} if links else {}


def _leads_to(action: str, states: str, tasks: str, *, gone: bool = False) -> Recipe:
    """Return the recipe of an action that changes the state of a server; it also accepts a change in progress."""
    wanted, ways = frozenset(states.split()), frozenset(tasks.split())

    def is_there(found: Item, _sent: Item) -> bool:
        task = found.get("OS-EXT-STS:task_state")
        return task in ways or (task is None and found.get("OS-EXT-STS:vm_state") in wanted)

    return Recipe(
        path=ACTION,
        body=None,
        key=action,
        look=Look(path="{base}/servers/{server}", one="server", gone=gone),
        match=is_there,
        status=202,
        view=no_body,
    )


def _as_logged(_found: Item, _sent: Item) -> bool:
    return True


def _logged(action: str, name: str | None = None, **more: Any) -> Recipe:
    """Return the recipe of an action that is found as a new entry of the same user in nova's log of a server's actions.

    :param name: the name of the action in the log; None if it is ``action``
    """
    given: dict[str, Any] = {"body": None, "key": action, "view": no_body, "status": 202, "match": _as_logged}
    return Recipe(
        path=ACTION,
        look=Look(
            path="{base}/servers/{server}/os-instance-actions",
            list="instanceActions",
            holds={"action": name or action, "user_id": "{user}"},
            baseline="request_id",
            **more.pop("look", {}),
        ),
        **given | more,
    )


def _rebuilt(sent: list[Item], found: list[Item]) -> Item:
    """Return the fields of nova's response: the server, and the password."""
    return {"server": found[0] | {"adminPass": sent[0]["adminPass"]}}


def _rebuilt_location(_answer: Item, found: list[Item]) -> dict[str, str]:
    return location(found[0], found)


def _rescued(sent: list[Item], _found: list[Item]) -> Item:
    return {"adminPass": sent[0]["adminPass"]}


def _is_on_shared_storage(_found: Item, sent: Item) -> bool | None:
    """Return True if the disk is shared; else None, because the lost response had a password."""
    return True if str(sent["onSharedStorage"]).lower() in ("true", "1") else None


def _no_password(_sent: list[Item], _found: list[Item]) -> Item:
    return {"adminPass": None}


def _group(action: str, *, there: bool) -> Recipe:
    """Return the recipe of a server's security group, which nova adds to one port after another, or removes."""

    def is_done(found: Item, sent: Item) -> bool | None:
        name = sent[action].get("name")
        its = [each for each in found["security_groups"] if name in (each.get("id"), each.get("name"))]
        if not there:
            return not its
        if len({each.get("id") for each in its}) > 1:  # several projects have a group of this name
            return None
        return 0 < len(its) == len(found["interfaceAttachments"])  # nova lists the group once for each port that has it

    return Recipe(
        path=ACTION,
        body=None,
        key=action,
        look=Look(path="{base}/servers/{server}/os-security-groups", also="{base}/servers/{server}/os-interface"),
        match=is_done,
        status=202,
        view=no_body,
    )


def _harmless(action: str) -> Recipe:
    return Recipe(path=ACTION, body=None, key=action, harmless=True)


def _refused(action: str, why: str) -> Recipe:
    return Recipe(path=ACTION, body=None, key=action, refused=why)


ACTIONS = (
    _leads_to("os-start", "active", "powering-on"),
    _leads_to("os-stop", "stopped", "powering-off"),
    _leads_to("pause", "paused", "pausing"),
    _leads_to("unpause", "active", "unpausing"),
    _leads_to("suspend", "suspended", "suspending"),
    _leads_to("resume", "active", "resuming"),
    _leads_to(
        "shelve",
        "shelved shelved_offloaded",
        "shelving shelving_image_pending_upload shelving_image_uploading shelving_offloading",
    ),
    _leads_to("shelveOffload", "shelved_offloaded", "shelving_offloading"),
    _leads_to("unshelve", "active", "unshelving spawning networking block_device_mapping"),
    _leads_to("forceDelete", "deleted", "deleting", gone=True),
    _group("addSecurityGroup", there=True),
    _group("removeSecurityGroup", there=False),
    *(
        _harmless(action)
        for action in (
            "lock",
            "unlock",
            "changePassword",
            "os-resetState",
            "os-getConsoleOutput",
            "os-getVNCConsole",
            "os-getSPICEConsole",
            "os-getRDPConsole",
            "os-getSerialConsole",
        )
    ),
    _logged("reboot"),
    _logged("resize"),
    _logged("confirmResize", status=204),
    _logged("revertResize"),
    _logged("migrate"),
    _logged("os-migrateLive", "live-migration", since=(2, 34)),
    # Below 2.34 nova answers after it has tried, so it may refuse an action that its log already shows (T17).
    _refused("os-migrateLive", "below 2.34 nova may log the migration and still refuse it"),
    _logged("unrescue"),
    _logged(
        "rebuild",
        body="rebuild",
        chosen={"adminPass": password},
        look={"then": "{base}/servers/{server}", "one": "server"},
        wrapped=False,
        view=_rebuilt,
        headers=_rebuilt_location,
    ),
    _logged(
        "rescue",
        body="rescue",
        optional=True,
        chosen={"adminPass": password},
        wrapped=False,
        status=200,
        view=_rescued,
    ),
    _logged("evacuate", since=(2, 14), status=200),
    _logged(  # nova sets no password on a disk that exists already
        "evacuate",
        body="evacuate",
        given=("onSharedStorage",),
        match=_is_on_shared_storage,
        wrapped=False,
        status=200,
        view=_no_password,
    ),
    _logged("evacuate", body="evacuate", chosen={"adminPass": password}, wrapped=False, status=200, view=_rescued),
    _refused("createBackup", "a second backup deletes another of the older ones"),
    Recipe(path=ACTION, body=None, refused="the server does not show whether this action was done"),
)
