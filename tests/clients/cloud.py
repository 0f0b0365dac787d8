"""A small simulated cloud: keystone and, at a second port, enough of every other service for its real client to work.

Two tables (SERVICES: where a service is and what it says about its versions; COLLECTIONS: its resources) and the few answers that
fit no table. Only the bytes of uploads are remembered. Errors have the format of each service, from DIALECTS.
"""

import json
import re
from dataclasses import dataclass

from tests.clients.server import Answer, Server

PROJECT = "0123456789abcdef0123456789abcdef"
ID = "11111111-2222-4333-8444-555555555555"
REQUEST_ID = "req-deadbeef-0000-4000-8000-000000000001"


# -- the services


@dataclass(frozen=True)
class Service:
    """Where a service is (`path`: what its catalog entry says), and its version document: id, newest and oldest microversion."""

    name: str
    types: tuple[str, ...]
    path: str
    version: str = ""
    newest: str = ""
    oldest: str = ""

    @property
    def root(self):
        return "/" + self.path.split("/")[1]


SERVICES = [
    Service("nova", ("compute",), "/compute/v2.1", "v2.1", "2.96", "2.1"),
    Service("cinder", ("block-storage", "volumev3", "volume"), f"/volume/v3/{PROJECT}", "v3.0", "3.71", "3.0"),
    Service("heat", ("orchestration",), f"/heat-api/v1/{PROJECT}", "v1.0"),
    Service("neutron", ("network",), "/networking", "v2.0"),
    Service("glance", ("image",), "/image", "v2.16"),
    Service("swift", ("object-store",), f"/object/v1/AUTH_{PROJECT}"),
    Service("manila", ("sharev2", "shared-file-system"), "/share/v2", "v2.0", "2.87", "2.0"),
    Service("barbican", ("key-manager",), "/key-manager", "v1", "1.1", "1.0"),
    Service("magnum", ("container-infra",), "/container-infra/v1", "v1", "1.11", "1.1"),
    Service("designate", ("dns",), "/dns", "v2"),
    Service("octavia", ("load-balancer",), "/load-balancer", "v2.27"),
    Service("ironic", ("baremetal",), "/baremetal", "v1", "1.93", "1.1"),
    Service("sahara", ("data-processing",), f"/data-processing/v1.1/{PROJECT}", "v1.1"),
    Service("trove", ("database",), f"/database/v1.0/{PROJECT}", "v1.0"),
    Service("mistral", ("workflow", "workflowv2"), "/workflow/v2", "v2.0"),
]
BY_ROOT = {service.root: service for service in SERVICES}

# A version's root is a discovery document: "/", "/v2", "/v3/<project>/", ...; swift has none but /info.
_VERSION_ROOT = re.compile(rf"^(/v\d+(\.\d+)?)?(/{PROJECT})?/?$")


def classify(door, method, path):
    """Name a request's kind: token, discovery or api."""
    if (method == "POST" and path.endswith("/auth/tokens")) or path.startswith("/auth/"):
        return "token"
    rest = path if door == "identity" else _split(path)[1]
    if method == "GET" and _VERSION_ROOT.match(rest):
        return "discovery"
    return "api"


def _split(path):
    root = "/" + path.split("/")[1]
    return root, path[len(root) :]


# -- their resources


@dataclass(frozen=True)
class Collection:
    """One kind of resource. `one` is the key that wraps a single resource; None if the service does not wrap."""

    root: str
    path: str
    many: str
    one: str | None
    created: int = 201
    body: dict | None = None


COLLECTIONS = [
    Collection("/v3", "/users", "users", "user"),
    Collection("/v3", "/projects", "projects", "project"),
    Collection("/compute", "/servers", "servers", "server", 202, {"status": "ACTIVE", "links": []}),
    Collection(
        "/compute", "/os-keypairs", "keypairs", "keypair", 201, {"public_key": "ssh-rsa AAAA", "fingerprint": "00"}
    ),
    Collection("/compute", "/flavors", "flavors", "flavor", 200, {"vcpus": 1, "ram": 1, "disk": 1}),
    Collection("/volume", "/volumes", "volumes", "volume", 202, {"status": "available", "size": 1}),
    Collection("/heat-api", "/stacks", "stacks", "stack", 201, {"stack_name": "thing", "links": []}),
    Collection("/networking", "/networks", "networks", "network"),
    Collection(
        "/image", "/images", "images", None, 201, {"status": "queued", "disk_format": "raw", "container_format": "bare"}
    ),
    Collection("/share", "/shares", "shares", "share", 200, {"share_proto": "NFS", "size": 1}),
    Collection("/key-manager", "/secrets", "secrets", None, 201, {"secret_ref": f"http://127.0.0.1/v1/secrets/{ID}"}),
    Collection("/container-infra", "/clusters", "clusters", None, 202, {"uuid": ID}),
    Collection("/dns", "/zones", "zones", None, 202, {"email": "a@example.org", "links": {}}),
    Collection("/load-balancer", "/lbaas/loadbalancers", "loadbalancers", "loadbalancer"),
    Collection("/baremetal", "/nodes", "nodes", None, 201, {"uuid": ID, "driver": "fake-hardware"}),
    Collection(
        "/data-processing", "/data-sources", "data_sources", "data_source", 202, {"type": "swift", "url": "swift://x"}
    ),
    Collection("/database", "/instances", "instances", "instance", 200, {"status": "ACTIVE", "volume": {"size": 1}}),
    Collection("/workflow", "/environments", "environments", None, 201, {"variables": "{}", "scope": "private"}),
]
_ROUTES = [(c, re.compile(rf"^/v\d+(\.\d+)?(/{PROJECT})?{re.escape(c.path)}(?P<rest>/.*)?$")) for c in COLLECTIONS]


