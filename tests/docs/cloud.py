"""The cloud of tests/clients, with the fields of a server that the openstack command needs."""

from __future__ import annotations

from tests.clients.cloud import Cloud

_CLOUDS = """\
clouds:
  demo:
    region_name: one
    auth: {{auth_url: {url}, username: demo, password: secret, project_name: demo,
           user_domain_id: default, project_domain_id: default}}
"""


class CloudWithServer(Cloud):
    """Its server has been booted from a volume, as nova shows that: its image is an empty text."""

    def _resource(self, root, request, rest):
        status, content, headers = super()._resource(root, request, rest)
        if root == "/compute" and request.method == "GET":
            for server in (content or {}).get("servers", ()):
                server.update(image="", flavor={"original_name": "tiny"}, addresses={})
        return status, content, headers


def write_clouds(cloud, folder):
    """Write a clouds.yaml that describes the cloud of tests/clients, and return its path."""
    path = folder / "clouds.yaml"
    path.write_text(_CLOUDS.format(url=cloud.auth_url))
    return path
