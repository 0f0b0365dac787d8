"""Every client on an attached session: what reaches the server, and what the caller gets."""

from __future__ import annotations

import contextlib
import copy
import gc
import importlib.util
import inspect
import io
import threading
import time
import types
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from keystoneauth1.exceptions import (
    BadRequest,
    Conflict,
    ConnectFailure,
    InternalServerError,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
)
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from urllib3.util import Retry as Urllib3Retry

import os_retries
from os_retries import GiveUp, RetryPolicy, attach, detach, execute_with_retries, policy
from os_retries.core.exceptions import read_failure
from os_retries.core.failure import Kind

from .cloud import DIALECTS, REQUEST_ID, answer_json, balancer, refusal
from .cloud_clients import BY_NAME, CONFIGURATIONS, make_session
from .server import Answer, Garbage, HangUp, Stall


def installed(name):
    package = {"keystoneauth": "keystoneauth1", "sdk": "openstack"}.get(name.split(".")[0], f"{name}client")
    return importlib.util.find_spec(package) is not None


# `make lowest` runs this file with the oldest keystoneauth, and a few clients.
SESSION_BASED = [each for each in CONFIGURATIONS if each.service != "swift" and installed(each.name)]
CONSTRUCTORS = ("manila", "magnum", "ironic", "trove", "mistral", "barbican", "octavia")  # they ask for a token
SEVEN = [408, 413, 429, 500, 502, 503, 504]


@pytest.fixture(params=[each.name for each in SESSION_BASED])
def name(request):
    return request.param


@pytest.fixture(autouse=True)
def without_recipes():
    """What holds for a create that the table of creates does not know, and for all of them without safe_creates."""
    policy.provide(lambda _service: RetryPolicy(safe_creates=False))
    yield
    policy.provide(None)


@pytest.fixture
def attached(cold, cloud):
    """Build a client on an attached session, warm: its token, discovery and schemas are there, the record is empty."""

    def build(name, policy=None, *, warm=True, **arguments):
        options = BY_NAME[name].options
        # ironicclient's loop sits above the session; the others' do not matter here.
        own = os_retries.client_options(options) if options == "ironic" else {}
        built = cold(name, **own | arguments)
        if warm:
            built.get()
            built.create()
        attach(built.session, policy)
        cloud.clear()
        return built

    return build


def api(cloud, built, method=None):
    return cloud.count(path=built.configuration.path, method=method)


@contextlib.contextmanager
def failing(status):
    """Expect the client's own error, with this status; None: that of a connection that broke."""
    with pytest.raises(Exception) as raised:
        yield
    assert read_failure(raised.value).status == status


def test_all_22_configurations_are_tested_here():
    """But for `make lowest`, which says which it leaves out."""
    assert len(SESSION_BASED) == 22


# -- which requests are repeated


@pytest.mark.parametrize("status", SEVEN)
def test_a_read_is_repeated_on_each_status_until_it_succeeds(name, status, cloud, attached, naps):
    built = attached(name)
    cloud.plan(refusal(built.configuration.dialect, status), balancer(status), path=built.configuration.path)
    built.get()
    assert api(cloud, built) == 3
    assert naps == [10.0, 10.0]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 501])
def test_another_status_is_not_repeated(name, status, cloud, attached, naps):
    """But for openstacksdk's own wish: it asks keystoneauth to repeat a 409 of ironic five times."""
    wished = 5 if (name, status) == ("sdk.baremetal", 409) else 0
    built = attached(name)
    cloud.plan(*[refusal(built.configuration.dialect, status)] * (1 + wished), path=built.configuration.path)
    # designateclient looks for the status in the body of a 405.
    with pytest.raises(KeyError) if (name, status) == ("designate", 405) else failing(status):
        built.get()
    assert api(cloud, built) == 1 + wished
    assert len(naps) == wished


@pytest.mark.parametrize("status", SEVEN)
def test_a_create_is_repeated_only_where_the_service_says_that_it_did_nothing(name, status, cloud, attached, naps):
    built = attached(name)
    cloud.plan(refusal(built.configuration.dialect, status), path=built.configuration.path, method="POST")
    if status in {413, 429}:
        built.create()
        assert api(cloud, built, "POST") == 2
    else:
        # designateclient takes a 408 for a success, and a 429 as well: it looks for the status in the body.
        shown = None if name == "glance" and status in (408, 504) else status  # it has no class for these
        with contextlib.nullcontext() if (name, status) == ("designate", 408) else failing(shown):
            built.create()
        assert api(cloud, built, "POST") == 1
        assert naps == []