# -- what their errors look like


def _fault(key_of):
    return lambda status, text: {key_of.get(status, "computeFault"): {"code": status, "message": text}}


_NOVA_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
_WSME = lambda status, text: {"faultcode": "Server", "faultstring": text, "debuginfo": None}  # noqa: E731
_KEYSTONE = lambda status, text: {"error": {"code": status, "message": text, "title": "Error"}}  # noqa: E731

DIALECTS = {
    "keystone": _KEYSTONE,
    "nova": _fault(_NOVA_FAULTS),
    "cinder": _fault(_NOVA_FAULTS),
    "manila": _fault(_NOVA_FAULTS),
    "trove": _fault(_NOVA_FAULTS),
    "heat": lambda status, text: {
        "code": status,
        "title": "Error",
        "explanation": text,
        "error": {"message": text, "type": "Whatever", "traceback": None},
    },
    "neutron": lambda status, text: {"NeutronError": {"type": "Whatever", "message": text, "detail": ""}},
    "barbican": lambda status, text: {"code": status, "title": "Error", "description": text},
    "magnum": lambda status, text: {
        "errors": [{"status": status, "code": "", "links": [], "title": "Error", "detail": text, "request_id": ""}]
    },
    "designate": lambda status, text: {"code": status, "type": "whatever", "message": text, "request_id": REQUEST_ID},
    "octavia": _WSME,
    "mistral": _WSME,
    "ironic": lambda status, text: {"error_message": json.dumps(_WSME(status, text))},
    "sahara": lambda status, text: {"error_code": status, "error_name": "WHATEVER", "error_message": text},
    # webob answers in HTML
    "glance": lambda status, text: (
        f"<html><head><title>{status} {text}</title></head><body><h1>{text}</h1></body></html>"
    ),
    "swift": lambda status, text: f"<html><h1>{text}</h1><p>An error occurred.</p></html>",
}


def refusal(service, status, text="Try again later.", **headers):
    """An error of `service`, in its own dialect, with its request id."""
    content = DIALECTS[service](status, text)
    html = isinstance(content, str)
    return Answer(
        status,
        content.encode() if html else json.dumps(content).encode(),
        {"x-openstack-request-id": REQUEST_ID, **_spelled(headers)},
        "text/html; charset=UTF-8" if html else "application/json",
    )


def balancer(status, **headers):
    """The same status from a load balancer in front: HTML, and no request id."""
    page = f"<html><body><h1>{status} Whatever</h1>\nNo server is available to handle this request.\n</body></html>\n"
    return Answer(status, page.encode(), _spelled(headers), "text/html")


def answer_json(status, content, **headers):
    """Any JSON with any status: what an API gateway, or a service of another dialect, may say."""
    return Answer(status, json.dumps(content).encode(), _spelled(headers))


def _spelled(headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}


# -- the healthy cloud


