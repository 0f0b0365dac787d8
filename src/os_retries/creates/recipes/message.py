"""zaqar; the facts are in docs/design/creates.md#messages."""

from __future__ import annotations

from os_retries.creates.recipe import Recipe

RECIPES = (
    # A second one to the same subscriber is answered with the id of the first one.
    Recipe(path=r"/queues/[^/]+/subscriptions", body=None, harmless=True),
    Recipe(
        path=r"/queues/[^/]+/messages",
        body=None,
        refused="the queue accepts a second message like it, and a message has no place for a marker",
    ),
    Recipe(
        path=r"/queues/[^/]+/claims",
        body=None,
        refused="what the first one has claimed is told only once, and is free again when its ttl is over",
    ),
    Recipe(path=r".*", body=None, refused="no look-up of such a request to zaqar has been tested yet"),
)