FAULTS = {
    "closed without an answer": HangUp(),
    "reset after the request was read": HangUp(reset=True),
    "reset before its body was read": HangUp(reset=True, read_body=False),
    "bytes that are no HTTP": Garbage(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_connection_is_repeated_for_a_read_and_never_for_a_create(name, fault, cloud, attached, naps):
    built = attached(name)
    cloud.plan(FAULTS[fault], FAULTS[fault], path=built.configuration.path, method="GET")
    built.get()
    assert api(cloud, built, "GET") == 3
    cloud.clear()
    cloud.plan(FAULTS[fault], path=built.configuration.path, method="POST")
    with failing(None):
        built.create()
    assert api(cloud, built, "POST") == 1


def test_a_refused_connection_is_repeated_for_reads_and_creates(name, cloud, attached):
    """Nothing was sent, so nothing can have been done."""
    opened = []

    def sleep(seconds):
        opened.append(seconds)
        if len(opened) % 2 == 0:
            door.open()

    door = cloud.doors["identity" if name == "keystone" else "services"]
    built = attached(name, RetryPolicy(sleep=sleep))
    for call in (built.get, built.create):
        door.shut()
        call()
    assert opened == [10.0] * 4
    assert api(cloud, built, "POST") == 1


def test_an_answer_that_never_comes_is_repeated_for_a_read_and_not_for_a_create(name, cloud, attached, naps):
    built = attached(name, RetryPolicy(attempt_timeout=0.2, safe_creates=False))
    cloud.plan(Stall(), path=built.configuration.path, method="GET")
    built.get()
    assert api(cloud, built, "GET") == 2
    cloud.clear()
    cloud.plan(Stall(), path=built.configuration.path, method="POST")
    with failing(None):
        built.create()
    assert api(cloud, built, "POST") == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_cut_off_after_a_good_status_line_is_repeated_for_a_read(name, chunked, cloud, attached, naps):
    if BY_NAME[name].service == "glance":
        pytest.skip("glanceclient streams every answer, and a stream is its reader's")
    built = attached(name)
    cloud.plan(
        Answer(200, b'{"things": [1, 2, 3, 4]}', chunked=chunked, cut=9), path=built.configuration.path, method="GET"
    )
    built.get()
    assert api(cloud, built, "GET") == 2
    assert naps == [10.0]


def test_a_create_whose_answer_was_cut_off_is_handed_over(cloud, attached, naps):
    built = attached("nova")
    cloud.plan(Answer(202, b'{"server": {"id": "1"}}', cut=9), path="/servers", method="POST")
    with pytest.raises(Exception) as raised:
        built.create()
    assert cloud.count(path="/servers", method="POST") == 1
    assert raised.value.os_retries.reason is GiveUp.NOT_REPEATABLE


def test_a_503_whose_body_says_that_nothing_was_done_is_repeated_for_a_create(cloud, attached):
    for answer in (
        Answer(503, b"The Keystone service is temporarily unavailable.", content_type="text/html"),
        balancer(503),
        answer_json(503, {"NeutronError": {"type": "NoNetworkAvailable", "message": "x", "detail": ""}}),
    ):
        built = attached("nova")
        cloud.plan(answer, path="/servers", method="POST")
        built.create()
        assert cloud.count(path="/servers", method="POST") == 2


@pytest.mark.parametrize("verb", ["get", "create"])
@pytest.mark.parametrize("name", [name for name in ("ironic",) if installed(name)])
def test_a_node_that_is_locked_is_asked_again_and_another_conflict_is_not(name, verb, cloud, attached, naps):
    """Ironic did nothing, whatever the verb; openstacksdk and ironicclient repeat it by themselves, and every other 409."""
    built = attached(name)
    locked = "Node 7c2f is locked by host cond-1, please retry after the current operation is completed."
    cloud.plan(refusal("ironic", 409, locked), path=built.configuration.path)
    getattr(built, verb)()
    assert (api(cloud, built), naps) == (2, [10.0])
    cloud.plan(refusal("ironic", 409, "Node 7c2f is associated with instance 1."), path=built.configuration.path)
    with pytest.raises(Exception, match="associated"):
        getattr(built, verb)()
    assert (api(cloud, built), naps) == (3, [10.0])


@pytest.mark.parametrize("verb", ["get", "create"])
@pytest.mark.skipif(not installed("sdk.baremetal"), reason="`make lowest` has a few clients")
def test_every_conflict_of_ironic_is_repeated_as_openstacksdk_asks(verb, cloud, attached, naps):
    """Its status_code_retries and retriable_status_codes are the caller's own; keystoneauth repeats, with its waits."""
    built = attached("sdk.baremetal")
    conflict = refusal("ironic", 409, "Node 7c2f is associated with instance 1.")
    cloud.plan(conflict, conflict, path=built.configuration.path)
    getattr(built, verb)()
    assert (api(cloud, built), naps) == (3, [0.5, 1.0])


def test_the_balancers_words_from_behind_the_service_are_not_believed(cloud, attached):
    """With a request id a service has spoken, and HAProxy stands behind it."""
    built = attached("nova")
    page = Answer(503, b"No server is available to handle this request.", {"x-openstack-request-id": "req-1"})
    cloud.plan(page, path="/servers", method="POST")
    with failing(503):
        built.create()
    assert cloud.count(path="/servers", method="POST") == 1


@pytest.mark.parametrize(
    "answer",
    [
        refusal("cinder", 413, "Quota exceeded", Retry_After="0"),
        refusal("cinder", 413, "rate", Retry_After="0"),
        refusal("glance", 413, "Request image size of 10 exceeds the quota"),
    ],
)
def test_a_413_that_is_a_quota_is_not_repeated_by_the_session_nor_by_an_outer_call(answer, cloud, attached, naps):
    for name, path in (("nova", "/servers"), ("glance", "/images")):  # glanceclient streams every answer
        built = attached(name)
        cloud.plan(answer, path=path, method="POST")
        with failing(413):
            execute_with_retries(built.create)
        assert cloud.count(path=path, method="POST") == 1
    assert naps == []


def test_a_status_of_the_users_own_is_repeated_for_reads_alone(cloud, attached):
    built = attached("nova", RetryPolicy(retry_codes=[409], safe_creates=False))
    cloud.plan(refusal("nova", 409), path="/servers", method="GET")
    built.get()
    cloud.plan(refusal("nova", 409), path="/servers", method="POST")
    with failing(409):
        built.create()
    assert (cloud.count(path="/servers", method="GET"), cloud.count(path="/servers", method="POST")) == (2, 1)


def test_a_patch_is_not_idempotent_and_a_put_is(cloud, attached):
    built = attached("keystoneauth")
    for verb, sent in [("put", 2), ("patch", 1)]:
        cloud.clear()
        cloud.plan(refusal("nova", 500), path="/servers")
        answer = getattr(built.client, verb)("/servers/1", json={"server": {}}, raise_exc=False)
        assert (cloud.count(path="/servers"), answer.status_code) == (sent, 200 if sent == 2 else 500)


@pytest.mark.parametrize("raise_exc", [True, False])
@pytest.mark.parametrize("fault", [HangUp(), balancer(504), refusal("nova", 500)])
def test_a_delete_that_is_gone_after_an_attempt_that_may_have_worked_has_succeeded(fault, raise_exc, cloud, attached):
    built = attached("keystoneauth")
    cloud.plan(fault, refusal("nova", 404), path="/servers", method="DELETE")
    answer = built.client.delete("/servers/1", raise_exc=raise_exc)
    assert (answer.status_code, answer.content) == (204, b"")
    assert cloud.count(path="/servers", method="DELETE") == 2


def test_a_404_of_an_ingress_in_front_of_the_service_is_no_delete_that_has_succeeded(cloud, attached):
    """While the service's only instance starts anew, Kubernetes' ingress answers 502 and then a page of its own."""
    built = attached("keystoneauth")
    page = Answer(404, b"default backend - 404", content_type="text/html")
    cloud.plan(balancer(502), page, path="/servers", method="DELETE")
    with pytest.raises(NotFound):
        built.client.delete("/servers/1")


GATEWAYS = {
    "nginx with a request id": Answer(404, b"<h1>404</h1>", {"X-Request-ID": "8a6c1f"}, "text/html"),
    "a balancer of AWS": Answer(404, b"", {"x-amz-request-id": "4442587FB7D0A2F9"}, "text/plain"),
    "Kong": answer_json(404, {"message": "no Route matched with those values", "request_id": "5b1a4f"}),
    "APISIX": answer_json(404, {"error_msg": "404 Route Not Found"}),
    "an ingress": Answer(404, b"default backend - 404", content_type="text/plain"),
}


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_404_of_a_gateway_is_no_delete_that_has_succeeded(gateway, cloud, attached):
    """An id or JSON of the gateway's own does not make it the service."""
    built = attached("keystoneauth")
    cloud.plan(balancer(504), GATEWAYS[gateway], path="/servers", method="DELETE")
    with pytest.raises(NotFound):
        built.client.delete("/servers/1")


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_404_of_a_gateway_to_the_look_at_a_refused_delete_proves_nothing(gateway, cloud, attached):
    built = attached("keystoneauth")
    cloud.plan(balancer(504), refusal("cinder", 409), path="/servers/1", method="DELETE")
    cloud.plan(GATEWAYS[gateway], path="/servers/1", method="GET")
    with pytest.raises(Conflict):
        built.client.delete("/servers/1")


@pytest.mark.parametrize("service", sorted(DIALECTS.keys() - {"glance", "swift"}))
def test_a_404_in_the_form_of_a_services_error_proves_that_it_is_gone_without_a_request_id(service, cloud, attached):
    """Some services, and some middlewares in front of them, send no id."""
    built = attached("keystoneauth")
    gone = answer_json(404, DIALECTS[service](404, "not found"))
    cloud.plan(balancer(504), gone, path="/servers", method="DELETE")
    assert built.client.delete("/servers/1").status_code == 204


@pytest.mark.parametrize("raise_exc", [True, False])
def test_a_delete_that_is_refused_because_it_is_under_way_has_succeeded(raise_exc, cloud, attached):
    """Cinder says 400 to a second DELETE; a look at the volume tells that from a volume in use."""
    built = attached("keystoneauth")
    cloud.plan(balancer(504), refusal("cinder", 400), path="/servers/1", method="DELETE")
    cloud.plan(answer_json(200, {"volume": {"status": "deleting"}}), path="/servers/1", method="GET")
    answer = built.client.delete("/servers/1", raise_exc=raise_exc)
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("look", "looks"), [(answer_json(200, {"volume": {"status": "in-use"}}), 1), (balancer(503), 2), (HangUp(), 2)]
)
def test_a_delete_that_is_refused_for_another_reason_is_an_error_and_a_look_that_fails_is_repeated(
    look, looks, cloud, attached, naps
):
    built = attached("keystoneauth")
    cloud.plan(balancer(504), refusal("cinder", 400), path="/servers/1", method="DELETE")
    cloud.plan(look, path="/servers/1", method="GET")
    with pytest.raises(BadRequest):
        built.client.delete("/servers/1")
    assert (cloud.count(path="/servers/1", method="GET"), naps) == (looks, [10.0] * looks)


def test_a_delete_that_is_refused_and_can_never_be_looked_at_is_an_error(cloud, attached, naps):
    built = attached("keystoneauth")
    cloud.plan(balancer(504), refusal("cinder", 400), path="/servers/1", method="DELETE")
    cloud.always(balancer(503), path="/servers/1", method="GET")
    with pytest.raises(BadRequest):
        built.client.delete("/servers/1")
    assert (cloud.count(path="/servers/1", method="DELETE"), cloud.count(path="/servers/1", method="GET")) == (2, 6)


def test_a_delete_that_is_refused_at_once_is_an_error_and_nobody_looks(cloud, attached):
    built = attached("keystoneauth")
    cloud.plan(refusal("cinder", 400), path="/servers/1", method="DELETE")
    with pytest.raises(BadRequest):
        built.client.delete("/servers/1")
    assert cloud.count(path="/servers/1") == 1


@pytest.mark.skipif(not installed("keystone"), reason="`make lowest` has a few clients")
def test_a_patch_that_sets_values_is_repeated(cloud, attached):
    built = attached("keystone")
    cloud.plan(refusal("keystone", 504), method="PATCH")
    with contextlib.suppress(Exception):  # what the server answers in the end is no user
        built.client.users.update("7", email="x")
    assert cloud.count(method="PATCH") == 2


def test_a_404_of_the_token_is_no_delete_that_has_succeeded(cloud, attached):
    built = attached("keystoneauth")
    cloud.plan(refusal("nova", 504), refusal("nova", 401), path="/servers", method="DELETE")
    cloud.plan(refusal("keystone", 404), kind="token")
    with pytest.raises(NotFound):
        built.client.delete("/servers/1")


def test_a_delete_that_is_gone_at_once_or_after_a_refusal_is_an_error(cloud, attached):
    built = attached("keystoneauth")
    for plan in ([refusal("nova", 404)], [refusal("nova", 429), refusal("nova", 404)]):
        cloud.plan(*plan, path="/servers", method="DELETE")
        with pytest.raises(Exception, match="404"):
            built.client.delete("/servers/1")


# -- one owner


@pytest.mark.parametrize("verb", ["get", "create"])
def test_with_every_knob_turned_up_a_request_is_sent_retries_number_and_one_times(verb, cloud, attached, naps):
    """Unattached this is 96 requests: 6 by the specification's loop, by 4 of keystoneauth's, by 4 of urllib3's."""
    built = attached("keystoneauth", connect_retries=3, status_code_retries=3)
    knob = Urllib3Retry(3, status_forcelist=[503], allowed_methods=None, backoff_factor=0)
    for adapter in built.session.session.adapters.values():
        adapter.max_retries = knob
    cloud.always(balancer(503), path="/servers")
    with failing(503):
        execute_with_retries(getattr(built, verb))
    assert cloud.count(path="/servers") == 6
    assert naps == [10.0] * 5
    detach(built.session)
    assert all(adapter.max_retries is knob for adapter in built.session.session.adapters.values())


def test_an_outer_call_does_not_repeat_what_the_session_has_given_up(name, cloud, attached, naps):
    built = attached(name)
    cloud.always(refusal(built.configuration.dialect, 500), path=built.configuration.path)
    with failing(500):
        execute_with_retries(built.get)
    assert api(cloud, built) == 6
    with failing(500):
        execute_with_retries(built.create)
    assert api(cloud, built) == 7


def test_what_a_thread_of_the_sdks_pool_has_given_up_is_not_repeated(cloud, attached, naps):
    built = attached("sdk.compute")
    cloud.always(balancer(503), path="/servers")
    with ThreadPoolExecutor(1) as pool, failing(503):
        execute_with_retries(lambda: pool.submit(built.get).result())
    assert cloud.count(path="/servers") == 6


def test_attempts_are_counted_for_each_request_and_the_extra_waiting_for_the_call(cloud, attached, naps):
    built = attached("keystoneauth")
    for page in range(6):
        cloud.plan(*[refusal("nova", 503)] * 5, refusal("nova", 503, Retry_After="1"), path=f"/servers/{page}$")
        cloud.plan(refusal("nova", 503, Retry_After="70"), path=f"/servers/long/{page}$")

    def listing(base):
        for page in range(6):
            built.client.get(f"{base}/{page}")

    with pytest.raises(ServiceUnavailable):
        execute_with_retries(listing, "/servers")
    assert cloud.count(path="/servers/0$") == 6
    naps.clear()
    # Each of these waits is 60 s beyond the configured 10: the sixth page's no longer fits in retry_max_wait.
    with pytest.raises(ServiceUnavailable) as raised:
        execute_with_retries(listing, "/servers/long")
    assert naps == [70.0] * 5
    assert raised.value.os_retries.reason is GiveUp.MAX_WAIT


def test_a_create_that_an_outer_call_would_repeat_is_not_whatever_the_sessions_own_codes(cloud, attached, naps):
    built = attached("keystoneauth", RetryPolicy(retry_codes=[503]))
    cloud.plan(refusal("nova", 500), path="/servers", method="POST")
    with pytest.raises(InternalServerError):
        execute_with_retries(built.create)
    assert cloud.count(path="/servers", method="POST") == 1


def test_a_create_whose_client_makes_another_status_of_it_is_not_repeated_either(cloud, attached, naps):
    built = attached("keystoneauth")
    cloud.plan(refusal("nova", 504), path="/servers", method="POST")

    def create():
        answer = built.client.post("/servers", json={"server": {}}, raise_exc=False)
        if answer.status_code >= 400:
            raise InternalServerError

    with pytest.raises(InternalServerError):
        execute_with_retries(create)
    assert cloud.count(path="/servers", method="POST") == 1


@pytest.mark.parametrize("url", ["foo://127.0.0.1/x", "http://*.example/x", "http://:80/x"])
def test_a_url_that_cannot_be_asked_is_no_reason_to_wait(url, attached, naps):
    built = attached("keystoneauth")
    with pytest.raises(Exception):
        built.session.get(url)
    assert naps == []


# -- waits


@pytest.mark.parametrize(
    ("value", "waited"),
    [("7", 7.0), ("7.5", 7.5), ("0", 10.0), ("-5", 10.0), ("soon", 10.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 10.0)],
)
def test_the_services_wait_is_used_where_the_header_can_be_read(name, value, waited, cloud, attached, naps):
    built = attached(name)
    cloud.plan(refusal(built.configuration.dialect, 503, Retry_After=value), path=built.configuration.path)
    built.get()
    assert naps == [waited]


@pytest.mark.parametrize("value", ["0", "Thu, 01 Jan 1998 00:00:00 GMT"])
def test_a_retry_after_that_is_no_wait_counts_as_absent(value, cloud, attached, naps):
    """Six attempts in four milliseconds help nobody."""
    built = attached("keystoneauth")
    cloud.plan(refusal("nova", 503, Retry_After=value), path="/servers")
    built.client.get("/servers")
    assert naps == [10.0]


@pytest.mark.parametrize(
    "words",
    [
        "No free conductor workers available",
        "lack of free conductor workers",
        "ConcurrentActionLimit: Unable to process the action at this time",
    ],
)
def test_an_ironic_that_is_busy_has_done_nothing(words, cloud, attached, naps):
    built = attached("keystoneauth")
    cloud.plan(refusal("ironic", 503, words), path="/servers", method="POST")
    built.client.post("/servers", json={})
    assert naps == [10.0]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, b"x" * 100, content_type="text/html", cut=10, ending="stall"),
        Answer(503, b"x" * 100, {"Content-Encoding": "gzip"}, "text/html", cut=10, ending="stall"),
        Answer(500, b"x" * 100, content_type="text/html", cut=10, ending="stall"),
    ],
)
def test_the_body_of_a_streamed_error_does_not_hold_the_call_up(answer, cloud, attached, naps, monkeypatch):
    """Where the caller wants exceptions, keystoneauth itself reads the body."""
    monkeypatch.setattr("os_retries.session.failures._READ_TIME", 0.2)
    built = attached("keystoneauth")
    cloud.plan(answer, path="/servers")
    try:
        built.client.get("/servers", stream=True, raise_exc=False).close()
    finally:
        cloud.release()
    assert naps == [10.0]


