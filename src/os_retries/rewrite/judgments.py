"""The verdicts on a call, with the explanation that the user reads."""

from __future__ import annotations

from typing import NamedTuple


class Judgment(NamedTuple):
    """What to do with a call: `verdict` is wrap, silent, attach or unsure; `why` is shown to the user."""

    verdict: str
    why: str = ""


WRAP = Judgment("wrap")
SILENT = Judgment("silent")
LAZY = Judgment(
    "attach",
    "returns before the request is made, so wrapping it retries nothing: use os_retries.attach(session)",
)
BODY = Judgment(
    "attach",
    "sends a body that can be read only once: use os_retries.attach(session), which rewinds it",
)
NO_RAISE = Judgment(
    "attach",
    "does not raise for an error status, so the wrapper sees no failure: use os_retries.attach(session)",
)
SWIFT = Judgment(
    "attach",
    "retries by itself, and a second loop would multiply the attempts: "
    "pass **os_retries.client_options('swift') to its constructor",
)
STORE = Judgment(
    "attach",
    "may send several requests, and a repeat would send all of them again: use os_retries.attach(session)",
)
CREATES = Judgment(
    "attach", "creates something, and a repeat may create it twice: use os_retries.attach(session), which looks first"
)
AWAITED = Judgment("unsure", "is awaited: execute_with_retries would return before the request is made")
