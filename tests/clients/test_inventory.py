"""`os-retries operation` on a cloud that does not have all services."""

from __future__ import annotations

import pytest
from keystoneauth1.exceptions import EndpointNotFound

from os_retries.inventory.command import Cloud


@pytest.fixture
def environment(cloud, monkeypatch):
    names = {"AUTH_URL": cloud.auth_url, "USERNAME": "demo", "PASSWORD": "secret", "PROJECT_NAME": "demo"}
    domains = {"USER_DOMAIN_ID": "default", "PROJECT_DOMAIN_ID": "default", "REGION_NAME": "one"}
    for name, value in (names | domains).items():
        monkeypatch.setenv(f"OS_{name}", value)


@pytest.mark.filterwarnings("ignore")  # the SDK has optional parts that are not installed
@pytest.mark.usefixtures("environment")
def test_a_service_that_the_cloud_does_not_have_is_left_out():
    """The SDK has an object in its place, which raises an error when it is used."""
    with pytest.raises(EndpointNotFound):
        Cloud(None).adapter("accelerator")
