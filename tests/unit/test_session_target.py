"""What a session's target knows about a request before any service is asked."""

import io
import json

import pytest
import requests
from keystoneauth1 import exceptions as keystone

from os_retries import RetryPolicy
from os_retries.core.failure import Failure, Kind
from os_retries.creates.requests import LONGEST
from os_retries.session.attachment import Attachment
from os_retries.session.bodies import body_of
from os_retries.session.repeatable import is_repeatable
from os_retries.session.targets import RequestTarget


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/servers/detail?name=secret", "/servers/detail"),
        ("routers/1/add_router_interface", "/routers/1/add_router_interface"),  # openstacksdk's way
        ("https://user:secret@host:8774/v2.1/servers", "/v2.1/servers"),
        ("", "/"),
    ],
)
def test_a_path_begins_with_a_slash_and_holds_no_query_and_no_host(url, path):
    assert RequestTarget(None, None, {"url": url, "method": "GET"}).path == path


def test_openstacksdk_s_add_router_interface_is_not_repeated_either():
    target = RequestTarget(None, None, {"url": "routers/1/add_router_interface", "method": "PUT"})
    assert not is_repeatable(target.verb, target.path)


# -- what is known of a request


def target(verb="GET", url="/servers", session=None, **kwargs):
    policy = RetryPolicy(sleep=lambda _seconds: None)  # no look that is repeated waits for real
    return RequestTarget(session, Attachment(policy), {"url": url, "method": verb, **kwargs})


@pytest.mark.parametrize(
    ("verb", "kwargs", "discovery"),
    [
        ("GET", {"authenticated": False}, True),
        ("GET", {"authenticated": None}, True),
        ("get", {"authenticated": None}, True),
        ("GET", {"authenticated": True}, False),
        ("GET", {}, False),
        ("POST", {"authenticated": False}, False),
        ("GET", {"authenticated": False, "endpoint_filter": {"service_type": "compute"}}, False),
        ("GET", {"authenticated": False, "endpoint_filter": {}}, True),
    ],
)
def test_a_discovery_document_is_asked_for_without_an_endpoint_and_with_a_word_about_the_token(verb, kwargs, discovery):
    assert target(verb, **kwargs).is_discovery is discovery


@pytest.mark.parametrize(
    ("url", "endpoint_filter", "service"),
    [
        ("/servers", {"service_type": "compute"}, "compute"),
        ("/servers", {"service_type": "volumev3"}, "block-storage"),
        ("/servers", {"service_type": None}, None),
        ("/servers", {}, None),
        ("/servers", None, None),
        ("https://host/v3/auth/tokens", None, "identity"),
        ("https://host/v3/auth/tokens/1", None, None),
    ],
)
def test_the_service_is_the_one_that_the_caller_asks_for(url, endpoint_filter, service):
    assert target(url=url, endpoint_filter=endpoint_filter).service() == service


@pytest.mark.parametrize(
    ("url", "service", "endpoint"),
    [
        ("https://host:8774/v2.1/servers", "compute", "host:8774 compute"),
        ("https://user:secret@host/identity/v3", "identity", "host identity"),
        ("https://host/volume/v3", None, "host volume"),
        (None, "compute", "compute"),
        (None, None, None),
    ],
)
def test_what_is_paced_together_is_a_host_and_a_service_without_credentials(url, service, endpoint):
    response = requests.Response()
    response.url = url
    filters = {"endpoint_filter": {"service_type": service}} if service else {}
    assert target(**filters).endpoint(response) == endpoint
    assert target(**filters).endpoint(keystone.ServiceUnavailable(response=response)) == endpoint
    bare = keystone.ConnectFailure()
    bare.__cause__ = requests.ConnectionError(request=requests.Request("GET", url))
    assert target(**filters).endpoint(bare) == endpoint


def test_the_failure_of_a_token_is_paced_as_identitys():
    of_token = keystone.ServiceUnavailable(response=requests.Response())
    of_token.response.url = "https://host/v3/auth/tokens"
    outer = keystone.EndpointNotFound()
    outer.__cause__ = of_token
    request = target(endpoint_filter={"service_type": "compute"})
    request.inside = of_token
    assert request.endpoint(outer) == "host identity"
    request.inside = None
    assert request.endpoint(outer) == "host compute"


class Session:
    def __init__(self, timeout=None, auth=None, renews=True):
        self.timeout, self.auth, self.renews, self.discarded = timeout, auth, renews, []

    def invalidate(self, auth):
        self.discarded.append(auth)
        return self.renews


