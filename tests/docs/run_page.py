"""Run the Python blocks of one page, in order and in one namespace: ``python -m tests.docs.run_page PAGE FOLDER``.

This is a program of its own, because the blocks configure the process and attach its sessions.  The cloud is that of
tests/clients, without faults.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from pathlib import Path

import os_retries
from tests.clients.cloud_clients import BY_NAME, make_session
from tests.docs.blocks import blocks_of
from tests.docs.cloud import CloudWithServer, write_clouds

_CONFTEST = """\
import novaclient.client
import pytest
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from os_retries.faults import Fault, Faults, Script, only


@pytest.fixture
def nova():
    auth = v3.Password({url!r}, username="demo", password="secret", user_domain_id="default",
                       project_name="demo", project_domain_id="default")
    faults = Faults(Script([Fault.refused(503)], only=only(service="compute")))
    return novaclient.client.Client("2.1", session=Session(auth=auth, session=faults.session()))
"""


def names(cloud, closing):
    """The names that the pages use and do not make themselves."""
    session = make_session(cloud, closing)
    built = {name: BY_NAME[name].make(cloud) for name in ("nova", "sdk.compute")}
    for each in built.values():
        closing.callback(each.close)
    return {
        "session": session,
        "auth": session.auth,
        "nova": built["nova"].client,
        "connection": built["sdk.compute"].client,
        "server_id": "11111111-2222-4333-8444-555555555555",
    }


def main(page, folder):
    """Run the blocks.  Those with tests become a file for pytest."""
    assert os_retries.__file__.startswith(os.environ["PYTHONPATH"]), "the wheel is not what is imported"
    failed = 0
    with contextlib.ExitStack() as closing:
        cloud = CloudWithServer()
        closing.callback(cloud.close)
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(write_clouds(cloud, folder))
        namespace = {"__name__": "__page__"} | names(cloud, closing)
        tests = []
        for block in blocks_of(page):
            if block.language != "python" or block.reason or block.file:
                continue
            if "def test_" in block.code:
                tests.append(block.code)
                continue
            try:
                exec(compile(block.code, str(block), "exec"), namespace)
            except Exception:
                traceback.print_exc()
                sys.stderr.write(f"{block} fails\n")
                failed = 1
        if tests:
            (folder / "conftest.py").write_text(_CONFTEST.format(url=cloud.auth_url))
            (folder / "test_page.py").write_text("\n\n".join(tests))
            failed |= _pytest(folder)
    return failed


def _pytest(folder):
    import pytest

    return int(pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
