"""Measure what operations cost, on the real services of the sandbox.

Each kind of resource is created in turn in five ways: without an operation, in one, in one that has a single writer, in
one with a note (--state), and in one with both.  It prints the requests that each way sends, and the ratios of the
median times to those without.  The first create of each way is not counted: with a note it lists all resources of its
kind.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import openstack
import requests.adapters

import os_retries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = f"bench-{uuid.uuid4().hex[:8]}"


def kinds(cloud: Any) -> dict[str, tuple[Callable[[], Any], Callable[[Any], object]]]:
    """Return for each kind a function that creates one, and one that removes it."""
    flavor, image = cloud.compute.find_flavor("tiny").id, cloud.image.find_image("cirros").id
    network = cloud.network.find_network("private").id
    server = {"name": NAME, "flavor_id": flavor, "image_id": image, "networks": "none"}
    formats = {"disk_format": "raw", "container_format": "bare"}
    return {
        "volume": (
            lambda: cloud.block_storage.create_volume(name=NAME, size=1),
            lambda made: cloud.delete_volume(cloud.block_storage.wait_for_status(made, interval=0.2).id),
        ),
        "server": (lambda: cloud.compute.create_server(**server), cloud.compute.delete_server),
        "network": (lambda: cloud.network.create_network(name=NAME), cloud.network.delete_network),
        "port": (
            lambda: cloud.network.create_port(name=NAME, network_id=network),
            cloud.network.delete_port,
        ),
        "image": (
            lambda: cloud.image.create_image(NAME, allow_duplicates=True, wait=False, **formats),
            cloud.image.delete_image,
        ),
    }


@contextlib.contextmanager
def counting() -> Iterator[list[str]]:
    """Yield the verbs of the requests that are sent."""
    sent: list[str] = []
    send = requests.adapters.HTTPAdapter.send

    def counted(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(request.method)
        return send(adapter, request, *args, **kwargs)

    requests.adapters.HTTPAdapter.send = counted  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        requests.adapters.HTTPAdapter.send = send  # type: ignore[method-assign]


@dataclass
class Way:
    """One way to create: in the operation, if there is one, with the policy."""

    name: str
    operation: os_retries.Operation | None = None
    policy: os_retries.RetryPolicy = field(default_factory=os_retries.RetryPolicy)
    times: list[float] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)


def ways(folder: str) -> list[Way]:
    """Return the ways, with new keys and notes."""

    def operation(*, noted: bool = False) -> os_retries.Operation:
        key = uuid.uuid4().hex
        return os_retries.operation(key, state=f"{folder}/{key}" if noted else None)

    alone = os_retries.RetryPolicy(single_writer=True)
    return [
        Way("without"),
        Way("an operation", operation()),
        Way("single writer", operation(), alone),
        Way("note", operation(noted=True)),
        Way("both", operation(noted=True), alone),
    ]


def measure(cloud: Any, kind: str, create: Callable[[], Any], remove: Callable[[Any], object], rounds: int) -> None:
    """Print what each way to create one kind costs."""
    remove(create())  # discovery, and what neutron is asked once
    with tempfile.TemporaryDirectory() as folder:
        all_ways = ways(folder)
        for number in range(rounds + 1):
            for way in all_ways:
                os_retries.attach(cloud, way.policy)
                with way.operation or contextlib.nullcontext(), counting() as sent:
                    began = time.perf_counter()
                    made = create()
                    if number:
                        way.times.append(time.perf_counter() - began)
                way.verbs = sent
                remove(made)
    base = statistics.median(all_ways[0].times)
    for way in all_ways:
        ratio = statistics.median(way.times) / base
        print(
            f"{kind if way is all_ways[0] else '':8} {way.name:14} {', '.join(way.verbs):32} {ratio:6.2f}", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="creates of each kind, each way (default: %(default)s)")
    rounds = parser.parse_args().rounds
    os.environ.setdefault("OS_CLOUD", "demo")
    cloud = openstack.connect()
    os_retries.attach(cloud)
    print(f"{'':8} {'':14} {'requests':32} {'time':>6}")
    for kind, (create, remove) in kinds(cloud).items():
        measure(cloud, kind, create, remove, rounds)


if __name__ == "__main__":
    main()