def test_a_date_is_measured_by_the_services_own_clock(cloud, attached, naps):
    built = attached("nova")
    dates = {"Date": "Tue, 14 Nov 2023 22:13:20 GMT", "Retry_After": "Tue, 14 Nov 2023 22:14:50 GMT"}
    cloud.plan(refusal("nova", 503, **dates), path="/servers")
    built.get()
    assert naps == [90.0]


def test_a_wait_of_a_day_is_not_begun(name, cloud, attached, naps):
    built = attached(name)
    cloud.always(refusal(built.configuration.dialect, 503, Retry_After="86400"), path=built.configuration.path)
    # These four pass the Retry-After on to a class of their own that does not take it.
    with pytest.raises(TypeError) if name in ("manila", "magnum", "ironic", "trove") else failing(503):
        built.get()
    assert api(cloud, built) == 1
    assert naps == []


# -- tokens and discovery


def test_a_token_that_fails_is_asked_for_again_by_the_request_that_needs_it(name, cloud, attached, naps):
    if name in CONSTRUCTORS:
        pytest.skip("this client's constructor asks for the token: see below")
    built = attached(name, warm=False)
    cloud.plan(refusal("keystone", 503, Retry_After="3"), HangUp(), kind="token")
    built.get()
    assert cloud.count("token") == 3
    assert naps == [3.0, 10.0]