@pytest.mark.parametrize(
    ("asked", "of_session", "of_policy", "timeout"),
    [(None, None, 9.0, 9.0), (3, None, 9.0, 3), (None, 5, 9.0, None), (0, None, 9.0, 0), (None, None, None, None)],
)
def test_the_timeout_of_the_policy_is_for_requests_that_have_none(asked, of_session, of_policy, timeout):
    kwargs = {} if asked is None else {"timeout": asked}
    request = target(session=Session(of_session), **kwargs)
    request.attachment.policy = RetryPolicy(attempt_timeout=of_policy)
    request.set_timeout()
    assert request.kwargs.get("timeout") == timeout


@pytest.mark.parametrize(
    ("kwargs", "session", "discarded"),
    [
        ({}, Session(auth="own"), [None]),
        ({"auth": "given"}, Session(), ["given"]),
        ({}, Session(), []),
        ({"allow_reauth": False}, Session(auth="own"), []),
        ({"allow_reauth": True, "authenticated": True}, Session(auth="own"), [None]),
        ({"authenticated": False}, Session(auth="own"), []),
        ({"authenticated": None}, Session(auth="own"), [None]),
    ],
)
def test_a_401_discards_the_token_by_keystoneauths_rules(kwargs, session, discarded):
    assert target(session=session, **kwargs).may_authenticate_again() is bool(discarded)
    assert session.discarded == discarded


def test_a_token_that_cannot_be_renewed_leads_to_no_second_request():
    assert target(session=Session(auth="own", renews=False)).may_authenticate_again() is False


@pytest.mark.parametrize(
    ("kwargs", "body"),
    [
        ({"json": {"a": 1}}, {"a": 1}),
        ({"json": {"a": 1}, "data": b"x"}, {"a": 1}),
        ({"data": '{"a": 1}'}, {"a": 1}),
        ({"data": b'{"a": 1}'}, {"a": 1}),
        ({"data": b"no json"}, None),
        ({"data": {"a": 1}}, None),
        ({}, None),
    ],
)
def test_the_json_of_a_body_is_read_also_where_the_client_has_written_it(kwargs, body):
    assert target("PUT", **kwargs)._json() == body


@pytest.mark.parametrize(
    ("verb", "service", "kwargs", "repeatable"),
    [
        ("PATCH", "identity", {"json": {"user": {"email": "x"}}}, True),
        ("PATCH", "identity", {"data": '{"user": {"email": "x"}}'}, True),
        ("PATCH", "identity", {"json": {"user": {"password": "x"}}}, False),
        ("PATCH", "network", {"json": {"network": {"name": "x"}}}, False),
        ("POST", "identity", {"json": {"user": {"email": "x"}}}, False),
        ("PUT", "identity", {"json": {"user": {"password": "x"}}}, True),
    ],
)
def test_a_lost_answer_is_ambiguous_and_repeatable_only_where_a_second_request_changes_no_more(
    verb, service, kwargs, repeatable
):
    request = target(verb, "/users/1", endpoint_filter={"service_type": service}, **kwargs)
    assert not request.ambiguous
    failure = request.read(keystone.GatewayTimeout(response=answer(504)), RetryPolicy(), None)
    assert (failure.kind, failure.repeatable, request.ambiguous) == (Kind.MAYBE_PROCESSED, repeatable, True)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_write_that_the_policy_does_not_repeat_is_marked_so_that_no_outer_call_repeats_it(status):
    policy = RetryPolicy(retry_codes=[599])
    for verb, kind in (("POST", Kind.MAYBE_PROCESSED), ("GET", Kind.PERMANENT)):
        request = target(verb)
        failure = request.read(keystone.HttpError(response=answer(status)), policy, None)
        assert (failure.kind, request.ambiguous) == (kind, verb == "POST")


@pytest.mark.parametrize("status", [413, 429, 404])
def test_what_was_refused_is_not_ambiguous(status):
    for policy in (RetryPolicy(), RetryPolicy(retry_codes=[599])):
        request = target("POST")
        request.read(keystone.HttpError(response=answer(status)), policy, None)
        assert not request.ambiguous


def test_an_error_that_a_look_up_has_read_is_not_read_again():
    request, error = target("POST"), keystone.ServiceUnavailable(response=answer(503))
    judged = Failure(503, note="looked up")
    request.judged = error, judged
    assert request.read(error, RetryPolicy(), None) is judged
    assert request.read(keystone.ServiceUnavailable(response=answer(503)), RetryPolicy(), None) is not judged


