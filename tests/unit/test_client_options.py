"""client_options: the real clients, constructed with exactly these arguments, send the right number of requests."""

from __future__ import annotations

import json
import time
import warnings

import cinderclient.client
import ironicclient.client
import manilaclient.client
import openstack
import pytest
import requests
import swiftclient
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from neutronclient.v2_0.client import Client as Neutron
from oslo_config import cfg

import os_retries
from os_retries import client_options
from os_retries.config import list_opts
from os_retries.service_types import SERVICE_TYPES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a module of osc_lib's is deprecated by osc_lib itself
    import troveclient.v1.client

ENDPOINT = "http://cloud.invalid"


class Answers(requests.adapters.BaseAdapter):
    """Answers every request alike and counts them; nothing is sent."""

    def __init__(self, status, headers=()):
        super().__init__()
        self.status = status
        self.headers = {"Content-Type": "application/json"} | dict(headers)
        self.urls = []

    def send(self, request, **_kwargs):
        self.urls.append(request.url)
        if self.status is None:
            raise requests.ConnectionError("refused")
        response = requests.Response()
        response.status_code = self.status
        response.headers.update(self.headers)
        response._content = json.dumps({"overLimit": {"message": "later"}}).encode()
        response.request, response.url = request, request.url
        return response

    def close(self):
        pass


@pytest.fixture
def waits(monkeypatch):
    """What the clients' own loops wait."""
    seconds = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    for client in (cinderclient.client, swiftclient.client):  # these have imported it by name
        monkeypatch.setattr(client, "sleep", seconds.append)
    return seconds


