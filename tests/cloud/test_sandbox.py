"""The sandbox keeps what sandbox/README.md says of it."""

import pytest

pytestmark = pytest.mark.cloud


def test_an_ordinary_user_gets_a_token(cloud):
    assert cloud.session("demo").get_token()
