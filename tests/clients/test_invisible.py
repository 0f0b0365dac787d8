"""attach is invisible: code that patches, mocks or wraps a session sees what it would see without os_retries."""

from __future__ import annotations

import copy
import functools
import pickle
from unittest import mock

import openstack
import pytest
import requests
from keystoneauth1.adapter import Adapter
from keystoneauth1.discover import Discover
from keystoneauth1.exceptions import Conflict, ConnectFailure, ServiceUnavailable, Unauthorized
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

import os_retries

from .cloud import balancer, refusal
from .server import HangUp

# openstacksdk says it of a package that nobody here uses.
pytestmark = pytest.mark.filterwarnings("ignore:Support for InfluxDB requires the influxdb library")

NOVA = {"service_type": "compute"}


def new_session(cloud) -> Session:
    return Session(Token(cloud.url("nova"), "t"))


@pytest.fixture
def session(cloud):
    """An attached session, after another one has been attached and used: what was cached then is there."""
    os_retries.attach(new_session(cloud)).get("/servers", endpoint_filter=NOVA)
    session = os_retries.attach(new_session(cloud))
    cloud.clear()
    return session


# -- the README's connection


CLOUDS_YAML = """
clouds:
  demo:
    auth: {{auth_url: {url}, username: demo, password: secret, project_name: demo,
           user_domain_id: default, project_domain_id: default}}
"""


@pytest.fixture
def clouds_yaml(cloud, tmp_path, monkeypatch):
    path = tmp_path / "clouds.yaml"
    path.write_text(CLOUDS_YAML.format(url=cloud.auth_url))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))


def test_a_connection_that_has_not_made_its_session_yet_can_be_attached(cloud, clouds_yaml, naps):
    """As the README has it: openstacksdk makes the session when it is first asked for it."""
    connection = openstack.connect(cloud="demo")
    assert os_retries.attach(connection) is connection
    cloud.plan(refusal("nova", 503), path="/servers/detail")
    list(connection.compute.servers())
    assert naps == [10.0]
    os_retries.detach(connection)
    cloud.plan(refusal("nova", 503), path="/servers/detail")
    with pytest.raises(Exception, match="503"):
        list(connection.compute.servers())
    connection.close()


def test_what_carries_such_a_connection_can_be_attached(clouds_yaml):
    class Inventory:
        def __init__(self) -> None:
            self.cloud = openstack.connect(cloud="demo")

    inventory = Inventory()
    os_retries.attach(inventory)
    assert os_retries.detach(inventory.cloud) is None
    inventory.cloud.close()


# -- patches of the class


def test_a_patch_of_the_class_holds_for_sessions_that_are_attached_already(cloud, session):
    with mock.patch.object(Session, "request", return_value="mocked") as request:
        assert session.get("/servers", endpoint_filter=NOVA) == "mocked"
        assert os_retries.attach(new_session(cloud)).post("/x", json={}) == "mocked"
    assert request.call_count == 2
    assert cloud.count() == 0


def test_a_patch_of_the_class_is_over_when_it_is_over(cloud, monkeypatch):
    """Also where a session of a class of its own is attached for the first time while the mock is there."""

    class Own(Session):
        pass

    with mock.patch.object(Own, "request", return_value="mocked"):
        session = os_retries.attach(Own(Token(cloud.url("nova"), "t")))
        assert session.get("/servers", endpoint_filter=NOVA) == "mocked"
    assert session.get("/servers", endpoint_filter=NOVA).status_code == 200
    assert type(session).request.__name__ == "request"


def test_a_patch_of_a_method_that_asks_for_a_token_holds(session):
    with mock.patch.object(Session, "get_token", return_value="mocked"):
        assert session.get_token() == "mocked"
    assert session.get_token() == "t"


def test_an_autospecced_mock_of_the_class_sees_the_session(session):
    with mock.patch.object(Session, "request", autospec=True, return_value="mocked") as request:
        assert session.get("/servers", endpoint_filter=NOVA) == "mocked"
    assert request.call_args.args[0] is session


@pytest.mark.parametrize("raise_exc", [True, False])
def test_a_mocked_answer_that_is_no_response_is_passed_on(session, raise_exc):
    """A MagicMock compares with no number."""
    with mock.patch.object(Session, "request") as request:
        for verb in ("GET", "POST", "PUT", "DELETE"):
            answer = session.request("/servers", verb, endpoint_filter=NOVA, raise_exc=raise_exc)
            assert answer is request.return_value


def test_a_wrapper_that_reads_the_url_and_the_verb_by_position_gets_them(cloud, session, naps):
    """As an instrumentor does it; it sees each attempt."""
    seen = []
    plain = Session.request

    @functools.wraps(plain)
    def instrumented(*args, **kwargs):
        seen.append(args[1:3])
        return plain(*args, **kwargs)

    cloud.plan(refusal("nova", 503), path="/servers")
    with mock.patch.object(Session, "request", instrumented):
        session.get("/servers", endpoint_filter=NOVA)
    assert seen == [("/servers", "GET")] * 2
    assert naps == [10.0]


