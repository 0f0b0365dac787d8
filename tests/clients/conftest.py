"""Fixtures of these tests: the simulated cloud, its clients, and a record in the place of every real sleep."""

import sys
import time

import pytest

from tests.clients.cloud import Cloud
from tests.clients.cloud_clients import BY_NAME

# Deprecated functions that the clients themselves still use.  Any other deprecation warning is an error.
_DEPRECATED_BY_CLIENTS = [
    # troveclient, octaviaclient
    "The osc_lib.version module is deprecated",
    "The BaseAPI class is deprecated for removal",
    # openstacksdk, in its own proxies and resources
    "The 'service_type' parameter is unnecesary",
    "The _compute_attributes method is deprecated for removal",
    # swiftclient's v3 authentication, which builds keystoneclient's old session
    "Using the 'tenant_(name|id)' argument is deprecated",
    "Constructing an HTTPClient instance without using a session is deprecated",
    "Constructing an instance of the keystoneclient.v3.client.Client class without a session is deprecated",
    "keystoneclient.session.Session is deprecated",
    "keystoneclient auth plugins are deprecated",
]


def pytest_configure(config):
    for message in _DEPRECATED_BY_CLIENTS:
        config.addinivalue_line("filterwarnings", f"ignore:{message}")


@pytest.fixture(scope="session")
def the_cloud():
    cloud = Cloud()
    yield cloud
    cloud.close()


@pytest.fixture
def cloud(the_cloud):
    """The simulated cloud, without faults and with an empty record."""
    the_cloud.clear()
    yield the_cloud
    the_cloud.clear()


@pytest.fixture(autouse=True)
def naps(monkeypatch):
    """The seconds of every sleep in the process.  The sleeps are recorded and not made."""
    record = []
    monkeypatch.setattr(time, "sleep", record.append)
    if "swiftclient.client" in sys.modules:  # it has already imported the function sleep
        monkeypatch.setattr("swiftclient.client.sleep", record.append)
    return record


class Clients:
    """Constructs clients, and closes them at the end."""

    def __init__(self, cloud):
        self._cloud = cloud
        self._built = []
        self._warm = {}

    def new(self, name, **arguments):
        """Return a new client, which has no token and no discovery documents yet."""
        built = BY_NAME[name].make(self._cloud, **arguments)
        self._built.append(built)
        return built

    def warm(self, name, **arguments):
        """Return a shared client, which has its token, discovery documents and schemas: each call is one request."""
        key = name, repr(sorted(arguments.items()))
        if key not in self._warm:
            built = self._warm[key] = self.new(name, **arguments)
            built.get()
            built.create()
            self._cloud.clear()
        return self._warm[key]

    def close(self):
        for built in self._built:
            built.close()
        self._built.clear()
        self._warm.clear()


@pytest.fixture(scope="session")
def _shared(the_cloud):
    shared = Clients(the_cloud)
    yield shared
    shared.close()


@pytest.fixture
def warm(cloud, _shared):
    return _shared.warm


@pytest.fixture
def cold(cloud):
    own = Clients(cloud)
    yield own.new
    own.close()
