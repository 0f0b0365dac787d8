"""A misbehaving HTTP server on loopback: it sends the bytes that a test has planned, and records every request.

It handles sockets and HTTP/1.1, and nothing of OpenStack. Two functions of the caller (`cloud.py`) give the name of a
request and the answer of a healthy service. Nothing here sleeps; a stall lasts until the test releases it.
"""

import contextlib
import io
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import repeat


class Headers(dict):
    """The headers of a request by lower-case name; the last one of a name wins."""

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)

    def __contains__(self, name):
        return super().__contains__(name.lower())


@dataclass(frozen=True)
class Request:
    """One request as it arrived. `body` is None where the plan was to hang up before reading it."""

    kind: str
    method: str
    target: str
    headers: Headers
    body: bytes | None
    door: str

    @property
    def path(self):
        return self.target.partition("?")[0]


# -- what may be planned: each step is told the socket, and says whether the connection may be used again


@dataclass(frozen=True)
class Answer:
    """A response. `cut` sends only so many bytes of the body and then ends the connection as `ending` says."""

    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    content_type: str = "application/json"
    chunked: bool = False
    cut: int | None = None
    ending: str = "fin"  # fin, reset, or stall: nothing more comes until release()

    def perform(self, exchange):
        head = {"Content-Type": self.content_type, **self.headers}
        if self.chunked:
            head["Transfer-Encoding"] = "chunked"
        elif self.status != HTTPStatus.NO_CONTENT and "Content-Length" not in head:
            head["Content-Length"] = str(len(self.body))
        try:
            reason = HTTPStatus(self.status).phrase
        except ValueError:
            reason = "Unheard Of"
        lines = [f"HTTP/1.1 {self.status} {reason}", *(f"{name}: {value}" for name, value in head.items())]
        wire = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        body = b"" if exchange.request.method == "HEAD" else self.body
        if self.chunked:
            # A cut leaves the announced chunk short.
            wire += b"%x\r\n" % len(body) + (body + b"\r\n0\r\n\r\n" if self.cut is None else body[: self.cut])
        else:
            wire += body[: self.cut]
        exchange.socket.sendall(wire)
        if self.cut is None:
            return True
        if self.ending == "stall":
            exchange.wait_for_release()
        elif self.ending == "reset":
            exchange.reset()
        return False


@dataclass(frozen=True)
class HangUp:
    """No answer: FIN, or RST with `reset`; after the whole request was read, or with its body unread."""

    reset: bool = False
    read_body: bool = True

    def perform(self, exchange):
        if self.reset:
            exchange.reset()
        return False


@dataclass(frozen=True)
class Stall:
    """No answer until release(), then the healthy one (or `then`), which may meet a caller who has gone."""

    then: object = None

    def perform(self, exchange):
        exchange.wait_for_release()
        return (self.then or exchange.healthy()).perform(exchange)


@dataclass(frozen=True)
class Garbage:
    """Bytes that are no HTTP."""

    wire: bytes = b"\x15\x03\x01\x00\x02\x02\x46 this is not HTTP\r\n\r\n"

    def perform(self, exchange):
        exchange.socket.sendall(self.wire)
        return False


class _Plan:
    """The steps for the next requests that match; `used` counts those taken."""

    def __init__(self, steps: Iterable, matches: Callable[[Request], bool]):
        self._steps = iter(steps)
        self._matches = matches
        self.used = 0

    def take(self, request):
        if not self._matches(request):
            return None
        step = next(self._steps, None)
        self.used += step is not None
        return step


class _Exchange:
    """One request and the socket that its answer goes to."""

    def __init__(self, server, sock, request):
        self._server = server
        self.socket = sock
        self.request = request

    def healthy(self):
        return self._server.respond(self.request)

    def reset(self):
        # Close sends RST instead of FIN once lingering is on for zero seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def wait_for_release(self):
        self._server.released.wait()


