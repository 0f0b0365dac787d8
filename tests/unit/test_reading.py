"""How a failure is read from the attributes of an exception.  tests/clients has the exceptions of the real clients."""

from __future__ import annotations

import http

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_retries.core.exceptions import chain, read_failure
from os_retries.core.failure import Failure

from .conftest import HttpError


class Response:
    def __init__(self, status: object, **headers: str) -> None:
        self.status_code = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __bool__(self) -> bool:  # as requests has it
        return False


class Bare(Exception):
    """An exception with the attributes that it is given."""

    def __init__(self, **attributes: object) -> None:
        vars(self).update(attributes)


@pytest.mark.parametrize("name", ["http_status", "status_code", "code", "error_code"])
def test_the_status_is_found_in_each_clients_attribute(name):
    assert read_failure(Bare(**{name: 503})).status == 503


@pytest.mark.parametrize("value", ["N/A", "503", None, True, 0, 99, 600, 1006, 503.0, [503], lambda: 503])
def test_what_is_no_integer_from_100_to_599_is_no_status(value):
    assert read_failure(Bare(code=value)).status is None


def test_an_enumerated_status_is_one():
    status = read_failure(Bare(code=http.HTTPStatus.BAD_GATEWAY)).status
    assert status == 502
    assert type(status) is int


def test_an_attribute_that_says_nothing_leaves_the_word_to_the_next():
    assert read_failure(Bare(http_status=None, code="N/A", error_code=429)).status == 429


def test_the_response_is_asked_last_and_even_though_it_is_false():
    assert read_failure(Bare(response=Response(504))).status == 504
    assert read_failure(Bare(code=404, response=Response(504))).status == 404


def test_a_property_that_fails_says_nothing():
    class Odd(Exception):
        code = 503

        @property
        def http_status(self):
            raise RuntimeError

    assert read_failure(Odd()).status == 503


def raised(error: Exception, *, out_of: Exception, explicitly: bool) -> Exception:
    try:
        try:
            raise out_of
        except Exception as cause:
            if explicitly:
                raise error from cause
            raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize("explicitly", [True, False])
def test_a_translation_has_the_status_the_retry_after_and_the_request_id_of_what_it_translates(explicitly):
    """Magnumclient turns keystoneauth's 503 on the token into a RuntimeError."""
    original = Bare(http_status=503, response=Response(503, retry_after="7", x_openstack_request_id="req-1"))
    error = raised(RuntimeError("no token"), out_of=original, explicitly=explicitly)
    assert read_failure(error) == Failure(503, 7, "req-1")


@pytest.mark.parametrize("kind", [TypeError, KeyError, AttributeError, ConnectionError, TimeoutError, AssertionError])
def test_a_bug_or_a_lost_connection_in_an_except_block_is_not_the_error_that_was_handled_there(kind):
    assert read_failure(raised(kind("x"), out_of=HttpError(503), explicitly=False)).status is None


def test_a_suppressed_context_says_nothing():
    error = raised(RuntimeError("x"), out_of=HttpError(503), explicitly=False)
    error.__suppress_context__ = True
    assert read_failure(error).status is None


def test_an_own_status_wins_over_that_of_the_cause_and_takes_no_retry_after_from_another_answer():
    original = Bare(code=503, response=Response(503, retry_after="7"))
    assert read_failure(raised(HttpError(404), out_of=original, explicitly=True)) == Failure(404)


def test_a_ring_of_causes_ends():
    one, two = RuntimeError("one"), RuntimeError("two")
    one.__cause__, two.__cause__ = two, one
    assert read_failure(one).status is None
    assert list(chain(one)) == [one, two]


def test_the_header_is_believed_before_the_attribute():
    """Keystoneauth's attribute is 0 for every 413, whatever the header says."""
    assert read_failure(Bare(http_status=413, retry_after=0, response=Response(413, Retry_After="7"))).retry_after == 7
    assert (
        read_failure(Bare(http_status=413, retry_after=9, response=Response(413, Retry_After="soon"))).retry_after
        is None
    )


def test_swift_keeps_the_headers_under_a_name_of_its_own():
    error = Bare(http_status=503, http_response_headers={"retry-after": "7", "x-trans-id": "tx-1"})
    assert read_failure(error) == Failure(503, 7, "tx-1")


@pytest.mark.parametrize(("value", "seconds"), [(7, 7), (0, None), (-5, None), ("7", 7), (None, None)])
def test_the_attribute_serves_where_the_header_is_lost_and_0_there_is_absent(value, seconds):
    """Nova says 0 both for a Retry-After of 0 and for none."""
    assert read_failure(Bare(code=429, retry_after=value)).retry_after == seconds


def test_a_retry_after_of_0_in_the_header_is_absent_too():
    assert read_failure(Bare(response=Response(503, Retry_After="0"))).retry_after is None


def test_a_date_is_measured_by_the_services_clock_where_it_told_it():
    headers = {"Retry_After": "Tue, 14 Nov 2023 22:14:50 GMT"}
    own = read_failure(Bare(response=Response(503, **headers)), now=lambda: 1_700_000_000 - 3600)
    theirs = read_failure(
        Bare(response=Response(503, Date="Tue, 14 Nov 2023 22:13:20 GMT", **headers)), now=lambda: 1_700_000_000 - 3600
    )
    assert (own.retry_after, theirs.retry_after) == (3690, 90)


@pytest.mark.parametrize(
    ("attributes", "request_id"),
    [
        ({"request_id": "req-1"}, "req-1"),
        ({"request_ids": ["req-1", "req-2"]}, "req-1"),
        ({"request_ids": []}, None),
        ({"transaction_id": "tx0001-0-x"}, "tx0001-0-x"),
        ({"response": Response(503, X_Compute_Request_Id="req-3")}, "req-3"),
        ({"request_id": "req-1\nCRITICAL: all is lost"}, None),
        ({"request_id": "x" * 500}, None),
        ({"request_id": 7}, None),
    ],
)
def test_a_request_id_is_taken_where_there_is_one_and_only_if_it_looks_like_one(attributes, request_id):
    assert read_failure(Bare(**attributes)).request_id == request_id


@given(
    st.dictionaries(
        st.sampled_from(["http_status", "code", "response", "retry_after", "request_id", "headers"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()),
    )
)
def test_whatever_an_exception_carries_reading_it_raises_nothing(attributes):
    read_failure(Bare(**attributes))


@pytest.mark.parametrize(("value", "status"), [(99, None), (100, 100), (599, 599), (600, None), (True, None)])
def test_a_status_is_from_100_to_599_wherever_it_stands(value, status):
    assert read_failure(Bare(code=value)).status == status
    assert read_failure(Bare(response=Response(value))).status == status


@pytest.mark.parametrize("kind", [NameError, ZeroDivisionError, IndexError, OSError])
def test_any_other_bug_in_an_except_block_translates_nothing_either(kind):
    assert read_failure(raised(kind("x"), out_of=HttpError(503), explicitly=False)).status is None


def test_of_a_long_chain_sixteen_exceptions_are_looked_at():
    first = error = RuntimeError("0")
    for number in range(40):
        error.__cause__ = RuntimeError(str(number + 1))
        error = error.__cause__
    assert [str(each) for each in chain(first)] == [str(number) for number in range(16)]


def test_a_status_is_looked_for_in_eight_exceptions_that_translate_one_another():
    def behind(count: int) -> int | None:
        error: Exception = HttpError(503)
        for _ in range(count):
            outer = RuntimeError()
            outer.__cause__ = error
            error = outer
        return read_failure(error).status

    assert (behind(7), behind(8)) == (503, None)
