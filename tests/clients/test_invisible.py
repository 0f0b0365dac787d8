"""Attached is invisible: who patches, mocks or wraps a session sees what it would see without os_retries."""

from __future__ import annotations

import functools
from unittest import mock

import openstack
import pytest
from keystoneauth1.exceptions import ServiceUnavailable
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

import os_retries

from .cloud import refusal

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
