"""serve.py NAME STATE FINGERPRINT PORT=FD...: run one service of the sandbox, its API and the workers behind it.

The Python of the virtual environment runs this. Everything is a thread of one process, because fake:// passes messages
in memory. The controlling program has already opened the sockets, so that two sandboxes cannot choose the same port,
and so that an early client waits instead of being refused.
"""

import faulthandler
import importlib
import os
import select
import signal
import socket
import sys
import traceback
import types
from pathlib import Path

THREADS = 16


def main() -> None:
    name, state, _fingerprint, *pairs = sys.argv[1:]
    sockets = {int(port): int(fd) for port, _, fd in (pair.partition("=") for pair in pairs)}
    for fd in sockets.values():
        os.set_inheritable(fd, False)  # otherwise a program that a service starts would keep the port open
    here = Path(__file__).resolve().parent
    sys.path.insert(0, str(here / "plugins"))
    keep_our_name()

    from control.cloud import Cloud

    # Not `from services import ALL`, because in this environment the services' names are also names of packages.
    service = importlib.import_module("services").KNOWN[name]
    cloud = Cloud.load(Path(state))
    if service.run:
        service.run(cloud, sockets)
        return
    from services import policies, sqlite

    sqlite.tune()
    policies.one_at_a_time()
    app = service.app(cloud)
    stop_at_once()  # again: some services set a handler of their own
    import waitress

    waitress.serve(
        app,
        sockets=[socket.socket(fileno=fd) for fd in sockets.values()],
        threads=THREADS,
        ident=None,
        # A dozen clients and seven services keep their connections open, and select() is limited to 1023 descriptors.
        connection_limit=1000,
        # eventlet takes poll() away when it patches the standard library.
        asyncore_use_poll=hasattr(select, "poll"),
        max_request_body_size=1 << 40,
        _quiet=True,
    )


def keep_our_name() -> None:
    """Keep setproctitle, which neutron loads, from changing our arguments: the controlling program finds us by them."""
    sys.modules["setproctitle"] = types.SimpleNamespace(
        getproctitle=lambda: " ".join(sys.orig_argv), setproctitle=lambda _title: None
    )


def stop_at_once() -> None:
    # The threads of the services would take up to a minute to end by themselves.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def explain(error: BaseException) -> None:
    """Print the traceback, and at the end the error that started the chain."""
    traceback.print_exception(error)
    while cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = cause
    print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)  # `kill -USR1 PID` writes what every thread does to the log
    stop_at_once()
    try:
        main()
    except BaseException as error:
        explain(error)
    finally:
        os._exit(1)  # otherwise running threads would keep alive a process that does not listen