@pytest.mark.parametrize("name", [name for name in CONSTRUCTORS if installed(name)])
def test_a_constructor_that_asks_for_a_token_gets_one_where_the_session_was_attached_before(name, cloud, naps):
    configuration = BY_NAME[name]
    with contextlib.ExitStack() as closing:
        session = make_session(cloud, closing)
        attach(session)
        cloud.plan(refusal("keystone", 503), HangUp(), kind="token")
        client = configuration.build(cloud, session)
        configuration.get(client)()
    assert cloud.count("token") == 3
    assert naps == [10.0, 10.0]


def test_a_create_whose_token_failed_is_repeated_for_it_was_not_sent(cloud, attached, naps):
    built = attached("nova", warm=False)
    cloud.plan(refusal("keystone", 500), HangUp(), kind="token")
    built.create()
    assert cloud.count(path="/servers", method="POST") == 1
    assert naps == [10.0, 10.0]


def test_wrong_credentials_are_no_reason_to_wait(cloud, attached, naps):
    built = attached("nova", warm=False)
    cloud.always(refusal("keystone", 401), kind="token")
    with pytest.raises(Exception, match="401"):
        built.get()
    assert naps == []


def test_a_discovery_document_gets_one_quick_repeat_and_clients_go_on_without(cloud, attached, naps):
    built = attached("sdk.compute", warm=False)
    cloud.always(refusal("nova", 503), kind="discovery")
    built.get()
    documents = {request.target for request in cloud.requests("discovery")}
    assert cloud.count("discovery") == 2 * len(documents)
    assert naps == []


