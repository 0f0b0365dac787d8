"""The template of a path: the path of a request without ids and names, for labels and for people.

``/v2.1/servers/0f5e.../action`` becomes ``/v2.1/servers/{id}/action``.  A resource may have any word as its name, so
only versions and the words of the OpenStack APIs are kept.  Their number is limited, and so is the number of templates.
So a metric with the template as a label cannot grow without limit.
"""

from __future__ import annotations

import re

#: How many segments a template shows; the rest of a longer path is ``...``.
_SEGMENTS = 8
_VERSION = re.compile(r"v[1-9](\.[0-9]{1,2})?")
_REQUEST = re.compile(r"([A-Z]+) (/.*)", re.DOTALL)

# From the base paths of openstacksdk, and the paths that the clients of docs/design/clients.md send.
_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
        OS-EC2 OS-EP-FILTER OS-FEDERATION OS-INHERIT OS-KSADM OS-OAUTH1 OS-SIMPLE-CERT OS-TRUST abandon accelerator
        accelerator_requests accept access access-list access_rules accounts acl action action_executions actions
        activate add_addresses add_external_gateways add_extraroutes add_router_interface add_subports
        address-groups address-scopes agents alarming allocation_candidates allocations amphorae
        application_credentials associations attachments attributes attrs auth auto-allocated-topology
        availability-zones availability_zones availabilityzoneprofiles availabilityzones backups
        bandwidth_limit_rules baremetal baremetal-introspection bgp-dragents bgp-drinstance bgp-peers bgp-speakers
        bgpvpn bgpvpns bindings bios blacklists block-storage boot_device boot_mode build-info cache capabilities
        catalog certificates certs cgsnapshots chassis claims cluster-templates clusters clustertemplates compute
        conductor conductors config configurations connectors conntrack_helpers consistencygroups console consumers
        container container-infra containers continue create_from_src credentials cron_triggers data data-processing
        data-sources database databases datastore-versions datastores deactivate default default-bandwidth-limit
        default-security-group-rules default-types defaults delete_keys deploy_templates deployables detail details
        device_profiles devices dhcp-agents dhcp-networks diagnostics disable disable-log-reason disassociate_all
        discovery dns domains drivers dry-run dscp_marking_rules ec2tokens enable encryption endpoint-groups
        endpoint_groups endpoints environment event_triggers events execute executions export export_locations
        export_record extensions extra extra_specs failover failover_host federation_saml2 fields file files
        firewall_groups firewall_policies firewall_rules firewalls firmware flavor_capabilities flavorprofiles
        flavors floatingips flow_classifiers flow_timeout force-down freeze functions fw fwaas gateway-devices
        get-log get_subports group-specs group_snapshots group_specs group_type group_types groups health_monitors
        healthcheck healthmonitors heartbeat heat-api history hosts hypervisor-servers hypervisors identity
        identity_providers ikepolicies image images implies import import_record imports indicators info
        inherited_to_projects inject_nmi insert_rule inspection_rules instance-ha instances introspection
        inventories inventory ips ipsec-site-connections ipsecpolicies job-binaries job-binary-internals
        job-executions jobs key-manager l3-agents l3-routers l7policies labels lbaas limits listeners load-balancer
        loadbalancers local_ips locations log loggable-resources logs lookup maintenance manage manageable_snapshots
        manageable_volumes mappings members messages messaging metadata metadefs metering metering-label-rules
        metering-labels metric mgmt migration-progress migrations minimum_bandwidth_rules minimum_packet_rate_rules
        modules nameservers namespaces ndp_proxies nested_stack network network-gateways network-ip-availabilities
        network_associations network_segment_ranges networking networks node-group-templates nodes notifications
        object objects octavia onboard_network_subnets orchestration os-agents os-aggregates
        os-assisted-volume-snapshots os-availability-zone os-cells os-cloudpipe os-console-auth-tokens
        os-extra_specs os-flavor-access os-floating-ips os-fping os-hypervisors os-instance-actions
        os-instance_usage_audit_log os-interface os-keypairs os-migrations os-networks os-quota-class-sets
        os-quota-sets os-security-groups os-server-external-events os-server-groups os-server-password os-services
        os-share-unmanage os-simple-tenant-usage os-snapshot-actions os-tenant-networks os-volume-transfer
        os-volume-type-access os-volume_attachments outputs packet_rate_limit_rules parameters password pki
        placement plugins policies policy policy-types pool_move pools port_associations port_chains
        port_forwardings port_pair_groups port_pairs portgroups ports power preview profile-types profiles
        project-quotas projects properties protocols provider providers provision prune qos qos-specs qos-types
        queues quota-class-sets quota-sets quotas raid rbac-policies reactivate reboot receivers recordsets regions
        registered_limits remote-consoles remove_addresses remove_external_gateways remove_extraroutes
        remove_router_interface remove_rule remove_subports reservation reset reset_status resize resource-locks
        resource_classes resource_filters resource_providers resource_types resources restore reverse revoked
        role_assignments roles root router_associations routers rule-types rules runbooks s3tokens scheduler-stats
        schemas search secret-stores secrets secure_boot security-group-rules security-groups
        security-groups-default-statefulness security-services segments servers service-providers service_graphs
        service_profiles service_providers service_statuses services set-log sfc share share-access-rules
        share-backups share-group-snapshots share-group-types share-groups share-networks share-replicas
        share-transfers share_instances shared-images shares shelve signal signing snapshot-instances snapshots
        software_configs software_deployments stacks stage start states statistics stats statuses stop stores
        subnetpools subnets subscriptions summary supported system taas tag tags tap_flows tap_mirrors tap_services
        targets tasks tell template template_guide template_versions tenant tenants thaw tlds tokens topology traits
        transfer_accepts transfer_requests trunks trusts tsigkeys types unmanage untag update_external_gateways
        upgrade uptime usage usages users validate versions view vifs vips vmedia vmoves volume volume-transfers
        volumes vpn vpnservices websso workbooks workflow xfr zones
        """,
    )
)


def template(path: str) -> str:
    """Return the template of a path: each segment that is neither a word of an API nor a version becomes ``{id}``.

    Consecutive segments of this kind, such as the container and the object of swift, become one ``{id}``.
    """
    segments: list[str] = []
    for segment in path.partition("?")[0].split("/"):
        if not segment:
            continue
        word = segment if segment in _WORDS or _VERSION.fullmatch(segment) else "{id}"
        if word != "{id}" or segments[-1:] != ["{id}"]:
            segments.append(word)
    return "/" + "/".join(segments if len(segments) <= _SEGMENTS else [*segments[:_SEGMENTS], "..."])


def verb_and_template(method: str) -> tuple[str | None, str | None]:
    """Return the verb and the template of the path for a name such as ``GET /servers/<id>``; None for another name."""
    request = _REQUEST.fullmatch(method)
    return (None, None) if request is None else (request[1], template(request[2]))
