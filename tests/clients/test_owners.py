"""The methods of a Session that may ask for a token: each of them repeats the request that fails inside."""

from __future__ import annotations

from typing import Any

import pytest
from keystoneauth1.exceptions import NotFound, ServiceUnavailable
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session

from os_retries import attach

from .cloud import refusal
from .server import Answer


class Asking(BaseAuthPlugin):
    """A plugin that asks its own service for whatever it is asked for."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.asking = False

    def _ask(self, session: Session, answer: Any, **_: Any) -> Any:
        if not self.asking:  # a request asks the plugin too, for the parameters of its connection
            self.asking = True
            try:
                session.post(self.url, authenticated=False)
            finally:
                self.asking = False
        return answer

    def get_headers(self, session, **_):
        return self._ask(session, {"X-Auth-Token": "t"})

    def get_token(self, session, **_):
        return self._ask(session, "t")

    def get_endpoint(self, session, **_):
        return self._ask(session, self.url)

    def get_endpoint_data(self, session, **_):
        return self._ask(session, "data")

    def get_api_major_version(self, session, **_):
        return self._ask(session, (3, 1))

    def get_all_version_data(self, session, **_):
        return self._ask(session, {"RegionOne": {}})

    def get_connection_params(self, session, **_):
        return self._ask(session, {"verify": False})

    def get_user_id(self, session, **_):
        return self._ask(session, "user")

    def get_project_id(self, session, **_):
        return self._ask(session, "project")


METHODS = {
    "get_auth_headers": {"X-Auth-Token": "t"},
    "get_token": "t",
    "get_endpoint": None,
    "get_endpoint_data": "data",
    "get_api_major_version": (3, 1),
    "get_all_version_data": {"RegionOne": {}},
    "get_auth_connection_params": {"verify": False},
    "get_user_id": "user",
    "get_project_id": "project",
}


@pytest.fixture
def session(cloud):
    return attach(Session(Asking(cloud.url("nova") + "/asked")))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS")
@pytest.mark.filterwarnings("ignore:get_token")
@pytest.mark.parametrize("name", METHODS)
def test_what_a_plugin_asks_for_is_asked_for_again_by_the_method_that_needs_it(name, cloud, session, naps):
    cloud.plan(refusal("nova", 503), refusal("nova", 500), Answer(200, b"{}"), path="/asked")
    expected = METHODS[name]
    assert getattr(session, name)() == (session.auth.url if expected is None else expected)
    assert (cloud.count(path="/asked"), naps) == (3, [10.0, 10.0])


def test_an_answer_that_is_not_to_be_repeated_goes_up_from_such_a_method(cloud, session, naps):
    cloud.plan(refusal("nova", 404), path="/asked")
    with pytest.raises(NotFound) as raised:
        session.get_user_id()
    assert (cloud.count(), naps, hasattr(raised.value, "os_retries")) == (1, [], False)


def test_such_a_method_gives_up_after_its_attempts_and_says_whose_service_it_was(cloud, session, naps, caplog):
    cloud.always(refusal("nova", 503), path="/asked")
    with pytest.raises(ServiceUnavailable) as raised:
        session.get_project_id()
    evidence = raised.value.os_retries
    assert (evidence.method, evidence.service) == ("Session.get_project_id", "identity")
    assert [attempt.what for attempt in evidence.attempts] == ["token or discovery: 503"] * 6
    assert (cloud.count(), naps) == (6, [10.0] * 5)
