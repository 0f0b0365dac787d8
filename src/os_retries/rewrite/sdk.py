"""The methods of openstacksdk: which of them make a request when they are called."""

from __future__ import annotations

from os_retries.rewrite.judgments import BODY, LAZY, NO_RAISE, SILENT, WRAP, Judgment

HTTP_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "request"})

# A method of a proxy whose name starts with a verb makes its request at once; a plural noun (compute.servers()) is a
# generator. The sets below hold the verbs, and the exceptions to this rule in openstacksdk 4.22.0.
VERBS = frozenset({
    "abandon", "abort", "accept", "activate", "add", "adopt", "assign", "associate", "attach", "authorize", "backup",
    "begin", "bind", "call", "change", "check", "clean", "cleanup", "clear", "complete", "configure", "confirm", "copy",
    "create", "deactivate", "delete", "detach", "disable", "disassociate", "download", "enable", "ensure", "evacuate",
    "export", "extend", "failover", "fetch", "find", "force", "freeze", "generate", "get", "grant", "import", "init",
    "inject", "insert", "inspect", "is", "list", "live", "lock", "manage", "migrate", "onboard", "patch", "pause",
    "perform", "post", "promote", "prune", "purge", "queue", "reactivate", "read", "reboot", "rebuild", "recover",
    "register", "remove", "replace", "rescue", "reserve", "reset", "resize", "restore", "resume", "resync", "retype",
    "revert", "revoke", "scale", "search", "set", "share", "shelve", "show", "sign", "soft", "stage", "start", "stop",
    "suspend", "terminate", "thaw", "trigger", "unassign", "unbind", "unlock", "unmanage", "unpause", "unregister",
    "unrescue", "unreserve", "unset", "unshelve", "update", "upload", "validate", "wait", "xfr",
})  # fmt: skip
GENERATORS = frozenset({
    "get_service_log_levels", "create_server_external_events", "create_ports", "create_security_group_rules",
    "export_locations", "share_attachments", "share_groups", "share_group_snapshots", "share_instances",
    "share_networks", "share_network_subnets", "share_replicas", "share_snapshots", "share_snapshot_instances",
    "share_transfers", "share_types",
})  # fmt: skip
REQUESTS = frozenset({
    "flavor_add_tenant_access", "flavor_remove_tenant_access", "aggregate_precache_images", "cache_delete_image",
    "cached_image_nodes", "share_group_snapshot_members", "node_set_provision_state", "volume_exists",
    "available_floating_ip", "summary",
})  # fmt: skip
BODIES = frozenset({"upload_image", "stage_image", "create_image", "upload_object", "create_object"})
LOCAL = frozenset({
    "close", "pprint", "pformat", "range_search", "add_service", "set_global_request", "has_service",
    "generate_form_signature", "generate_temp_url", "wait_for_status", "service_catalog",
})  # fmt: skip
CONNECTIONS = frozenset({"connect_as", "connect_as_project", "global_request"})


def judge(path: tuple[str, ...]) -> Judgment:  # noqa: PLR0911  one line a rule
    """Judge the call of the method at `path` under a connection: ("compute", "get_server")."""
    name = path[-1]
    if path[0] in {"config", "session", "authenticate"} or name in LOCAL or name in CONNECTIONS:
        return SILENT
    if len(path) == 2 and name in HTTP_VERBS:
        return NO_RAISE
    if name in BODIES:
        return BODY
    if name in REQUESTS:
        return WRAP
    if name not in GENERATORS and name.split("_")[0] in VERBS:
        return WRAP
    if len(path) == 1:
        return Judgment("unsure", "is a method of the SDK's connection that may or may not make a request")
    return LAZY