# -- an error that answers a repeat


FOUND = {"X-Openstack-Request-Id": "req-1"}


def answer(status, body=None, **headers):
    response = requests.Response()
    response.status_code, response._content = status, b"" if body is None else json.dumps(body).encode()
    response.headers.update(headers)
    return response


def repeated(verb, url="/volumes/1", **kwargs):
    request = target(verb, url, **kwargs)
    request.ambiguous = True
    return request


def unasked(**kwargs):
    raise AssertionError(kwargs)


def test_a_delete_whose_repeat_finds_nothing_has_worked():
    response = answer(404, **FOUND)
    assert repeated("DELETE").took_effect(response, unasked, None) is True
    assert response.status_code == 204
    for request, other in (
        (target("DELETE"), answer(404, **FOUND)),  # no attempt may have been processed
        (repeated("GET"), answer(404, **FOUND)),
        (repeated("POST"), answer(409, **FOUND)),
        (repeated("DELETE"), answer(404)),  # of a gateway
        (repeated("PUT", json={"volume": {"name": "x"}}), answer(404, **FOUND)),
        (repeated("DELETE"), None),
    ):
        assert request.took_effect(other, unasked, None) is False


def test_a_refused_delete_is_looked_at_with_a_get_of_the_same_request():
    asked = []

    def original(url, method, **kwargs):
        asked.append({"url": url, "method": method} | kwargs)
        return answer(200, {"volume": {"status": "deleting"}})

    headers = {"Content-Type": "x", "Accept": "y", "If-Match": "z", "X-Own": "1"}
    request = repeated("DELETE", json={}, stream=True, raise_exc=True, headers=headers, user_agent="me")
    response = answer(409)
    assert request.took_effect(response, original, None) is True
    assert response.status_code == 204
    own = {"X-Own": "1", "Accept": "application/json"}
    # Its answer is read by us, and not forever.
    how = {"raise_exc": False, "stream": True, "timeout": LONGEST}
    assert asked == [{"url": "/volumes/1", "method": "GET", "headers": own, "user_agent": "me", **how}]


@pytest.mark.parametrize(
    "shown",
    [
        answer(404),  # of a gateway
        answer(200, {"volume": {"status": "available"}}),
        answer(503),
        requests.ConnectionError(),
        ValueError(),
    ],
)
def test_a_look_that_shows_nothing_leaves_the_error(shown):
    def original(_url, _method, **_kwargs):
        if isinstance(shown, Exception):
            raise shown
        return shown

    response = answer(409)
    assert repeated("DELETE").took_effect(response, original, None) is False
    assert response.status_code == 409


@pytest.mark.parametrize(
    ("kwargs", "named"), [({}, "?"), ({"endpoint_filter": {"service_type": "volumev3"}}, "block-storage")]
)
def test_an_error_that_is_taken_for_a_success_is_told_with_its_service(kwargs, named, caplog):
    assert repeated("DELETE", **kwargs).took_effect(answer(409), lambda *_, **__: answer(404, **FOUND), None) is True
    words = "DELETE /volumes/1 answered 409 to a repeat: an earlier attempt has taken effect"
    assert caplog.messages == [f"{named}: {words}"]


def test_a_put_that_has_worked_is_answered_by_what_the_resource_shows():
    shown = {"network": {"id": "1", "name": "new"}}
    request = repeated("PUT", "/networks/1", json={"network": {"name": "new"}})
    response = answer(409, {"error": "x"})
    assert request.took_effect(response, lambda *_, **__: answer(200, shown), None) is True
    assert (response.status_code, response.json()) == (200, shown)


def test_the_content_of_an_upload_is_read_again_from_its_start():
    assert target("PUT", data=b"01")._content(None) == [b"01"]
    assert target("PUT", data="01")._content(None) is None
    file = io.BytesIO(b"0123")
    body = body_of({"data": file})
    file.read()
    assert list(target("PUT")._content(body)) == [b"0123"]
    file.close()
    assert target("PUT")._content(body) is None


def test_a_path_that_the_program_was_given_cannot_forge_a_line_or_steer_a_terminal():
    request = RequestTarget(None, None, {"url": "/servers/a\x1b[31m\x85b", "method": "GET"})
    assert request.name() == "GET /servers/a?[31m?b"
