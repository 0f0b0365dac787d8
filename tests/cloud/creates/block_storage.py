"""cinder."""

from __future__ import annotations

from .kinds import Kind, listing, removal

KINDS = {
    "cinder-volume": Kind(
        service="block-storage",
        path="/volumes",
        create=lambda clients, _setting, name: clients.cinder.volumes.create(1, name=name, metadata={"mine": "1"}),
        listed=listing("block-storage", "/volumes/detail", "volumes"),
        delete=removal("block-storage", "/volumes"),
        shown=lambda made, name: made.name == name and made.size == 1 and made.metadata["mine"] == "1",
    ),
}
