"""The verdicts on a call of a client, and what the reader is told with each."""

from __future__ import annotations

from typing import NamedTuple


class Judgement(NamedTuple):
    """What is to be done with one call: `verdict` is wrap, silent, attach or unsure; `why` is for the reader."""

    verdict: str
    why: str = ""


WRAP = Judgement("wrap")
SILENT = Judgement("silent")
LAZY = Judgement(
    "attach",
    "returns before the request is made, so wrapping it retries nothing: use os_retries.attach(session)",
)
BODY = Judgement(
    "attach",
    "sends a body: os_retries.attach(session) rewinds it before it is sent again, or does not send it again",
)
NO_RAISE = Judgement(
    "attach",
    "answers an error status without raising, so there is nothing to retry on: use os_retries.attach(session)",
)
SWIFT = Judgement(
    "attach",
    "repeats by itself: construct it with **os_retries.client_options('swift'), or each of its attempts is multiplied",
)
STORE = Judgement(
    "attach",
    "sends what .create() only built, a container with a request for each secret: use os_retries.attach(session)",
)
CREATES = Judgement(
    "attach", "creates something, and a repeat may create it twice: use os_retries.attach(session), which looks first"
)
AWAITED = Judgement("unsure", "is awaited: execute_with_retries would return before the request is made")
