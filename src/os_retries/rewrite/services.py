"""The table of the OpenStack clients: which constructors make one, and which of its calls make a request.

The rows are facts about the client libraries. `tests/unit/test_rewrite_services.py` compares them with the installed
clients, and `tests/sahara/test_rewrite.py` with the other ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from os_retries.rewrite import sdk
from os_retries.rewrite.judgments import (
    BODY,
    LAZY,
    NO_RAISE,
    SILENT,
    STORE,
    SWIFT,
    WRAP,
    Judgment,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Methods of strings and containers, which make no request. The names excluded here are requests in some client.
BUILTIN_METHODS = frozenset(
    name
    for kind in (str, bytes, list, dict, set)
    for name in dir(kind)
    if not name.startswith("_")
    and name not in {"get", "find", "update", "extend", "index", "add", "format", "replace", "clear", "remove"}
)
#: All methods of strings and containers, for a result about which nothing else is known.
ALL_BUILTIN_METHODS = BUILTIN_METHODS | {
    "get",
    "update",
    "extend",
    "index",
    "add",
    "format",
    "replace",
    "clear",
    "remove",
}

#: Methods of the clients' Resource and Manager classes that make no request.
LOCAL_METHODS = frozenset({
    "to_dict", "toDict", "to_primitive", "is_loaded", "set_loaded", "set_info", "is_same_obj", "append_request_ids",
    "request_ids_setup", "build_url", "build_key_only_query", "resource_class", "convert_into_with_meta",
    "completion_cache", "write_to_completion_cache", "alternate_service_type", "add_hook", "run_hooks",
    "get_timings", "reset_timings", "set_management_url", "set_service_catalog", "has_service_catalog",
})  # fmt: skip

#: What a manager's method returns, by its name. The result of any other method is "other".
RETURNS_ONE = frozenset({"get", "find", "create", "show"})
RETURNS_MANY = frozenset({"list", "findall", "find_all", "list_all"})

#: First words of methods that create something: a repeat may create it twice.
CREATING = frozenset({
    "create", "boot", "clone", "copy", "import", "allocate", "issue", "post", "backup", "snapshot", "generate", "order",
})  # fmt: skip
_ALSO_CREATING = frozenset({"interface_attach", "add_fixed_ip", "store", "submit"})


@dataclass(frozen=True)
class Service:
    """One client library."""

    package: str
    constructors: tuple[str, ...] = ("Client",)
    #: True where the methods are on the client itself (neutron.list_ports), not on its managers (nova.servers.list).
    flat: bool = False
    #: True where results are objects whose methods make requests (server.delete()); False: plain data.
    resources: bool = True
    #: Patterns of dotted paths below the client ("@name": a method of a result), and their verdicts.
    special: tuple[tuple[str, Judgment], ...] = ()


#: Senlin's plural nouns (clusters()) are generators of openstacksdk. Zaqar's queue() and its like only build an object.
_SENLIN = (("cluster_policies", LAZY), ("*_*", WRAP), ("*s", LAZY))
_ZAQAR = tuple((name, SILENT) for name in ("queue", "pool", "flavor", "subscription", "follow", "transport"))

SERVICES = {
    "nova": Service("novaclient"),
    "cinder": Service("cinderclient"),
    "heat": Service("heatclient", special=(("stacks.list", LAZY),)),
    "keystone": Service("keystoneclient"),
    "neutron": Service("neutronclient", flat=True, resources=False),
    "swift": Service("swiftclient", ("Connection", "SwiftService"), True, False, (("*", SWIFT),)),
    "glance": Service(
        "glanceclient",
        resources=False,
        special=(
            ("images.upload", BODY),
            ("images.stage", BODY),
            ("metadefs_tag.create_multiple", LAZY),
            ("metadefs_resource_type.get", LAZY),
            ("*.list", LAZY),
        ),
    ),
    "manila": Service("manilaclient"),
    "barbican": Service(
        "barbicanclient",
        special=(
            ("*.create*", SILENT),  # builds the object; .store() or .submit() sends it
            ("secrets.get", LAZY),
            ("@get", SILENT),  # of an ACL
            ("@store", STORE),
            ("@submit", STORE),
            ("@add", SILENT),
            ("@remove", SILENT),
        ),
    ),
    "magnum": Service("magnumclient"),
    "designate": Service("designateclient", resources=False),
    "octavia": Service("octaviaclient", ("OctaviaAPI",), flat=True, resources=False),
    "ironic": Service("ironicclient", ("Client", "get_client")),
    "sahara": Service("saharaclient"),
    "trove": Service("troveclient", special=(("*.log_generator", LAZY), ("*.execution_list", LAZY))),
    "mistral": Service("mistralclient", ("Client", "client")),
    # The following rows are compared with the releases in tests/sahara/clients.txt.
    "adjutant": Service("adjutantclient"),
    "aodh": Service("aodhclient", resources=False),
    "blazar": Service("blazarclient", resources=False),
    "ceilometer": Service("ceilometerclient", ("Client", "get_client")),
    "cloudkitty": Service("cloudkittyclient"),
    "congress": Service("congressclient", flat=True, resources=False),
    "freezer": Service("freezerclient", resources=False),
    "glare": Service("glareclient", resources=False, special=(("artifacts.list", LAZY),)),
    "gnocchi": Service("gnocchiclient", resources=False),
    "inspector": Service("ironic_inspector_client", ("ClientV1",), flat=True, resources=False),
    "karbor": Service("karborclient"),
    "monasca": Service("monascaclient", resources=False),
    "murano": Service("muranoclient", special=(("*.filter", LAZY),)),
    "panko": Service("pankoclient", resources=False),
    "qinling": Service("qinlingclient"),
    "searchlight": Service("searchlightclient"),
    "senlin": Service("senlinclient", flat=True, resources=False, special=_SENLIN),
    "solum": Service("solumclient", ("Client", "get_client")),
    "tacker": Service("tackerclient", flat=True, resources=False),
    "vitrage": Service("vitrageclient", resources=False),
    "watcher": Service("watcherclient", ("Client", "get_client")),
    "zaqar": Service("zaqarclient", flat=True, special=_ZAQAR),
    "zun": Service("zunclient"),
    "keystoneauth": Service(
        "keystoneauth1",
        (
            "Session",
            "Adapter",
            "LegacyJsonAdapter",
            "load_session_from_conf_options",
            "load_adapter_from_conf_options",
        ),
        flat=True,
        resources=False,
    ),
    "sdk": Service("openstack", ("connect", "Connection", "from_config"), flat=True),
    # Declared with --client, without a service: every method counts as a request, and its result is unknown.
    "--client": Service("", (), flat=True),
}
_PACKAGES = {service.package: name for name, service in SERVICES.items() if service.package}
PACKAGES = frozenset(_PACKAGES)


def constructor(dotted: str) -> str | None:
    """Return the service if calling `dotted` makes a client (or a keystoneauth session), else None."""
    package, _, rest = dotted.partition(".")
    service = _PACKAGES.get(package)
    if service and rest.rpartition(".")[2] in SERVICES[service].constructors:
        return service
    return None


def judge_path(service: str, path: tuple[str, ...], keywords: dict[str, object], *, body: bool) -> Judgment:
    """Judge the call of the method at `path` under a client: ("servers", "list") for nova.servers.list().

    `keywords` are the call's keyword arguments with their literal values; `body` says that an argument is a stream.
    """
    name = path[-1]
    if name.startswith("__") or name in BUILTIN_METHODS or name in LOCAL_METHODS:
        return SILENT
    if service == "sdk":
        judgment = sdk.judge(path)
    elif service == "keystoneauth":
        judgment = WRAP if name in sdk.HTTP_VERBS and len(path) == 1 else SILENT
    else:
        judgment = _special(service, ".".join(path)) or WRAP
        if len(path) == 1 and not SERVICES[service].flat and judgment is WRAP:
            return Judgment("unsure", f"is a method of the {service} client itself, and may or may not make a request")
    known = path[1:] if service == "sdk" else path  # getattr(connection, service_type) is a proxy like any other
    if (judgment is not SILENT and name == "?") or (judgment is WRAP and (name.startswith("_") or "?" in known)):
        return Judgment("unsure", f"is a private or computed method of the {service} client")
    if judgment is WRAP and keywords.get("retrieve_all", True) is False:
        return LAZY
    if judgment is WRAP and keywords.get("raise_exc", True) is False:
        return NO_RAISE
    return BODY if body and judgment is WRAP else judgment


def judge_resource(  # noqa: PLR0911  one line a rule
    service: str, shape: str, name: str, *, session_given: bool
) -> Judgment:
    """Judge the call of method `name` of a result; `shape` is "one" or "other", as in shape_of_result."""
    if name.startswith("__") or name in BUILTIN_METHODS or name in LOCAL_METHODS:
        return SILENT
    if service == "sdk":  # methods of an SDK Resource that make requests take the session
        if name in {"upload", "stage"} and session_given:
            return NO_RAISE
        return WRAP if session_given else SILENT
    if special := _special(service, "@" + name):
        return special
    if name.startswith("_"):
        return SILENT
    if shape == "one":
        return WRAP
    if name in ALL_BUILTIN_METHODS:
        return SILENT
    return Judgment("unsure", f"is a method of something that the {service} client returned")


def creates(name: str) -> bool:
    """Return whether a method of this name creates something."""
    words = name.split("_")
    return words[0] in CREATING or words[-1] == "create" or name in _ALSO_CREATING


def shape_of_result(service: str, path: tuple[str, ...]) -> str:  # noqa: PLR0911  one line a rule
    """Return the shape of a method's result: "client", "one" or "many" resources, "data" or "other".

    Methods of "data" make no requests.
    """
    name = path[-1]
    if service == "keystoneauth" and name.startswith("load_from_"):  # a method of loading.Session or loading.Adapter
        return "client"
    if not SERVICES[service].resources or (
        len(path) > 1 and path[-2] in {"client", "http_client", "httpclient", "api"}
    ):
        return "data"
    if service == "--client":
        return "other"
    if service == "sdk":
        if name in sdk.CONNECTIONS:
            return "client"
        return "many" if sdk.judge(path) is LAZY or name.startswith(("list_", "search_")) else "one"
    if name in RETURNS_MANY:
        return "many"
    if name in RETURNS_ONE or (service == "barbican" and name.startswith("create")):
        return "one"
    return "other"


def _special(service: str, path: str) -> Judgment | None:
    rows: Iterable[tuple[str, Judgment]] = SERVICES[service].special
    return next((judgment for pattern, judgment in rows if fnmatchcase(path, pattern)), None)
