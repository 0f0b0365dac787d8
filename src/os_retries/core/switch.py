"""The off switch: ``OS_RETRIES_DISABLED=1`` or ``OSRETRIES_DISABLED=1`` in the environment turns retries off."""

from __future__ import annotations

import os

_SWITCHES = "OS_RETRIES_DISABLED", "OSRETRIES_DISABLED"
# The names as keys of the dictionary inside os.environ.  For a variable that is not set, os.environ itself raises and
# catches two exceptions, which takes longer than everything else that an attached session adds to a request.
_RAW_SWITCHES = tuple(getattr(os.environ, "encodekey", str)(name) for name in _SWITCHES)


def disabled() -> bool:
    """Return whether the environment turns retries off.

    There are two names, because openstacksdk treats every variable that begins with ``OS_`` as a part of a cloud's
    configuration.  Unless ``OS_CLOUD`` is set, it prefers that cloud to the clouds in clouds.yaml.
    """
    raw = getattr(os.environ, "_data", None)
    if raw is not None and _RAW_SWITCHES[0] not in raw and _RAW_SWITCHES[1] not in raw:
        return False
    value = os.environ.get(_SWITCHES[0]) or os.environ.get(_SWITCHES[1])
    return value is not None and value.strip().lower() not in {"", "0", "false", "no", "off"}
