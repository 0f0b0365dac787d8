"""HTTP's rules: Retry-After in all its forms."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_retries.core.answers import header, is_from_service, parse_date, parse_retry_after
from os_retries.core.failure import RETRY_CODES
from os_retries.session.repeatable import is_repeatable

NOW = 1_700_000_000.0


def date(offset: int) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + offset, UTC), usegmt=True)


def test_the_statuses_are_the_specifications():
    assert sorted(RETRY_CODES) == [408, 413, 429, 500, 502, 503, 504]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("7.5", 7.5),
        (7, 7.0),
        (0.25, 0.25),
        ("0", 0.0),
        (date(90), 90.0),
        (date(26 * 3600), 93_600.0),  # cinderclient makes 7,200 s of it
        (date(-90), 0.0),
        ("Tuesday, 14-Nov-23 22:14:50 GMT", 90.0),  # the obsolete RFC 850 form
        ("Tue Nov 14 22:14:50 2023", 90.0),  # asctime: no time zone, so UTC
        ("-5", None),
        (-5, None),
        ("soon", None),
        ("", None),
        ("1e3", None),
        ("inf", None),
        (float("nan"), None),
        (10**400, float("inf")),
        (1e-7, None),  # written 1e-07: no form of HTTP's, and no wait worth the name
        ("٣", None),  # a digit, but not one of HTTP's
        (True, None),
        (None, None),
        (object(), None),
        ("Wed, 99 Foo 9999 99:99:99 GMT", None),
        ("x" * 100_000, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms_and_never_negative(value, seconds):
    assert parse_retry_after(value, NOW) == seconds


def test_a_number_too_large_for_a_float_is_endless_and_no_error():
    assert parse_retry_after("9" * 400, NOW) == float("inf")


@given(st.text() | st.integers() | st.floats() | st.none() | st.binary())
def test_whatever_stands_there_is_a_wait_that_is_not_negative_or_nothing(value):
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(min_value=0, max_value=10**9))
def test_a_date_and_the_seconds_up_to_it_are_the_same_wait(offset):
    assert parse_retry_after(date(offset), NOW) == parse_retry_after(str(offset), NOW) == offset


def test_a_text_that_is_no_date_is_none():
    assert parse_date("yesterday") is None


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
def test_a_header_is_found_whatever_its_case(name):
    assert header({1: "x", "other": "y", name: "7"}, "retry-after") == "7"


def test_a_header_that_is_no_text_is_none():
    assert header({"retry-after": 7}, "retry-after") is None


@pytest.mark.parametrize(
    ("verb", "path", "repeatable"),
    [
        ("GET", "/servers", True),
        ("PUT", "/v2.0/networks/1", True),
        ("DELETE", "/servers/1", True),
        ("POST", "/servers", False),
        ("PATCH", "/servers/1", False),
        ("POST", "/v3/auth/tokens", True),
        ("PUT", "/os-services/failover_host", False),
        ("PUT", "/v1/nodes/1/vendor_passthru/heartbeat", False),
        ("DELETE", "/v2/queues/q/messages", False),
        ("DELETE", "/v2/queues/q/messages/1", True),
        ("DELETE", "/stacks/name/1/abandon", False),
        ("DELETE", "/stacks/name/1", True),
        ("HEAD", "/v3/auth/tokens", True),
        ("OPTIONS", "/", True),
        ("TRACE", "/", True),
        ("post", "/v2.0/tokens", True),
        ("POST", "/v2.0/tokens/1", False),
        ("POST", "/v2/images/1/actions/deactivate", True),
        ("POST", "/v2/images/1/actions/reactivate", True),
        ("POST", "/v2/images/1/actions/import", False),
        ("PUT", "/v2/images/1/file", True),
        ("PUT", "/v2/images/1/stage", True),
        ("PUT", "/v2.0/routers/1/add_router_interface", False),
        ("PUT", "/v2.0/routers/1/remove_extraroutes", False),
        ("PUT", "/v2.0/routers/1", True),
        ("PUT", "/v2.0/trunks/1/add_subports", False),
        ("PUT", "/v2.0/trunks/1/remove_subports", False),
        ("PUT", "/v2.0/address-groups/1/add_addresses", False),
        ("PUT", "/v1/nodes/1/states/power", False),
        ("PUT", "/v1/nodes/1/management/inject_nmi", False),
        ("PUT", "/v1/nodes/1/maintenance", True),
        ("PUT", "/os-services/failover", False),
        ("PUT", "/os-services/enable", True),
        ("PUT", "/v2/lbaas/loadbalancers/1/failover", False),
        ("PUT", "/v2/octavia/amphorae/1/failover", False),
        ("PUT", "/v2/lbaas/loadbalancers/1", True),
    ],
)
def test_a_request_is_repeatable_if_a_second_one_does_no_more_than_the_first(verb, path, repeatable):
    assert is_repeatable(verb, path) is repeatable


@pytest.mark.parametrize(
    ("service", "path", "repeatable"),
    [
        (None, "/v1/AUTH_1", True),
        (None, "/v1/AUTH_1/container/an/object", True),
        (None, "/swift/v1/AUTH_1/container", True),
        ("object-store", "/v1/whatever", True),
        (None, "/v1/1/stacks", False),
        (None, "/v1/secrets/AUTH_1", False),
        (None, "/v1/1/v1/AUTH_1", False),
        ("orchestration", "/v1/AUTH_1/stacks", False),
    ],
)
def test_a_post_to_object_storage_is_told_by_its_service_or_by_its_account(service, path, repeatable):
    """The `openstack` command sends to the URL of the account, and names no service."""
    assert is_repeatable("POST", path, service) is repeatable
    assert is_repeatable("COPY", path, service) is repeatable
    assert is_repeatable("PUT", path, service) is True
    assert is_repeatable("PATCH", path, service) is False


# -- who has answered


def no_json() -> object:
    raise ValueError


@pytest.mark.parametrize("name", ["X-Openstack-Request-Id", "x-compute-request-id", "X-Trans-Id"])
def test_a_service_is_known_by_the_id_that_openstack_gives_to_a_request(name):
    assert is_from_service({name: "x"}, no_json)


@pytest.mark.parametrize("name", ["X-Request-Id", "x-amz-request-id", "X-Kong-Request-Id", "Content-Type"])
def test_a_gateway_is_not_known_by_an_id_of_its_own(name):
    assert not is_from_service({name: "x"}, no_json)


ERRORS = [
    {"error": {"code": 404, "message": "x", "title": "Not Found"}},
    {"itemNotFound": {"code": 404, "message": "x"}},
    {"NeutronError": {"type": "x", "message": "x", "detail": ""}},
    {"errors": [{"status": 404, "title": "x", "detail": "x"}]},
    {"errors": ["x", {"status": 404, "title": "x", "detail": "x", "code": "x"}]},
    {"error_message": "x"},
    {"code": 404, "title": "x", "explanation": "x", "error": {}},
    {"code": 404, "type": "x", "message": "x", "request_id": "x"},
    {"code": 404, "title": "x", "description": "x"},
    {"faultcode": "Client", "faultstring": "x", "debuginfo": None},
    {"error_code": 404, "error_name": "x", "error_message": "x"},
]


@pytest.mark.parametrize("body", ERRORS)
def test_a_service_is_known_by_the_form_of_its_error(body):
    assert is_from_service({}, lambda: body)


def without_each(body: dict[str, object]) -> list[dict[str, object]]:
    return [{key: value for key, value in body.items() if key != left_out} for left_out in body]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        {"message": "no Route matched with those values"},
        {"error": {"message": "x"}},
        {"error": {"code": 404}},
        {"NeutronError": {"type": "x"}},
        {"another": {"message": "x"}},
        {"errors": []},
        {"errors": [{"status": 404, "title": "x"}]},
        {"faults": [{"status": 404, "title": "x", "detail": "x"}]},
        {"errors": "x"},
        *(
            each
            for form in ERRORS[6:]
            for each in without_each({name: form[name] for name in form if name not in ("error", "debuginfo")})
            if len(each) > 1
        ),
    ],
)
def test_any_other_json_may_be_a_gateways(body):
    assert not is_from_service({}, lambda: body)


@pytest.mark.parametrize("error", [ValueError(), OSError()])
def test_a_body_that_cannot_be_read_says_nothing(error):
    def read() -> object:
        raise error

    assert not is_from_service({}, read)