def test_threads_that_need_a_token_while_keystone_is_down_wait_outside_the_lock(cloud, attached):
    """Keystone is down for 30 s of a clock that the waits move; 32 threads all get through in that time."""
    clock = Clock(cloud, down_for=30.0)
    built = attached("keystoneauth", RetryPolicy(retries_number=8, sleep=clock.sleep), warm=False)
    clock.go_down()
    results = []

    def work():
        results.append(built.client.get("/servers").status_code)

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 32
    # Each thread asks once in each round of waits, and never waits for another's rounds.
    assert max(clock.slept.values()) <= 50.0
    assert cloud.count("token") <= 32 * 4 + 1


def test_a_token_asked_of_the_plugin_itself_is_waited_for_outside_the_lock(cloud, attached):
    """Openstacksdk's ``current_user_id``, cinderclient and keystoneclient do so."""
    held = []
    policy = RetryPolicy(sleep=lambda _seconds: held.append(built.session.auth._lock.locked()))
    built = attached("keystoneauth", policy, warm=False)
    cloud.plan(refusal("keystone", 503), HangUp(), kind="token")
    assert built.session.auth.get_access(built.session).auth_token
    assert cloud.count("token") == 3
    assert held == [False, False]
    assert not built.session.auth._lock.locked()


class Clock:
    """A clock for each thread, moved by its own waits: keystone answers a thread once its clock says so."""

    def __init__(self, cloud, down_for):
        self.cloud = cloud
        self.down_for = down_for
        self.slept = {}
        self.lock = threading.Lock()

    def go_down(self):
        self.cloud.doors["identity"].shut()

    def sleep(self, seconds):
        with self.lock:
            me = threading.get_ident()
            self.slept[me] = self.slept.get(me, 0.0) + seconds
            if self.slept[me] >= self.down_for:
                self.cloud.doors["identity"].open()


@pytest.mark.skipif(not installed("swift"), reason="`make lowest` has a few clients")
@pytest.mark.parametrize("status", SEVEN)
def test_swift_on_an_attached_session_gets_its_token_and_repeats_its_data_by_its_own_loop(status, cloud, cold, naps):
    """Its data do not go through the session: client_options() makes its own loop obey.  swift's 413 will not pass."""
    built = cold("swift.session", **os_retries.client_options("swift"))
    attach(built.session)
    cloud.plan(refusal("keystone", 503), kind="token")
    cloud.plan(*[refusal("swift", status)] * 2, path=built.configuration.path)
    if status == 413:
        with pytest.raises(Exception, match="413"):
            built.get()
    else:
        built.get()
    assert cloud.count("token") == 2
    assert api(cloud, built) == (1 if status == 413 else 3)
    assert naps == [10.0] * (1 if status == 413 else 3)


