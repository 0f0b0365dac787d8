"""glance."""

from __future__ import annotations

import uuid

from .kinds import Clients, Kind, listing, removal

FORMAT = {"disk_format": "raw", "container_format": "bare"}
IMAGES = listing("image", "/v2/images?limit=1000", "images")
NO_IMAGE = removal("image", "/v2/images")


def image(clients: Clients) -> str:
    return clients.glance.images.create(name="shared", **FORMAT).id


KINDS = {
    "glance-image": Kind(
        service="image",
        path="/images",
        prepare=lambda clients: clients.glance.images.model,
        create=lambda clients, _setting, name: clients.glance.images.create(name=name, mine="1", **FORMAT),
        listed=IMAGES,
        delete=NO_IMAGE,
        shown=lambda made, name: made.name == name and made.mine == "1" and made.status == "queued",
    ),
    "glance-image-with-an-id": Kind(
        service="image",
        path="/images",
        prepare=lambda clients: clients.glance.images.model,
        create=lambda clients, _setting, name: clients.glance.images.create(id=str(uuid.uuid4()), name=name, **FORMAT),
        listed=IMAGES,
        delete=NO_IMAGE,
    ),
    "sdk-image": Kind(
        service="image",
        path="/images",
        create=lambda clients, _setting, name: clients.sdk.image.create_image(
            name, allow_duplicates=True, wait=False, **FORMAT
        ),
        listed=IMAGES,
        delete=NO_IMAGE,
    ),
    "glance-member": Kind(
        service="image",
        path="/members",
        setting=image,
        prepare=lambda clients: clients.glance.image_members.model,
        create=lambda clients, setting, name: clients.glance.image_members.create(setting, name),
        ids=lambda made: [made.member_id],
        listed=lambda clients, setting, name: [
            each
            for each in clients.get("image", f"/v2/images/{setting}/members")["members"]
            if each["member_id"] == name
        ],
        id_of=lambda item: item["member_id"],
        delete=lambda clients, setting, made: clients.delete("image", f"/v2/images/{setting}/members/{made}"),
        shown=lambda made, name: made.member_id == name and made.status == "pending",
    ),
    "glance-namespace": Kind(
        service="image",
        path="/metadefs/namespaces",
        prepare=lambda clients: clients.glance.metadefs_namespace.model,
        create=lambda clients, _setting, name: clients.glance.metadefs_namespace.create(namespace=name),
        ids=lambda made: [made.namespace],
        listed=listing("image", "/v2/metadefs/namespaces?limit=1000", "namespaces", by="namespace"),
        id_of=lambda item: item["namespace"],
        delete=removal("image", "/v2/metadefs/namespaces"),
        shown=lambda made, name: made.namespace == name,
        account="admin",
    ),
}