class Images(Answers):
    """glance: a version document, and then the answer."""

    def send(self, request, **kwargs):
        response = super().send(request, **kwargs)
        if request.url.rstrip("/") == ENDPOINT + "/v2":
            response.status_code = 200
            version = {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": ENDPOINT + "/v2/"}]}
            response._content = json.dumps({"versions": [version]}).encode()
        return response


def session_with(answers):
    http = requests.Session()
    http.mount("http://", answers)
    return Session(auth=Token(ENDPOINT, "token"), session=http)


def requests_of(answers, make, call):
    """The number of requests that the client sends for one call that fails."""
    client = make(session_with(answers))
    answers.urls.clear()  # a constructor may have asked for something
    with pytest.raises(Exception):
        call(client)
    return len(answers.urls)


def cinder(session, **options):
    return cinderclient.client.Client("3", session=session, endpoint_override=ENDPOINT, **options).volumes.list


def manila(session, **options):
    return manilaclient.client.Client("2", session=session, service_catalog_url=ENDPOINT, **options).shares.list


def ironic(session, **options):
    return ironicclient.client.get_client(
        1, session=session, endpoint_override=ENDPOINT, os_ironic_api_version="1.1", **options
    ).node.list


def trove(session, **options):
    return troveclient.v1.client.Client(session=session, endpoint_override=ENDPOINT, **options).instances.list


# Client, how it is made, an answer that it repeats when it is asked to, how it is asked to.
OWN_LOOPS = [
    ("cinder", cinder, 413, {"retries": 2}),
    ("manila", manila, 503, {"retries": 2}),
    ("ironic", ironic, 503, {}),
    ("trove", trove, None, {"retries": 2}),
]


@pytest.mark.parametrize(("name", "make", "status", "asked"), OWN_LOOPS, ids=[row[0] for row in OWN_LOOPS])
def test_a_client_with_a_loop_of_its_own_sends_one_request_with_our_options(waits, name, make, status, asked):
    answers = Answers(status, {"Retry-After": "1"} if status == 413 else {})
    # The check can fail: without our options, or with its own, it sends more.
    assert requests_of(answers, lambda session: make(session, **asked), lambda method: method()) > 1
    waits.clear()
    assert requests_of(answers, lambda session: make(session, **client_options(name)), lambda method: method()) == 1
    assert waits == []


@pytest.mark.parametrize("service", ["image", "baremetal", "baremetal_introspection"])
def test_openstacksdk_s_own_retries_of_three_services_become_0(service):
    def of(**options):
        connection = openstack.connection.Connection(session=session_with(Answers(503)), **options)
        return connection.config.get_status_code_retries(service.replace("_", "-"))

    assert of() == 5
    assert of(**client_options("openstacksdk")) == 0


@pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")  # the SDK calls itself in the old way
def test_openstacksdk_sends_an_image_request_once(waits):
    def image(**options):
        answers = Images(503)
        connection = openstack.connection.Connection(
            session=session_with(answers), image_endpoint_override=ENDPOINT + "/v2", **options
        )
        proxy = connection.image
        answers.urls.clear()
        with pytest.raises(openstack.exceptions.HttpException):
            list(proxy.images())
        return len(answers.urls)

    assert image() == 6
    waits.clear()
    assert image(**client_options("openstacksdk")) == 1
    assert waits == []


@pytest.mark.parametrize("number", [0, 2, 5])
def test_neutron_repeats_lost_connections_as_often_as_configured_and_statuses_never(waits, number):
    conf = configured(retries_number=number)

    def make(session):
        return Neutron(session=session, endpoint_override=ENDPOINT, **client_options("neutron", conf))

    assert requests_of(Answers(None), make, lambda client: client.list_networks()) == number + 1
    assert requests_of(Answers(503), make, lambda client: client.list_networks()) == 1
    assert requests_of(Answers(None), make, lambda client: client.create_network({"network": {}})) == 1


def configured(**values):
    """An oslo.config object whose [timeouts] say so."""
    conf = cfg.ConfigOpts()
    conf([])
    for group, options in list_opts():
        conf.register_opts(options, group=group)
    for name, value in values.items():
        conf.set_override(name, value, "timeouts")
    return conf


def swift_attempts(status, conf=None):
    """How often swiftclient's own loop calls, with our options."""
    connection = swiftclient.Connection(preauthurl=ENDPOINT, preauthtoken="token", **client_options("swift", conf))
    calls = []

    def answer(*_args, **_kwargs):
        calls.append(1)
        raise swiftclient.ClientException("no", http_status=status)

    with pytest.raises(swiftclient.ClientException):
        connection._retry(None, answer)
    return len(calls)


def test_swift_repeats_as_often_and_as_fast_as_the_specification_says(waits):
    assert swift_attempts(503) == 6
    assert waits == [10.0] * 5


def test_swift_obeys_the_configuration(waits):
    conf = configured(retries_number=2, retry_after=3)
    assert swift_attempts(503, conf) == 3
    assert waits == [3, 3]
    waits.clear()
    assert swift_attempts(503, configured(retries_number=4, retry_after=1, retry_backoff=2)) == 5
    assert waits == [1, 2, 4, 8]
    assert swift_attempts(503, configured(retries_number=0)) == 1


def test_swift_repeats_429_only_if_the_configuration_does(waits):
    assert swift_attempts(429) == 6
    assert swift_attempts(429, configured(retry_codes=[500, 503])) == 1


def test_swift_gets_the_options_of_its_service_s_group():
    conf = configured(retries_number=2)
    conf.set_override("retries_number", 8, "timeouts_object_store")
    assert client_options("swift", conf)["retries"] == 8


def test_without_a_conf_it_is_what_configure_was_given():
    os_retries.configure(configured(retries_number=3))
    assert client_options("neutron") == {"retries": 3}
    assert client_options("swift")["retries"] == 3
    assert client_options("neutron", configured(retries_number=1)) == {"retries": 1}


@pytest.mark.parametrize("name", ["nova", "heat", "keystone", "glance", "octavia", "designate", "barbican", "sahara"])
def test_a_client_without_a_loop_of_its_own_gets_no_options(name):
    assert client_options(name) == {}


@pytest.mark.parametrize(
    "name", ["swift", "python-swiftclient", "swiftclient", "object-store", "object_store", " Swift "]
)
def test_a_client_is_known_by_its_name_its_package_and_its_service_type(name):
    assert client_options(name) == client_options("swift") != {}


def test_every_client_and_service_type_is_known():
    for package, service in SERVICE_TYPES.items():
        assert client_options(package) == client_options(service)
    assert client_options("openstack") == client_options("openstacksdk") != {}


@pytest.mark.parametrize("name", ["", "nvoa", "volume", "keystoneauth"])
def test_an_unknown_client_is_a_clear_error_that_lists_the_known_ones(name):
    with pytest.raises(ValueError, match=f"unknown client '{name}': one of .*cinder, .*swift.*, or a service type"):
        client_options(name)


def test_what_is_handed_out_can_be_changed_by_the_caller():
    client_options("openstacksdk")["image_status_code_retries"] = 7
    client_options("cinder")["retries"] = 7
    assert client_options("openstacksdk")["image_status_code_retries"] == 0
    assert client_options("cinder") == {"retries": 0}


@pytest.mark.parametrize("conf", [{}, "service.conf"])
def test_a_conf_that_is_no_oslo_config_object_is_a_clear_type_error(conf):
    with pytest.raises(TypeError, match=r"must be an oslo\.config ConfigOpts"):
        client_options("swift", conf)
