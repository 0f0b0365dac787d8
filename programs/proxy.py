"""An HTTP forward proxy that misbehaves: `http_proxy` points a program at it, and a plan says what goes wrong.

It stands where a load balancer stands, between the clients and the services; what the services say to each other does
not pass it. It shares no code with `os_retries.faults`, and knows nothing of OpenStack. To try it by hand:

    python programs/proxy.py --plan mixed --seed 1 --port 3128 --journal faults.jsonl
    http_proxy=http://127.0.0.1:3128 openstack server list
"""

import argparse
import asyncio
import json
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from plans import PLANS, READS, Fault, Plan, kind_of

HOP_BY_HOP = frozenset({"connection", "proxy-connection", "keep-alive", "proxy-authorization", "expect"})
PAGE = """<html>
<head><title>{status} {reason}</title></head>
<body>
<center><h1>{status} {reason}</h1></center>
<hr><center>nginx</center>
</body>
</html>
"""
REASONS = {501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Time-out"}
BUSY = {"error": {"code": 503, "title": "Service Unavailable", "message": "The server is currently unavailable."}}


@dataclass
class Message:
    """A request, or an answer: the head's lines, and the body as it is on the wire (chunks included)."""

    start: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    ends_by_closing: bool = False

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def to_wire(self, *extra: tuple[str, str]) -> bytes:
        kept = [(key, value) for key, value in self.headers if key.lower() not in HOP_BY_HOP]
        lines = [self.start, *(f"{key}: {value}" for key, value in [*kept, *extra])]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def read_message(reader: asyncio.StreamReader, *, answers: str = "") -> Message | None:
    """Read a request, or the answer to the verb ``answers``; None when the other side has closed before it began."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    start, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    message = Message(start, [(key, value.strip()) for key, _, value in (line.partition(":") for line in lines)])
    status = int(start.split(" ")[1]) if answers else 0
    if answers == "HEAD" or status in (204, 304):
        return message
    if "chunked" in message.header("transfer-encoding").lower():
        message.body = await _chunks(reader)
    elif length := message.header("content-length"):
        message.body = await reader.readexactly(int(length))
    elif answers:
        message.body, message.ends_by_closing = await reader.read(), True
    return message


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += line
        if size == 0:
            while (trailer := await reader.readuntil(b"\r\n")) != b"\r\n":
                body += trailer
            return body + b"\r\n"
        body += await reader.readexactly(size + 2)


def own_answer(status: int, *, page: bool = True, retry_after: int | None = None) -> Message:
    """Answer in the service's place: with a gateway's page, or as a busy service of OpenStack does."""
    body = (PAGE.format(status=status, reason=REASONS[status]) if page else json.dumps(BUSY)).encode()
    headers = [("Content-Type", "text/html" if page else "application/json"), ("Content-Length", str(len(body)))]
    if not page:
        headers.append(("X-Openstack-Request-Id", f"req-{time.time_ns():032x}"))
    if retry_after is not None:
        headers.append(("Retry-After", str(retry_after)))
    return Message(f"HTTP/1.1 {status} {REASONS[status]}", headers, body)


async def forward(request: Message, method: str, url: str) -> Message:
    """Ask the service; whatever it says is the answer, and a service that is away is a 502."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    asked = Message(f"{method} {path} HTTP/1.1", request.headers)
    writer = None
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        writer.write(asked.to_wire(("Connection", "close")) + request.body)
        await writer.drain()
        answer = await read_message(reader, answers=method)
        while answer is not None and answer.start.split(" ")[1] == "100":
            answer = await read_message(reader, answers=method)
        return answer or own_answer(502)
    except (OSError, asyncio.IncompleteReadError):
        return own_answer(502)
    finally:
        if writer is not None:
            writer.close()


class Proxy:
    """The proxy in a thread of its own: `with Proxy(plan, journal) as proxy: proxy.url`."""

    def __init__(self, plan: Plan, journal: Path, port: int = 0) -> None:
        self.plan, self.journal, self.port = plan, journal, port
        self._number = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._file = self.journal.open("a")
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._file.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 20))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_message(reader)) is not None:
                if not await self._answer(request, writer):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or we are stopping
        finally:
            writer.close()

    async def _answer(self, request: Message, writer: asyncio.StreamWriter) -> bool:
        """Do to one request what the plan says; whether the connection stays open."""
        method, url, _version = request.start.split(" ")
        if not url.startswith("http://"):
            writer.write(own_answer(501).to_wire(("Connection", "close")))
            return False
        kind = kind_of(method, url, request.body, self.plan.run)
        fault = self.plan.fault(method, url, kind, time.monotonic())
        answer = None
        if fault is None or fault.processed:
            answer = await forward(request, method, url)
        self._note(request, method, url, kind, fault, answer)
        return await self._send(fault, answer, writer)

    async def _send(self, fault: Fault | None, answer: Message | None, writer: asyncio.StreamWriter) -> bool:
        match fault.name if fault else None:
            case "refused":
                answer = own_answer(503, page=False, retry_after=1 if fault.choice < 0.5 else None)
            case "page-before":
                answer = own_answer(503 if fault.choice < 0.6 else 502 if fault.choice < 0.9 else 504)
            case "page-after":
                answer = own_answer(502 if fault.choice < 0.6 else 504)
            case "dropped" | "lost":
                return _hang_up(writer, reset=fault.choice < 0.5)
            case "cut":
                if len(answer.body) < 2:
                    return _hang_up(writer, reset=fault.choice < 0.5)
                writer.write(answer.to_wire() + answer.body[: len(answer.body) // 2])
                await writer.drain()
                return False
        writer.write(answer.to_wire(*([("Connection", "close")] if answer.ends_by_closing else [])) + answer.body)
        await writer.drain()
        return not answer.ends_by_closing

    def _note(
        self, request: Message, method: str, url: str, kind: str, fault: Fault | None, answer: Message | None
    ) -> None:
        self._number += 1
        entry: dict[str, Any] = {
            "number": self._number,
            "time": round(time.time(), 3),
            "method": method,
            "url": url,
            "kind": kind,
            "fault": fault.name if fault else None,
            "processed": answer is not None,
            "status": int(answer.start.split(" ")[1]) if answer else None,
            "request_id": answer.header("x-openstack-request-id") if answer else "",
        }
        if method not in READS:
            entry["body"] = request.body[:2000].decode(errors="replace")
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()


def _hang_up(writer: asyncio.StreamWriter, *, reset: bool) -> bool:
    """Close the connection without an answer, in one of the two ways in which a client can see it."""
    if reset:
        # Linger for no time: the kernel sends RST instead of FIN.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", choices=PLANS, default="mixed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, help="share of the requests that meet a fault")
    parser.add_argument("--outage", type=float, nargs=2, default=(20, 8.0), metavar=("REQUEST", "SECONDS"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", type=Path, default=Path("/dev/stdout"))
    options = parser.parse_args()
    begin, seconds = options.outage
    plan = Plan(options.plan, seed=options.seed, rate=options.rate, outage=(int(begin), seconds))
    with Proxy(plan, options.journal, options.port) as proxy:
        print(f"http_proxy={proxy.url}", file=sys.stderr, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
