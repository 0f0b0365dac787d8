"""The switch: ``OS_RETRIES_DISABLED=1`` or ``OSRETRIES_DISABLED=1`` in the environment turns retrying off."""

from __future__ import annotations

import os

_SWITCHES = "OS_RETRIES_DISABLED", "OSRETRIES_DISABLED"
# The keys as the environment's own dictionary has them.  os.environ raises and catches an exception twice for a
# variable that is not set, which takes longer than all else that a request of an attached session costs.
_RAW_SWITCHES = tuple(getattr(os.environ, "encodekey", str)(name) for name in _SWITCHES)


def disabled() -> bool:
    """Return whether the environment turns retrying off.

    There are two names because openstacksdk takes every variable that begins with ``OS_`` for a part of a cloud's
    description.  Unless ``OS_CLOUD`` is set, it prefers that cloud to the ones in clouds.yaml.
    """
    raw = getattr(os.environ, "_data", None)
    if raw is not None and _RAW_SWITCHES[0] not in raw and _RAW_SWITCHES[1] not in raw:
        return False
    value = os.environ.get(_SWITCHES[0]) or os.environ.get(_SWITCHES[1])
    return value is not None and value.strip().lower() not in {"", "0", "false", "no", "off"}
