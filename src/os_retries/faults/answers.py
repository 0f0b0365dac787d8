"""The error responses of injected faults: in the format of the service, or as the page of a load balancer."""

from __future__ import annotations

import http
import io
import json
from typing import TYPE_CHECKING

import urllib3
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from os_retries.faults.fault import Fault
    from os_retries.faults.rules import Request


def error_answer(request: requests.PreparedRequest, fault: Fault, seen: Request) -> requests.Response:
    """Return the response of a fault that has a status."""
    assert fault.status is not None
    reason = http.HTTPStatus(fault.status).phrase if fault.status in _PHRASED else "Error"
    if fault.html:
        body = f"<html><body><h1>{fault.status} {reason}</h1>\nNo server is available.\n</body></html>\n"
    else:
        body = _DIALECTS.get(seen.service or "", _plain)(fault.status, reason)
    headers = {
        "Content-Type": "text/html; charset=UTF-8" if body.startswith("<") else "application/json",
        "Content-Length": str(len(body)),
    }
    if fault.retry_after is not None:
        headers["Retry-After"] = fault.retry_after
    raw = urllib3.HTTPResponse(
        body=io.BytesIO(b"" if seen.verb == "HEAD" else body.encode()),
        headers=headers,
        status=fault.status,
        reason=reason,
        preload_content=False,
        request_method=seen.verb,
    )
    return HTTPAdapter().build_response(request, raw)


# The format of each service's errors, from its source code.  All other services use keystone's format.
def _plain(status: int, reason: str) -> str:
    return json.dumps({"error": {"code": status, "title": reason, "message": "A fault that os-retries injected."}})


def _compute(status: int, reason: str) -> str:
    names = {413: "overLimit", 429: "overLimit", 500: "computeFault", 503: "serviceUnavailable"}
    return json.dumps({names.get(status, "computeFault"): {"code": status, "message": reason}})


def _network(_status: int, reason: str) -> str:
    return json.dumps({"NeutronError": {"type": reason.replace(" ", ""), "message": reason, "detail": ""}})


def _orchestration(status: int, reason: str) -> str:
    error = {"type": reason.replace(" ", ""), "message": reason, "traceback": None}
    return json.dumps({"code": status, "title": reason, "explanation": reason, "error": error})


def _page(status: int, reason: str) -> str:
    return f"<html><head><title>{status} {reason}</title></head><body><h1>{status} {reason}</h1></body></html>"


_DIALECTS: Mapping[str, Callable[[int, str], str]] = {
    "compute": _compute,
    "block-storage": _compute,
    "network": _network,
    "orchestration": _orchestration,
    "image": _page,
    "object-store": _page,
}
_PHRASED = frozenset(http.HTTPStatus)
