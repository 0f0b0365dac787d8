"""A call that a retry loop already repeats is never wrapped: it is listed as not sure, with the loop."""

from __future__ import annotations

import pytest

from .rewriting import rewrite

NOVA = "from novaclient import client\nnova = client.Client('2', session=s)\n"

OWN_DECORATOR = (
    "def again(fn):\n    def inner(*a):\n        for i in range(3):\n            try:\n                return fn(*a)\n"
    "            except E:\n                pass\n    return inner\n"
)

REPEATED = {
    "tenacity": ("import tenacity\n@tenacity.retry(stop=x)\ndef f():\n    nova.servers.get(1)", "tenacity.retry on f()"),
    "tenacity without arguments": ("from tenacity import retry as again\n@again\ndef f():\n    nova.servers.get(1)", "again on f()"),
    "retrying": ("import retrying\n@retrying.retry(x=1)\ndef f():\n    nova.servers.get(1)", "retrying.retry on f()"),
    "backoff": ("import backoff\n@backoff.on_exception(x)\ndef f():\n    nova.servers.get(1)", "backoff.on_exception on f()"),
    "stamina": ("import stamina\n@stamina.retry(on=E)\ndef f():\n    nova.servers.get(1)", "stamina.retry on f()"),
    "oslo.service": (
        "from oslo_service import loopingcall\n@loopingcall.RetryDecorator(1)\ndef f():\n    nova.servers.get(1)",
        "loopingcall.RetryDecorator on f()",
    ),
    "a decorator of that name": ("from x import y\n@y.retry_on_busy\ndef f():\n    nova.servers.get(1)", "y.retry_on_busy on f()"),
    "a decorator of the program": (OWN_DECORATOR + "@again\ndef f():\n    nova.servers.get(1)", "again on f()"),
    "a decorated method": (
        "import tenacity\nclass A:\n    @tenacity.retry\n    def f(self):\n        return nova.servers.get(1)",
        "tenacity.retry on f()",
    ),
    "a function that a decorated one calls": (
        "import tenacity\ndef g():\n    nova.servers.get(1)\n@tenacity.retry\ndef f():\n    g()",
        "tenacity.retry on f()",
    ),
    "a lambda that is given to a retrying object": (
        "import tenacity\nr = tenacity.Retrying(stop=x)\nr.call(lambda: nova.servers.get(1))",
        "a retry loop of a library",
    ),
    "tenacity's loop": (
        "import tenacity\nfor attempt in tenacity.Retrying():\n    with attempt:\n        nova.servers.get(1)",
        "the loop in main, line 4",
    ),
    "a counting loop": (
        "for i in range(3):\n    try:\n        nova.servers.get(1)\n        break\n    except E:\n        if i == 2:\n            raise",
        "the loop in main, line 3",
    ),
    "a counting loop around a function": (
        "def g():\n    nova.servers.get(1)\nfor i in range(3):\n    try:\n        g()\n    except E:\n        pass",
        "the loop in main, line 5",
    ),
    "while True": (
        "while True:\n    try:\n        s = nova.servers.get(1)\n    except E:\n        sleep(1)\n        continue\n    break",
        "the loop in main, line 3",
    ),
    "a while loop of which one handler goes on": (
        "while x:\n    try:\n        nova.servers.get(1)\n    except E:\n        raise\n    except F:\n        pass",
        "the loop in main, line 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", REPEATED)
def test_never_multiplies(rule, tmp_path):
    """Nothing is wrapped in what repeats already, and the reader is told which loop it is."""
    code, by = REPEATED[rule]
    outcome = rewrite(tmp_path, NOVA + code + "\n")
    assert outcome.texts["main.py"] == NOVA + code + "\n"
    (report,) = (x for x in outcome.err.splitlines() if x.startswith("main.py:"))
    assert report.endswith(f": not sure: nova.servers.get() is already repeated by {by}")


ONCE = {
    "a loop over things": "for s in things:\n    try:\n        nova.servers.get(s)\n    except E:\n        pass",
    "a loop that waits": "while s.status != 'ACTIVE':\n    s = nova.servers.get(1)",
    "an error that ends the loop": "while True:\n    try:\n        nova.servers.get(1)\n    except E:\n        break",
    "an error that ends the function": (
        "def f():\n    for i in range(9):\n        try:\n            nova.servers.get(1)\n        except E:\n"
        "            if i:\n                raise\n            else:\n                return"
    ),
    "an error raised again by oslo.utils": (
        "while True:\n    try:\n        nova.servers.get(1)\n    except E:\n"
        "        with excutils.save_and_reraise_exception():\n            log()"
    ),
    "what a handler does": "while True:\n    try:\n        f()\n    except E:\n        nova.servers.get(1)",
    "a function that a while loop calls": (
        "def g():\n    nova.servers.get(1)\nwhile True:\n    try:\n        g()\n    except E:\n        pass"
    ),
    "another decorator": "import functools\n@functools.lru_cache\ndef f():\n    nova.servers.get(1)",
}


@pytest.mark.parametrize("rule", ONCE)
def test_what_does_not_repeat_is_wrapped(rule, tmp_path):
    """A loop that does the next thing, waits for a state, or ends at an error is no retry loop."""
    outcome = rewrite(tmp_path, NOVA + ONCE[rule] + "\n")
    assert outcome.text.count("execute_with_retries(nova.servers.get, ") == 1


def test_what_a_decorated_function_returns_is_followed(tmp_path):
    """Tenacity gives back what the function returns."""
    text = NOVA + "import tenacity\n@tenacity.retry\ndef get():\n    return nova\nget().servers.list()\n"
    assert "execute_with_retries(get().servers.list)" in rewrite(tmp_path, text).text