def test_an_expired_token_is_renewed_by_keystoneauth_as_ever(name, cloud, attached, naps):
    built = attached(name)
    cloud.plan(refusal(built.configuration.dialect, 401), path=built.configuration.path)
    built.get()
    assert api(cloud, built) == 2
    assert cloud.count("token") == 1
    assert naps == []


# -- bodies

CONTENT = b"0123456789" * 20_000


@pytest.mark.parametrize("fault", [balancer(503), HangUp(), refusal("glance", 401)])
@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("name", ["glance", "sdk.image", "keystoneauth"])
def test_an_upload_that_failed_once_stores_the_same_bytes(name, opened, fault, cloud, attached, tmp_path):
    """Unattached, glanceclient and openstacksdk send nothing the second time and report success."""
    built = attached(name)
    path = tmp_path / "image"
    path.write_bytes(b"skipped" + CONTENT)
    upload = {
        "glance": lambda body: built.client.images.upload("1", body),
        "sdk.image": lambda body: built.client.image.put("/images/1/file", data=body),
        "keystoneauth": lambda body: built.client.put(f"{cloud.url('glance')}/v2/images/1/file", data=body),
    }[name]
    cloud.plan(fault, path="/file", method="PUT")
    with path.open("rb") if opened else io.BytesIO(b"skipped" + CONTENT) as body:
        body.seek(len(b"skipped"))
        upload(body)
    assert list(cloud.uploads.values()) == [CONTENT]
    assert cloud.count(path="/file", method="PUT") == 2


def test_a_body_that_cannot_be_rewound_is_sent_once_and_the_evidence_says_why(cloud, attached, naps):
    built = attached("keystoneauth")
    cloud.plan(balancer(503), path="/servers")
    answer = built.client.put("/servers/1", data=(part for part in [b"a", b"b"]), raise_exc=False)
    assert answer.status_code == 503
    assert cloud.count(path="/servers") == 1
    assert answer.os_retries.reason is GiveUp.BODY
    assert naps == []


def test_a_body_that_cannot_be_rewound_is_not_sent_again_after_a_401(cloud, attached):
    """Keystoneauth would send what is left of it, nothing, and report success."""
    built = attached("keystoneauth")
    cloud.plan(refusal("nova", 401), path="/servers")
    with pytest.raises(Exception, match="401"):
        built.client.put("/servers/1", data=(part for part in [b"a", b"b"]))
    assert cloud.count(path="/servers") == 1


class Chunks:
    """A wrapper around a file that requests takes for chunks: it can be begun again, and its file is at the end then."""

    def __init__(self, content):
        self._file = io.BytesIO(content)

    def __iter__(self):
        return iter(lambda: self._file.read(4), b"")


def test_a_wrapper_around_a_file_is_sent_once(cloud, attached, naps):
    built = attached("keystoneauth")
    cloud.plan(balancer(503), path="/servers")
    answer = built.client.put("/servers/1", data=Chunks(b"0123456789"), raise_exc=False)
    assert answer.status_code == 503
    assert [request.body for request in cloud.requests(path="/servers")] == [b"0123456789"]


@pytest.mark.parametrize("fault", [balancer(503), refusal("nova", 401)])
def test_the_files_of_a_form_are_sent_whole_again(fault, cloud, attached):
    built = attached("keystoneauth")
    cloud.plan(fault, path="/servers")
    form = {"one": io.BytesIO(CONTENT), "two": ("name", io.BytesIO(CONTENT), "text/plain")}
    built.client.put("/servers/1", files=form)
    first, second = cloud.requests(path="/servers")
    assert first.body.count(CONTENT) == second.body.count(CONTENT) == 2


@pytest.mark.parametrize("given", [dict.items, lambda form: iter(form.items()), types.MappingProxyType])
def test_a_form_is_sent_whole_however_its_files_are_given(given, cloud, attached):
    """A look at what can be rewound must not use up an iterator: the form would be sent, and reported, without files."""
    built = attached("keystoneauth")
    cloud.plan(balancer(503), path="/servers")
    built.client.put("/servers/1", files=given({"one": io.BytesIO(CONTENT)}))
    assert [request.body.count(CONTENT) for request in cloud.requests(path="/servers")] == [1, 1]


def test_a_query_given_as_an_iterator_is_asked_again_whole(cloud, attached):
    """Without its filter a listing answers with what nobody has asked for."""
    built = attached("keystoneauth")
    cloud.plan(balancer(503), path="/servers")
    built.client.get("/servers", params=iter([("name", "mine")]))
    assert [request.target.partition("?")[2] for request in cloud.requests(path="/servers")] == ["name=mine"] * 2


def test_a_body_without_credentials_is_the_services_401(cloud, attached):
    session = Session(session=requests.Session())
    attach(session)
    cloud.plan(refusal("nova", 401), path="/servers")
    with pytest.raises(Unauthorized):
        session.put(f"{cloud.url('nova')}/servers/1", data=io.BytesIO(b"x"))
    session.session.close()


def test_a_body_that_was_never_sent_may_be_one_that_cannot_be_rewound(cloud, attached):
    def sleep(_seconds):
        cloud.doors["services"].open()

    built = attached("keystoneauth", RetryPolicy(sleep=sleep))
    cloud.doors["services"].shut()
    built.client.put("/servers/1", data=(part for part in [b"a", b"b"]))
    assert [request.body for request in cloud.requests(path="/servers")] == [b"ab"]


# -- what the caller gets


def test_a_caller_that_wants_the_response_gets_it_with_the_evidence(cloud, attached, naps):
    built = attached("keystoneauth")
    cloud.always(refusal("nova", 503), path="/servers")
    answer = built.client.get("/servers", raise_exc=False)
    assert answer.status_code == 503
    evidence = answer.os_retries
    assert (evidence.method, evidence.service, evidence.reason) == ("GET /servers", "compute", GiveUp.ATTEMPTS)
    assert [attempt.kind for attempt in evidence.attempts] == [Kind.MAYBE_PROCESSED] * 6
    assert {attempt.request_id for attempt in evidence.attempts} == {REQUEST_ID}


