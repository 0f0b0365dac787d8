"""A program that is killed and run again, for bench/duplicates.py: plain, and in an operation.

Each life is a child process that makes all resources from the first one on.  It is killed with SIGKILL right after the
service has processed one of its creates, so that it never learns the id.  The last life is not killed.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING, Any

import requests.adapters

from os_retries import attach, operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keystoneauth1.session import Session

Told = dict[tuple[str, str], str | None]
#: The shares of the creates after which a life is killed: of 15 the 3rd, the 8th and the 13th.
DEATHS = (3 / 15, 8 / 15, 13 / 15)


def in_lives(
    make_session: Callable[[], Session],
    makers_of: Callable[[Session], Mapping[str, Callable[[str], str]]],
    names: Sequence[tuple[str, str]],
    key: str | None,
    is_create: Callable[[str, str], bool],
) -> tuple[Told, int, int]:
    """Run the program until it ends; return what its last life was told, and the creates and other requests of all.

    :param names: the kind and the name of each resource
    :param key: the key of the operation; None for a program without os-retries
    :param is_create: whether a verb and a path are those of a create that is counted
    """
    counts = multiprocessing.Array("i", 2)
    for share in (*DEATHS, None):
        dies_after = None if share is None else round(share * len(names))
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            with contextlib.suppress(BaseException):
                _count(counts, is_create, dies_after)
                session = make_session()
                told = _live(attach(session) if key else session, makers_of, names, key)
                os.write(writer, json.dumps(told).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            text = file.read()
        os.waitpid(child, 0)
    return dict(zip(names, json.loads(text), strict=True)), counts[0], counts[1]


def _live(session: Session, makers_of: Any, names: Sequence[tuple[str, str]], key: str | None) -> list[str | None]:
    makers = makers_of(session)
    told: list[str | None] = []
    with operation(key) if key else contextlib.nullcontext():
        for kind, name in names:
            try:
                told.append(makers[kind](name))
            except Exception:  # whichever client's; it counts as failed
                told.append(None)
    return told


def _count(counts: Any, is_create: Callable[[str, str], bool], dies_after: int | None) -> None:
    """Count the requests of this process, but those for tokens, and kill it after that create."""
    send = requests.adapters.HTTPAdapter.send
    made = [0]

    def counted(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        response = send(adapter, request, *args, **kwargs)
        if not request.url.endswith("/auth/tokens"):
            create = is_create(request.method, request.url.partition("?")[0])
            counts[0 if create else 1] += 1
            made[0] += create
            if create and made[0] == dies_after:
                os.kill(os.getpid(), signal.SIGKILL)
        return response

    requests.adapters.HTTPAdapter.send = counted  # type: ignore[method-assign]
