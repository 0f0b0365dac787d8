"""A service on 127.0.0.1 that fails: tokens and API versions are answered, and every other request fails.

It speaks for all services at once, each below a path of its own, and records the requests that failed.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

_PROJECT = "0123456789abcdef0123456789abcdef"

#: A lost answer: the connection is closed after the whole request was read.
LOST = 0


@dataclass(frozen=True, slots=True)
class _Service:
    """Where a service is, and what it says about its versions.

    ``types``
        Its types in the catalog.
    ``path``
        The path of its endpoint in the catalog.
    ``version``, ``newest``, ``oldest``
        Its version, and its newest and oldest microversion.
    """

    types: tuple[str, ...]
    path: str
    version: str
    newest: str = ""
    oldest: str = ""

    @property
    def root(self) -> str:
        return self.path.split("/")[1]


_IDENTITY = _Service(("identity",), "/identity/v3", "v3.14")
_SERVICES = (
    _IDENTITY,
    _Service(("compute",), "/compute/v2.1", "v2.1", "2.96", "2.1"),
    _Service(("block-storage", "volumev3", "volume"), f"/volume/v3/{_PROJECT}", "v3.0", "3.71", "3.0"),
    _Service(("orchestration",), f"/heat-api/v1/{_PROJECT}", "v1.0"),
    _Service(("network",), "/networking", "v2.0"),
    _Service(("image",), "/image", "v2.16"),
    _Service(("object-store",), f"/object/v1/AUTH_{_PROJECT}", ""),
    _Service(("sharev2", "shared-file-system"), "/share/v2", "v2.0", "2.87", "2.0"),
    _Service(("key-manager",), "/key-manager", "v1", "1.1", "1.0"),
    _Service(("container-infra",), "/container-infra/v1", "v1", "1.11", "1.1"),
    _Service(("dns",), "/dns", "v2"),
    _Service(("load-balancer",), "/load-balancer", "v2.27"),
    _Service(("baremetal",), "/baremetal", "v1", "1.93", "1.1"),
    _Service(("data-processing",), f"/data-processing/v1.1/{_PROJECT}", "v1.1"),
    _Service(("database",), f"/database/v1.0/{_PROJECT}", "v1.0"),
    _Service(("workflow", "workflowv2"), "/workflow/v2", "v2.0"),
)
_BY_ROOT = {service.root: service for service in _SERVICES}
# The root of a version is a document about it: "/", "/v2", "/v3/<project>/"; swift has none.
_VERSION_ROOT = re.compile(rf"(/v\d+(\.\d+)?)?(/{_PROJECT})?/?")
# glanceclient reads a schema before it creates an image.
_SCHEMA = re.compile(r"/v2/schemas/\w+")


class Server(ThreadingTCPServer):
    """The service, in threads of this process.

    ``failure``
        The status of every request that fails, or ``LOST``.
    ``retry_after``
        The Retry-After of those answers; None for none.
    ``failed``
        The verb of each request that failed, since ``fail`` was called.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.failure = LOST
        self.retry_after: int | None = None
        self.failed: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), name="os-retries check", daemon=True).start()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def auth_url(self) -> str:
        """The address of keystone."""
        return self.url + _IDENTITY.path

    def endpoint(self, service_type: str) -> str:
        """Return the endpoint of a service type."""
        return self.url + next(each.path for each in _SERVICES if service_type in each.types)

    def fail(self, failure: int, retry_after: int | None = None) -> None:
        """Fail in this way from now on, and forget the requests so far."""
        self.failure, self.retry_after, self.failed = failure, retry_after, []

    def healthy(self, path: str) -> tuple[int, Any, dict[str, str]] | None:
        """Return status, body and headers for a token, an API version or a schema; None for any other request."""
        root, _, rest = path.lstrip("/").partition("/")
        service, rest = _BY_ROOT.get(root), f"/{rest}"
        if path == f"{_IDENTITY.path}/auth/tokens":
            return 201, {"token": self._token()}, {"X-Subject-Token": "token"}
        if service is None or not service.version:
            return None
        if _VERSION_ROOT.fullmatch(rest):
            return self._versions(service, rest)
        if _SCHEMA.fullmatch(rest):
            properties = {name: {"type": ["null", "string"]} for name in ("id", "name", "status")}
            return 200, {"name": "image", "properties": properties, "additionalProperties": {"type": "string"}}, {}
        return None

    def _token(self) -> dict[str, Any]:
        domain = {"id": "default", "name": "Default"}
        return {
            "methods": ["password"],
            "expires_at": "2999-01-01T00:00:00.000000Z",
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "user": {"id": "user", "name": "check", "domain": domain},
            "project": {"id": _PROJECT, "name": "check", "domain": domain},
            "roles": [{"id": "role", "name": "admin"}],
            "catalog": [self._entry(kind, each) for each in _SERVICES for kind in each.types],
        }

    def _entry(self, kind: str, service: _Service) -> dict[str, Any]:
        faces = [
            {"id": face, "interface": face, "region": "one", "region_id": "one", "url": self.url + service.path}
            for face in ("public", "internal", "admin")
        ]
        return {"type": kind, "name": service.types[0], "id": kind, "endpoints": faces}

    def _versions(self, service: _Service, rest: str) -> tuple[int, Any, dict[str, str]]:
        # The address of a version has the whole number, but for the services whose endpoint has both.
        number = service.version if f"/{service.version}" in service.path else service.version.partition(".")[0]
        number = "v2.0" if service.types == ("network",) else number
        entry: dict[str, Any] = {
            "id": service.version,
            "status": "stable" if service is _IDENTITY else "CURRENT",
            "updated": "2020-01-01T00:00:00Z",
            "links": [{"rel": "self", "href": f"{self.url}/{service.root}/{number}/"}],
        }
        headers = {}
        if service.newest:
            entry |= {"version": service.newest, "min_version": service.oldest, "max_version": service.newest}
        if "baremetal" in service.types:
            name = "X-OpenStack-Ironic-API"
            headers = {
                f"{name}-Minimum-Version": service.oldest,
                f"{name}-Maximum-Version": service.newest,
                f"{name}-Version": service.oldest,
            }
        if rest.strip("/"):
            return 200, {"version": entry}, headers
        if service is _IDENTITY:
            return 300, {"versions": {"values": [entry]}}, headers
        return 200, {"versions": [entry], "default_version": entry}, headers


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        self._read_body()
        answer = self.server.healthy(self.path.partition("?")[0])
        if answer is None:
            self.server.failed.append(self.command)
            self._fail()
            return
        status, content, headers = answer
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json", **headers})

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _fail(self) -> None:
        if self.server.failure == LOST:
            self.close_connection = True
            return
        # A page of a gateway: the one body that every client can read.
        headers = {"Content-Type": "text/html"}
        if self.server.retry_after is not None:
            headers["Retry-After"] = str(self.server.retry_after)
        self._send(self.server.failure, b"<html><body><h1>Try again later.</h1></body></html>", headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _read_body(self) -> None:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            self.rfile.read(size + 2)
        self.rfile.readline()

    def log_message(self, *_: object) -> None:
        """Write nothing to standard error."""
