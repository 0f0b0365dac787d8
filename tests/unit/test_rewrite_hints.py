"""The report shows the difference between a program that was not understood and one that needs no change."""

from __future__ import annotations

import pytest

from .rewriting import rewrite

NOVA = "from novaclient import client\n"
IMPORT = "from oslo_utils.importutils import import_class\n"

HINTS = {
    "a global that is imported by a computed name": (
        IMPORT + "create_nova_client = import_class(CONF.nova)\ndef f():\n    create_nova_client().servers.list()\n",
        ("main.py:2: create_nova_client() returns an object that is imported by a computed name; if that is a client, try:"
        " --client main.create_nova_client=nova"),
    ),
    "a function that calls what is imported by a computed name": (
        IMPORT + "def get_client(*a):\n    return import_class(CONF.nova)(*a)\ndef f():\n    get_client().servers.list()\n",
        ("main.py:2: get_client() returns an object that is imported by a computed name; if that is a client, try:"
        " --client main.get_client=SERVICE"),
    ),
    "a function that returns a client and is never seen called": (
        NOVA + "def get():\n    return client.Client('2')\ndef f():\n    thing().x().servers.list()\n",
        ("main.py:2: get() returns a client of nova, but no call of get() was found; if it is called under another name, try:"
        " --client MODULE.NAME=nova"),
    ),
    "a method that returns a proxy of openstacksdk": (
        "import openstack\nclass A:\n    def get(self):\n        return openstack.connect().compute\n",
        ("main.py:3: get() returns a client of sdk, but no call of get() was found; if it is called under another name, try:"
        " --client MODULE.NAME=sdk.compute"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", HINTS)
def test_gives_the_option_to_try(rule, tmp_path):
    """Where a client may come from unseen, the line to try is there."""
    text, hint = HINTS[rule]
    assert hint in rewrite(tmp_path, text, mode="check").err.splitlines()


NONE = {
    "a function that is called": NOVA + "def get():\n    return client.Client('2')\nget()\n",
    "a property": NOVA + "class A:\n    @property\n    def nova(self):\n        return client.Client('2')\n",
    "something that is never called": IMPORT + "create_nova_client = import_class(CONF.nova)\n",
    "what is no client by its name": IMPORT + "driver = import_class(CONF.driver)\ndriver().start()\n",
    "a session": "from keystoneauth1 import session\ndef get():\n    return session.Session()\n",
}


@pytest.mark.parametrize("rule", NONE)
def test_is_silent_about(rule, tmp_path):
    """No hint where none helps."""
    assert "--client" not in rewrite(tmp_path, NONE[rule], mode="check").err


@pytest.mark.parametrize("rule", list(HINTS)[:2])
def test_the_option_works(rule, tmp_path):
    """With the option that was suggested, the call is found and the hint is gone."""
    text, hint = HINTS[rule]
    option = hint.rpartition(" ")[2].replace("SERVICE", "nova")
    outcome = rewrite(tmp_path, text, clients=[option])
    assert "execute_with_retries(" in outcome.text
    assert "--client" not in outcome.err
