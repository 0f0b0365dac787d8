"""What a session's target knows about a request before any service is asked."""

import pytest

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