def test_an_error_that_a_mock_raises_goes_up_as_it_is(session, naps):
    """It carries no answer that could be read."""
    error = ServiceUnavailable()
    with mock.patch.object(Session, "request", side_effect=error), pytest.raises(ServiceUnavailable) as caught:
        session.get("/servers", endpoint_filter=NOVA)
    assert caught.value is error
    assert naps == []


# -- copies and pickles


def test_a_session_is_pickled_as_if_it_were_not_attached(cloud):
    """With a requests.Session of its own a session can be pickled, and what comes back is a plain one."""
    plain = Session(Token(cloud.url("nova"), "t"), session=requests.Session())
    attached = copy.copy(plain)
    os_retries.attach(attached)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(attached, protocol))
        assert type(back) is Session
        assert vars(back).keys() == vars(pickle.loads(pickle.dumps(plain, protocol))).keys()
        assert back.get("/servers", endpoint_filter=NOVA).status_code == 200


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_of_an_attached_session_is_attached_and_its_shadows_are_called(make, cloud, naps):
    original = Session(Token(cloud.url("nova"), "t"), session=requests.Session())
    seen = []

    def shadow(*args, **kwargs):
        seen.append(args)
        return Session.request(original, *args, **kwargs)

    original.request = shadow
    copied = make(os_retries.attach(original))
    cloud.plan(refusal("nova", 503), path="/servers")
    assert copied.get("/servers", endpoint_filter=NOVA).status_code == 200
    assert (len(seen), naps) == (2, [10.0])
    os_retries.detach(copied)
    assert vars(copied)["request"] is not None


# -- the caller's own knobs


def test_statuses_of_the_callers_own_are_repeated_as_often_as_it_says(cloud, session, naps):
    """Openstacksdk asks for 409 to be repeated five times where ironic has locked a node."""
    adapter = Adapter(session, service_type="compute", status_code_retries=3, retriable_status_codes=[409, 503])
    cloud.plan(refusal("nova", 409), refusal("nova", 409), path="/servers")
    assert adapter.get("/servers").status_code == 200
    assert naps == [0.5, 1.0]  # keystoneauth's own
    cloud.clear()
    cloud.plan(*[refusal("nova", 409)] * 5, path="/servers")
    with pytest.raises(Conflict):
        adapter.get("/servers")
    assert cloud.count() == 4


def test_our_statuses_are_not_repeated_by_the_callers_loop_too(cloud, session, naps):
    adapter = Adapter(session, service_type="compute", status_code_retries=3, retriable_status_codes=[409, 503])
    cloud.plan(*[refusal("nova", 503)] * 20, path="/servers")
    with pytest.raises(ServiceUnavailable):
        adapter.get("/servers")
    assert (cloud.count(), naps) == (6, [10.0] * 5)


def test_keystoneauths_own_503_is_repeated_where_the_policy_leaves_it_out(cloud, session, naps):
    os_retries.attach(session, os_retries.RetryPolicy(retry_codes=[500]))
    cloud.plan(refusal("nova", 503), path="/servers")
    assert session.get("/servers", endpoint_filter=NOVA, status_code_retries=1).status_code == 200
    assert naps == [0.5]


def test_connections_are_still_ours_alone(cloud, session, naps):
    adapter = Adapter(
        session, service_type="compute", connect_retries=4, status_code_retries=3, retriable_status_codes=[409]
    )
    cloud.plan(*[HangUp()] * 20, path="/servers")
    with pytest.raises(ConnectFailure):
        adapter.get("/servers")
    assert cloud.count() == 6


# -- tokens and discovery


def test_a_token_that_a_plugin_asks_for_without_exceptions_is_asked_for_again(cloud, cold, naps):
    """As keystoneauth's OAuth2 plugins do it: they want the response, and raise an error of their own."""
    built = cold("keystoneauth")
    session = os_retries.attach(built.session)
    auth = session.auth

    def get_auth_ref(session, **_: object):
        response = session.post(f"{cloud.auth_url}/auth/tokens", json={}, authenticated=False, raise_exc=False)
        if response.status_code != 201:
            raise Unauthorized("the plugin's own words")
        return type(auth).get_auth_ref(auth, session)

    auth.get_auth_ref = get_auth_ref
    cloud.plan(refusal("keystone", 503), kind="token")
    assert session.get("/servers", endpoint_filter=NOVA).status_code == 200
    assert naps == [10.0]


def test_the_evidence_of_a_token_names_the_status_that_ended_it(cloud, cold, caplog):
    session = os_retries.attach(cold("keystoneauth").session)
    cloud.plan(refusal("keystone", 503), refusal("keystone", 401), kind="token")
    with pytest.raises(Unauthorized) as caught:
        session.get_token()
    assert [attempt.status for attempt in caught.value.os_retries.attempts] == [503, 401]
    assert "answered None" not in caplog.text


def test_a_discovery_that_leaves_the_token_to_the_session_gets_one_quick_repeat(cloud, session, naps):
    cloud.plan(*[balancer(503)] * 20, kind="discovery")
    with pytest.raises(Exception, match="Service Unavailable"):
        Discover(session, cloud.doors["services"].url + "/compute/")
    assert (cloud.count("discovery"), naps) == (2, [])