def test_a_caller_that_wants_an_exception_gets_keystoneauths_own_with_the_evidence(cloud, attached, naps):
    built = attached("keystoneauth")
    cloud.always(refusal("nova", 503), path="/servers")
    with pytest.raises(ServiceUnavailable) as raised:
        built.client.get("/servers")
    assert raised.value.os_retries is raised.value.response.os_retries
    assert len(raised.value.__notes__) == 1
    cloud.clear()
    cloud.always(HangUp(), path="/servers")
    with pytest.raises(ConnectFailure) as raised:
        built.client.get("/servers")
    assert [attempt.what for attempt in raised.value.os_retries.attempts] == ["closed without an answer"] * 6


def test_the_log_says_what_an_operator_needs_and_no_query_token_or_body(cloud, attached, naps, caplog):
    built = attached("keystoneauth")
    cloud.plan(refusal("nova", 503), path="/servers")
    built.client.get("/servers?secret=1", params={"password": "secret"})
    assert [record.getMessage() for record in caplog.records if record.name == "os_retries"] == [
        f"compute: GET /servers answered 503 [{REQUEST_ID}]; attempt 1 of 6, next in 10 s (retry_after)"
    ]


def test_requests_look_as_they_did(cloud, attached):
    built = attached("keystoneauth", user_agent="mine", global_request_id="req-global")
    cloud.plan(refusal("nova", 503), path="/servers")
    built.session.session.headers["X-Extra"] = "1"
    built.client.get("/servers", microversion="2.90", headers={"X-Own": "1"})
    first, second = cloud.requests(path="/servers")
    assert first.headers == second.headers
    for name, value in {
        "user-agent": "mine",
        "openstack-api-version": "compute 2.90",
        "x-openstack-request-id": "req-global",
        "x-own": "1",
        "x-extra": "1",
    }.items():
        assert first.headers[name] == value


def test_a_request_is_repeated_however_many_of_its_arguments_have_no_name(cloud, attached, naps):
    built = attached("keystoneauth")
    cloud.plan(balancer(503), path="/servers")
    url = f"{cloud.url('nova')}/servers/1"
    assert built.session.request(url, "PUT", {"a": 1}, None, "someone/1").status_code == 200
    requests = cloud.requests(path="/servers")
    assert [request.headers["user-agent"] for request in requests] == ["someone/1"] * 2
    assert [request.body for request in requests] == [b'{"a": 1}'] * 2


class Positional(Session):
    """keystoneauth's own get() gives the URL and the verb by position, so a subclass may have other names for them."""

    def request(self, *args, **kwargs):
        uri, verb = args
        return super().request(uri, verb, **kwargs)


def test_a_subclass_gets_the_url_and_the_verb_by_position_as_without_us(cloud, naps):
    session = Positional(auth=Token(cloud.url("nova"), "t"), session=requests.Session())
    attach(session)
    cloud.plan(balancer(503), path="/servers")
    assert session.get(f"{cloud.url('nova')}/servers").status_code == 200
    assert session.put(f"{cloud.url('nova')}/servers/1", data=io.BytesIO(b"x")).status_code == 200
    assert cloud.count(path="/servers") == 3
    session.session.close()


def test_the_rate_semaphore_is_not_held_while_waiting(cloud, attached):
    class Semaphore:
        held = False

        def __enter__(self):
            self.held = True

        def __exit__(self, *_):
            self.held = False

    semaphore = Semaphore()
    held = []
    built = attached("keystoneauth", RetryPolicy(sleep=lambda _seconds: held.append(semaphore.held)))
    cloud.plan(refusal("nova", 503), path="/servers")
    built.client.get("/servers", rate_semaphore=semaphore)
    assert held == [False]


def test_timings_are_collected_as_before(cloud, attached):
    built = attached("keystoneauth")
    built.session._collect_timing = True
    cloud.plan(refusal("nova", 503), path="/servers")
    built.client.get("/servers")
    assert [timing.method for timing in built.session.get_timings()] == ["GET"]


def test_a_redirect_is_followed_and_counts_as_no_retry(cloud, attached, naps):
    built = attached("keystoneauth")
    target = cloud.url("nova") + "/servers/detail"
    cloud.plan(Answer(302, b"", {"Location": target}), path="/servers", method="GET")
    answer = built.client.get("/servers")
    assert [each.status_code for each in (*answer.history, answer)] == [302, 200]
    assert naps == []


def test_a_stream_stays_one(cloud, attached, naps):
    built = attached("keystoneauth")
    cloud.plan(refusal("nova", 503), path="/servers")
    answer = built.client.get("/servers", stream=True)
    assert not answer._content_consumed
    assert answer.json()["servers"]


def test_the_timeout_of_the_policy_is_for_callers_that_set_none(cloud, attached, monkeypatch):
    built = attached("keystoneauth", RetryPolicy(attempt_timeout=7))
    seen = []
    send = requests.Session.request
    monkeypatch.setattr(requests.Session, "request", lambda *a, **k: (seen.append(k.get("timeout")), send(*a, **k))[1])
    built.client.get("/servers")
    built.client.get("/servers", timeout=3)
    built.session.timeout = 5
    built.client.get("/servers")
    assert seen == [7, 3, 5]


# -- attach and detach


def test_attaching_to_whatever_carries_a_session_is_attaching_to_it(name, cloud, cold):
    built = cold(name)
    before = type(built.session)
    assert attach(built.client) is built.client
    assert type(built.session) is not before
    detach(built.client)
    assert type(built.session) is before


def test_detaching_restores_exactly_what_was_there(cold):
    session = cold("keystoneauth").session
    own = lambda *_a, **_k: None  # noqa: E731
    session.get_token = own
    before = type(session), dict(vars(session))
    attach(session)
    assert (type(session), vars(session)) != before
    detach(session)
    assert (type(session), vars(session)) == before
    detach(session)
    assert (type(session), vars(session)) == before