class Door:
    """One listening port of the server; shut, it refuses connections, and nobody else can take the port."""

    def __init__(self, server, name):
        self._server = server
        self.name = name
        self._socket = self._bind(0)
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        self._drop = 0
        self._live: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._accepting = None
        self.open()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @staticmethod
    def _bind(port):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        return sock

    def open(self):
        if self._accepting is None:
            self._socket.listen(128)
            self._accepting = threading.Thread(target=self._accept, name=f"accept {self.name}", daemon=True)
            self._accepting.start()

    def shut(self):
        """Refuse every connection from now on, and close those that callers keep alive."""
        if self._accepting is not None:
            self._stop()
            self._socket = self._bind(self.port)  # bound and not listening is what refuses

    def hang_up(self):
        """Close the connections that callers keep alive: the next request needs a new one."""
        with self._lock:
            live, threads = list(self._live), self._threads
            self._threads = []
        for sock in live:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()

    def reset_connections(self, number):
        """Reset the next `number` connections before a byte of them is read."""
        self.hang_up()
        self._drop = number

    def close(self):
        if self._accepting is not None:
            self._stop()
        else:
            self._socket.close()

    def _stop(self):
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept(); closing alone does not
        self._accepting.join()
        self._accepting = None
        self._socket.close()
        self.hang_up()

    def _accept(self):
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            if self._drop:
                self._drop -= 1
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
                continue
            thread = threading.Thread(target=self._converse, args=(sock,), name=f"serve {self.name}", daemon=True)
            with self._lock:
                self._live.add(sock)
                self._threads = [known for known in self._threads if known.is_alive()]
                self._threads.append(thread)
                thread.start()

    def _converse(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock, sock.makefile("rb") as stream:
            try:
                while self._server.converse_once(self, sock, stream):
                    pass
            except OSError:
                pass  # the caller went first
            finally:
                with self._lock:
                    self._live.discard(sock)


class Server:
    """Doors, plans and the record. `classify(door, method, path)` names a request's kind; `respond(request)` is the healthy answer."""

    def __init__(self, doors, classify, respond):
        self._classify = classify
        self.respond = respond
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._plans: list[_Plan] = []
        self._record: list[Request] = []
        self.doors = {name: Door(self, name) for name in doors}

    def plan(self, *steps, kind: str | None = "api", method: str | None = None, path: str = ""):
        """Give the next requests of that kind, method and path (a regular expression, searched) these answers, one each.

        Plans are asked in the order they were made; a request that no plan has a step for gets the healthy answer.
        """
        return self._add(steps, kind, method, path)

    def always(self, step, *, kind: str | None = "api", method: str | None = None, path: str = ""):
        """Give every such request this answer, until clear()."""
        return self._add(repeat(step), kind, method, path)

    def _add(self, steps, kind, method, path):
        pattern = re.compile(path)

        def matches(request):
            return (
                (kind is None or request.kind == kind)
                and (method is None or request.method == method)
                and pattern.search(request.target) is not None
            )

        plan = _Plan(steps, matches)
        with self._lock:
            self._plans.append(plan)
        return plan

    def wait_for(self, number: int, kind: str | None = "api", method: str | None = None, path: str = "") -> None:
        """Wait until so many have arrived, where the caller did not wait for an answer; five seconds are a failure."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._matching(kind, method, path)) >= number, timeout=5):
                raise AssertionError(f"fewer than {number} requests came: {self._record}")

    def requests(self, kind: str | None = "api", method: str | None = None, path: str = "") -> list[Request]:
        """The requests that arrived since clear(), in order."""
        with self._lock:
            return self._matching(kind, method, path)

    def _matching(self, kind, method, path):
        return [
            request
            for request in self._record
            if kind in {None, request.kind} and method in {None, request.method} and re.search(path, request.target)
        ]

    def count(self, kind: str | None = "api", method: str | None = None, path: str = "") -> int:
        return len(self.requests(kind, method, path))

    def release(self):
        """End every stall under way; stalls planned from now on wait for the next release."""
        with self._lock:
            self.released.set()
            self.released = threading.Event()

    def clear(self):
        """Forget plans and record, end stalls, open every door."""
        with self._lock:
            self._plans.clear()
            self._record.clear()
        self.release()
        for door in self.doors.values():
            door._drop = 0
            door.open()

    def close(self):
        with self._lock:
            self._plans.clear()
        self.release()
        for door in self.doors.values():
            door.close()

    def converse_once(self, door, sock, stream):
        """Read one request, record it, do what is planned; say whether the connection goes on."""
        line = stream.readline(65537)
        if not line.strip():
            return False
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = Headers()
        for raw in iter(stream.readline, b"\r\n"):
            if not raw:
                return False
            name, _, value = raw.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        kind = self._classify(door.name, method, target.partition("?")[0])
        request = Request(kind, method, target, headers, None, door.name)
        step = self._choose(request)
        if getattr(step, "read_body", True):
            request = Request(kind, method, target, headers, _read_body(stream, headers), door.name)
        with self._arrived:
            self._record.append(request)
            self._arrived.notify_all()
        step = step or self.respond(request)
        return step.perform(_Exchange(self, sock, request)) and headers.get("connection", "").lower() != "close"

    def _choose(self, request):
        with self._lock:
            for plan in self._plans:
                if (step := plan.take(request)) is not None:
                    return step
        return None


def _read_body(stream: io.BufferedReader, headers: Headers) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return b"".join(_chunks(stream))
    return stream.read(int(headers.get("content-length", 0)))


def _chunks(stream) -> Iterator[bytes]:
    while size := int(stream.readline().split(b";")[0] or b"0", 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()