class Cloud(Server):
    """The server, the healthy cloud behind it, and what was uploaded (path -> bytes)."""

    def __init__(self):
        self.uploads: dict[str, bytes] = {}
        super().__init__(("identity", "services"), classify, self._healthy)

    @property
    def auth_url(self):
        return f"{self.doors['identity'].url}/v3"

    def url(self, service):
        return self.doors["services"].url + next(s.path for s in SERVICES if s.name == service)

    def clear(self):
        super().clear()
        self.uploads.clear()

    def _healthy(self, request):
        headers = {"x-openstack-request-id": REQUEST_ID}
        if request.door == "identity":
            status, content, more = self._identity(request)
        else:
            status, content, more = self._service(request)
        headers |= more
        if isinstance(content, bytes):
            return Answer(status, content, headers, headers.pop("Content-Type", "application/octet-stream"))
        if content is None:
            return Answer(status, b"", headers, "text/html; charset=UTF-8")  # webob's default
        return Answer(status, json.dumps(content).encode(), headers)

    def _identity(self, request):
        if request.kind == "token":
            if request.method == "GET":  # swift's v1 authentication
                return 200, b"", {"X-Storage-Url": self.url("swift"), "X-Auth-Token": "t-v1"}
            return 201, {"token": self._token()}, {"X-Subject-Token": "t-v3"}
        if request.kind == "discovery":
            version = {
                "id": "v3.14",
                "status": "stable",
                "links": [{"rel": "self", "href": self.auth_url + "/"}],
                "media-types": [],
            }
            if request.path.startswith("/v3"):
                return 200, {"version": version}, {}
            return 300, {"versions": {"values": [version]}}, {}
        return self._resource("/v3", request, request.path)

    def _token(self):
        def entry(types, url):
            return [
                {
                    "type": kind,
                    "name": types[0],
                    "id": kind,
                    "endpoints": [
                        {"id": f"{kind}-{face}", "interface": face, "region": "one", "region_id": "one", "url": url}
                        for face in ("public", "internal", "admin")
                    ],
                }
                for kind in types
            ]

        catalog = entry(("identity",), self.auth_url)
        for service in SERVICES:
            catalog += entry(service.types, self.doors["services"].url + service.path)
        domain = {"id": "default", "name": "Default"}
        return {
            "methods": ["password"],
            "expires_at": "2999-01-01T00:00:00.000000Z",
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "audit_ids": ["a"],
            "user": {"id": "u", "name": "demo", "domain": domain},
            "project": {"id": PROJECT, "name": "demo", "domain": domain},
            "roles": [{"id": "r", "name": "admin"}],
            "catalog": catalog,
        }

    def _service(self, request):
        root, rest = _split(request.path)
        service = BY_ROOT.get(root)
        if service is None:
            return 404, {"error": "no such service"}, {}
        if service.name == "swift":
            return self._swift(request)
        if request.kind == "discovery":
            return self._versions(service, rest)
        if root == "/image":
            if rest.startswith("/v2/schemas/"):
                return 200, _IMAGE_SCHEMA, {}
            if rest.endswith("/file"):
                return self._file(request)
        return self._resource(root, request, rest)

    def _versions(self, service, rest):
        url = f"{self.doors['services'].url}{service.root}/"
        major = service.version.split(".")[0] if service.name not in {"nova", "trove", "sahara"} else service.version
        entry = {
            "id": service.version,
            "status": "CURRENT",
            "version": service.newest,
            "min_version": service.oldest,
            "max_version": service.newest,
            "updated": "2020-01-01T00:00:00Z",
            "links": [{"rel": "self", "href": f"{url}{'v2.0' if service.name == 'neutron' else major}/"}],
        }
        if not service.newest:
            del entry["version"], entry["min_version"], entry["max_version"]
        microversion = {
            "X-OpenStack-Ironic-API-Minimum-Version": service.oldest,
            "X-OpenStack-Ironic-API-Maximum-Version": service.newest,
            "X-OpenStack-Ironic-API-Version": service.oldest,
        }
        more = microversion if service.name == "ironic" else {}
        if rest.strip("/"):
            return 200, {"version": entry}, more
        return 200, {"versions": [entry], "default_version": entry}, more

    def _resource(self, root, request, rest):
        for collection, pattern in _ROUTES:
            if collection.root == root and (match := pattern.match(rest)):
                return self._act(collection, request, (match["rest"] or "").strip("/"))
        return 404, {"error": f"the fake cloud has no {request.path}"}, {}

    def _act(self, collection, request, rest):
        thing = {"name": "thing", **(collection.body or {})}
        if collection.root != "/key-manager":  # barbican has no ids, and its client takes none
            thing["id"] = ID
        more = {}
        if collection.root == "/baremetal":
            more = {"X-OpenStack-Ironic-API-Version": request.headers.get("X-OpenStack-Ironic-API-Version", "1.1")}
        one = {collection.one: thing} if collection.one else thing
        if request.method == "DELETE":
            return 204, None, more
        if request.method == "POST" and not rest:
            return collection.created, one, more
        if request.method in {"PUT", "PATCH", "POST"}:
            return 200, one, more
        if rest in {"", "detail"}:
            members = [{"keypair": thing}] if collection.path == "/os-keypairs" else [thing]
            return 200, {collection.many: members, "links": {}, "total": 1, "metadata": {"total_count": 1}}, more
        return 200, one, more

    def _file(self, request):
        if request.method == "PUT":
            self.uploads[request.path] = request.body
            return 204, None, {}
        return 200, self.uploads.get(request.path, b""), {}

    def _swift(self, request):
        if request.method == "PUT":
            self.uploads[request.path] = request.body
            return 201, b"", {}
        if request.method == "POST":
            return 202, b"", {}
        if request.method == "DELETE":
            return 204, None, {}
        if request.path in self.uploads and request.path.count("/") > 4:
            return 200, self.uploads[request.path], {}
        if request.path.count("/") > 4:
            return 200, b"content", {}
        return 200, [{"name": "thing", "count": 1, "bytes": 7}], {"X-Account-Container-Count": "1"}


_IMAGE_SCHEMA = {
    "name": "image",
    "properties": {
        "id": {"type": "string"},
        "name": {"type": ["null", "string"]},
        "status": {"type": "string", "readOnly": True},
        "disk_format": {"type": ["null", "string"]},
        "container_format": {"type": ["null", "string"]},
    },
    "additionalProperties": {"type": "string"},
    "links": [],
}