def test_an_attached_session_looks_as_it_did(cold):
    session = cold("keystoneauth").session
    before = repr(type(session)), inspect.signature(session.request), session.request.__doc__
    attach(session)
    assert isinstance(session, Session)
    assert (repr(type(session)), inspect.signature(session.request), session.request.__doc__) == before


def test_what_had_replaced_a_method_before_is_repeated_like_it(cloud, attached, naps):
    """A tracer or a test may have put a function of its own on the session."""
    session = attached("keystoneauth").session
    detach(session)
    plain, calls = session.request, []

    def theirs(*args, **kwargs):
        calls.append(args)
        return plain(*args, **kwargs)

    session.request = theirs
    attach(session)
    cloud.plan(balancer(503), path="/servers")
    assert session.get(cloud.url("nova") + "/servers").status_code == 200
    assert (cloud.count(path="/servers"), len(calls)) == (2, 2)
    detach(session)
    assert session.request is theirs


def test_a_copy_of_an_attached_session_is_attached_and_sends_with_its_own_credentials(cloud, attached, naps):
    built = attached("keystoneauth")
    other = copy.copy(built.session)
    other.auth = Token(cloud.url("nova"), "from elsewhere")
    cloud.plan(balancer(503), path="/servers")
    assert other.get(cloud.url("nova") + "/servers").status_code == 200
    assert [each.headers["X-Auth-Token"] for each in cloud.requests(path="/servers")] == ["from elsewhere"] * 2

    attach(other, RetryPolicy(retries_number=0))
    detach(other)
    assert type(other) is Session
    cloud.plan(balancer(503), path="/servers")
    assert built.client.get("/servers").status_code == 200, "the original is attached as before, with its own policy"


def test_a_session_that_nobody_uses_any_more_is_gone_at_once(cold):
    """Its sockets must not stay open until the garbage collector runs."""
    session = Session()
    attach(session)
    session.session
    gone = weakref.ref(session)
    gc.disable()
    try:
        del session
        assert gone() is None
    finally:
        gc.enable()


def test_attaching_twice_is_once_and_the_newer_policy_holds(cloud, attached, naps):
    built = attached("keystoneauth", RetryPolicy(retries_number=4))
    attach(built.session, RetryPolicy(retries_number=1))
    cloud.always(balancer(503), path="/servers")
    built.client.get("/servers", raise_exc=False)
    assert cloud.count(path="/servers") == 2
    detach(built.session)
    built.client.get("/servers", raise_exc=False)
    assert cloud.count(path="/servers") == 3


def test_somebody_elses_wrapper_around_ours_survives_detach_and_passes_on(cloud, attached, naps):
    built = attached("keystoneauth")
    ours = built.session.request
    calls = []

    def theirs(*args, **kwargs):
        calls.append(args)
        return ours(*args, **kwargs)

    built.session.request = theirs
    detach(built.session)
    cloud.always(balancer(503), path="/servers")
    built.client.get("/servers", raise_exc=False)
    assert (cloud.count(path="/servers"), len(calls)) == (1, 1)


@pytest.mark.parametrize("thing", [None, 7, "session", requests.Session(), object()])
def test_what_carries_no_session_is_a_clear_error(thing):
    with pytest.raises(TypeError, match=r"no keystoneauth Session in .*: attach\(\) takes"):
        attach(thing)


def test_a_policy_that_is_none_is_a_clear_error(cold):
    with pytest.raises(TypeError, match="policy must be a RetryPolicy or None, not 3"):
        attach(cold("keystoneauth").session, 3)


def test_threads_that_attach_leave_one_attachment(cold):
    session = cold("keystoneauth").session
    before = dict(vars(session))
    threads = [threading.Thread(target=attach, args=(session,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    detach(session)
    assert vars(session) == before


def test_the_environment_switches_it_off(cloud, attached, naps, monkeypatch):
    built = attached("keystoneauth")
    monkeypatch.setenv("OS_RETRIES_DISABLED", "1")
    cloud.always(balancer(503), path="/servers")
    built.client.get("/servers", raise_exc=False)
    assert cloud.count(path="/servers") == 1


def test_threads_on_one_attached_session_each_get_their_own_answer(cloud, attached):
    built = attached("keystoneauth", RetryPolicy(retries_number=50, sleep=lambda _seconds: None))
    results = {}
    faults = [balancer(503), HangUp(), refusal("nova", 429), balancer(502), HangUp(reset=True)]
    for number in range(0, 32, 2):
        cloud.plan(*(faults[(number + n) % len(faults)] for n in range(3)), path=rf"/servers/{number}$")

    def work(number):
        results[number] = built.client.get(f"/servers/{number}").status_code

    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(32), 200)
    for number in range(32):
        assert cloud.count(path=rf"/servers/{number}$") == (4 if number % 2 == 0 else 1)


@pytest.mark.parametrize("retries", [0, 1])
def test_an_error_has_its_own_chain_also_where_the_caller_handles_another_and_is_gone_with_it(
    retries, cloud, attached, naps
):
    """What a caller handles belongs at the end of the chain, and not in the place of what broke."""
    built = attached("keystoneauth", RetryPolicy(retries_number=retries))
    cloud.always(HangUp(), path="/servers")

    def names():
        try:
            raise LookupError
        except LookupError:
            try:
                built.client.get("/servers")
            except Exception as error:
                gone.append(weakref.ref(error))
                return names_of(error)

    def names_of(error):
        below = [] if error.__context__ is None else names_of(error.__context__)
        return [type(error).__name__, *below]

    gone = []
    gc.disable()  # reference counting alone must do
    try:
        found = names()
        assert gone[0]() is None
    finally:
        gc.enable()
    assert (found[0], found[-2:]) == ("ConnectFailure", ["RemoteDisconnected", "LookupError"])
    assert cloud.count(path="/servers") == retries + 1


def test_no_test_here_has_slept(naps):
    """The fixture replaces time.sleep for everybody."""
    time.sleep(1000)
    assert naps == [1000]
