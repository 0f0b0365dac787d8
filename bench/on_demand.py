"""Count duplicates and orphans of creates of a service that the sandbox starts on demand: `duplicates.py --with NAME`.

The kinds of creates are those of the tests (tests/cloud/creates), in turn.  After each create the service is asked,
without faults, what exists, and all of it is deleted again.
"""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keystoneauth1.identity import v3
from keystoneauth1.session import Session

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tests.cloud.creates import EXTRAS, Clients, Kind

from os_retries.faults import AtRandom, Faults, only

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from duplicates import Result, Way


def compete(
    way: Way, result: Result, arguments: argparse.Namespace, auth: dict[str, Any], progress: Callable[..., None]
) -> Result:
    """Create the resources in one way, and add to the counts of the result.

    :param auth: the credentials of the administrator; the kinds of ordinary users are created by ``demo``
    """
    kinds = {name: kind for name, kind in EXTRAS[arguments.extra].items() if not kind.later}
    creates = [only(service=kind.service, verb=kind.verb, path=f"{kind.path}$") for kind in kinds.values()]
    counted = AtRandom(
        lost=arguments.lost,
        refused=arguments.refused,
        statuses=(503,),
        retry_after=(None,),
        only=lambda request: any(is_one(request) for is_one in creates),
    )
    services = {kind.service for kind in kinds.values()}
    looks = AtRandom(
        refused=arguments.refused,
        statuses=(503,),
        retry_after=(None,),
        only=lambda request: request.verb == "GET" and request.service in services,
    )
    faults = Faults(seed=arguments.seed)  # without rules while everything is prepared
    accounts = {
        name: auth | {"username": name, "project_name": name} for name in {kind.account for kind in kinds.values()}
    }
    clean = {name: Clients(Session(v3.Password(**account))) for name, account in accounts.items()}
    clients = {
        name: Clients(Session(v3.Password(**account), session=faults.session())) for name, account in accounts.items()
    }
    settings = {name: kind.setting(clean[kind.account]) for name, kind in kinds.items()}
    for name, kind in kinds.items():
        kind.prepare(clients[kind.account])
        made = kind.create(clients[kind.account], settings[name], unique())  # what the clients ask for once
        _remove(kind, clean[kind.account], settings[name], kind.ids(made))
    for each in clients.values():
        way.prepare(each.session)
    faults.rules = counted, looks
    faults.record.clear()
    order = list(kinds)
    for number in range(arguments.creates):
        name = order[number % len(order)]
        kind, setting, label = kinds[name], settings[name], unique()
        told: list[str] | None = None
        try:
            told = kind.ids(way.call(kind.create, clients[kind.account], setting, label))
        except Exception as error:  # whichever client's
            result.errors.append(f"{name}: {' '.join([str(error), *getattr(error, '__notes__', ())])}")
        there = [kind.id_of(each) for each in kind.listed(clean[kind.account], setting, label)]
        result.failed += told is None
        result.orphans += told is None and bool(there)
        result.duplicates += max(0, len(there) - kind.number)
        result.untrue += told is not None and not set(told) <= set(there)
        _remove(kind, clean[kind.account], setting, there)
        progress(way.name, number + 1, arguments.creates)
    sent = [entry.request for entry in faults.record if not entry.request.token and not entry.request.discovery]
    result.creates = sum(any(is_one(request) for is_one in creates) for request in sent)
    result.others, result.faults = len(sent) - result.creates, len(faults.injected)
    return result


def unique() -> str:
    """Return a name that no other create has."""
    return f"rt{uuid.uuid4().hex[:10]}"


def _remove(kind: Kind, clean: Clients, setting: Any, identities: list[str]) -> None:
    for each in identities:
        kind.delete(clean, setting, each)
