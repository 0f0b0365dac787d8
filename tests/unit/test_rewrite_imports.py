"""The wrapper is imported once, where the file's own style puts it."""

from __future__ import annotations

import pytest

from .rewriting import rewrite

CALL = "\nnova.Client('2').servers.list()\n"
USE = "\nexecute_with_retries(nova.Client('2').servers.list)\n"
OURS = "from os_retries import execute_with_retries\n"

PLACED = {
    "among the third party, in OpenStack's order": (
        "import os\n\nfrom novaclient import client as nova\nfrom oslo_config import cfg\n\nfrom main import x\n",
        "import os\n\nfrom novaclient import client as nova\n"
        + OURS
        + "from oslo_config import cfg\n\nfrom main import x\n",
    ),
    "in isort's order": (
        "import os\n\nimport requests\nimport zlib_ng\nfrom novaclient import client as nova\nfrom oslo_config import cfg\n",
        "import os\n\nimport requests\nimport zlib_ng\nfrom novaclient import client as nova\n"
        + OURS
        + "from oslo_config import cfg\n",
    ),
    "at the end of a group that is in no order": (
        "import zlib_ng\nimport requests\nfrom novaclient import client as nova\nimport oslo_log\n",
        "import zlib_ng\nimport requests\nfrom novaclient import client as nova\nimport oslo_log\n" + OURS,
    ),
    "below the comment that heads the group": (
        "# third party\nfrom oslo_config import cfg\nfrom novaclient import client as nova\n",
        "# third party\nfrom oslo_config import cfg\nfrom novaclient import client as nova\n" + OURS,
    ),
    "after the future and the license": (
        "# a license\n\nfrom __future__ import annotations\n\nfrom novaclient import client as nova\n",
        "# a license\n\nfrom __future__ import annotations\n\nfrom novaclient import client as nova\n" + OURS,
    ),
    "never inside a condition": (
        "import os\n\ntry:\n    from novaclient import client as nova\nexcept ImportError:\n    nova = None\n",
        "import os\n\n"
        + OURS
        + "\ntry:\n    from novaclient import client as nova\nexcept ImportError:\n    nova = None\n",
    ),
    "added to an import from the same place": (
        "from novaclient import client as nova\nfrom os_retries import attach  # x\n",
        "from novaclient import client as nova\nfrom os_retries import attach, execute_with_retries  # x\n",
    ),
    "not into parentheses": (
        "from novaclient import client as nova\nfrom os_retries import (\n    attach,\n)\n",
        "from novaclient import client as nova\nfrom os_retries import (\n    attach,\n)\n" + OURS,
    ),
}


@pytest.mark.parametrize("rule", PLACED)
def test_is_placed(rule, tmp_path):
    """The import goes where the file's own imports of its kind are, and no other line changes."""
    before, after = PLACED[rule]
    outcome = rewrite(tmp_path, before + CALL)
    assert outcome.texts["main.py"] == after + USE
    assert rewrite(tmp_path, mode="diff").out == ""


def test_first_of_its_group_takes_the_blank_line_over(tmp_path):
    """A first place in a group leaves the blank line above it."""
    outcome = rewrite(
        tmp_path,
        "import os\n\nfrom oslo_config import cfg\nfrom zz import y\n\n"
        "def f():\n    from novaclient import client as nova\n    nova.Client('2').servers.list()\n",
    )
    assert outcome.texts["main.py"].startswith(
        "import os\n\n" + OURS + "from oslo_config import cfg\nfrom zz import y\n\ndef f"
    )


DOCSTRINGS = {
    '"""A docstring."""\n\n\ndef f():\n': '"""A docstring."""\n\n' + OURS + "\n\ndef f():\n",
    '"""A docstring."""\ndef f():\n': '"""A docstring."""\n\n' + OURS + "\n\ndef f():\n",
    "#!/usr/bin/python\n# -*- coding: utf-8 -*-\n\ndef f():\n": "#!/usr/bin/python\n# -*- coding: utf-8 -*-\n\n"
    + OURS
    + "\n\ndef f():\n",
    "def f():\n": OURS + "\n\ndef f():\n",
    '"""Doc."""\nfrom __future__ import annotations\ndef f():\n': '"""Doc."""\nfrom __future__ import annotations\n\n'
    + OURS
    + "def f():\n",
    "import os\ndef f():\n": "import os\n\n" + OURS + "def f():\n",
}


@pytest.mark.parametrize("before", DOCSTRINGS)
def test_goes_after_docstring_shebang_and_future(before, tmp_path):
    """Where a file has no third-party import, one is added below what must stay first."""
    body = "    from novaclient import client as nova\n    nova.Client('2').servers.list()\n"
    outcome = rewrite(tmp_path, before + body)
    assert outcome.texts["main.py"].startswith(DOCSTRINGS[before])
    assert "execute_with_retries(nova.Client" in outcome.texts["main.py"]


def test_stands_before_its_first_use(tmp_path):
    """Imports that come after a call at the top level are no place for it."""
    text = "from novaclient import client as nova\nx = nova.Client('2').servers.list()\nimport requests\n"
    outcome = rewrite(tmp_path, text)
    assert outcome.texts["main.py"].startswith("from novaclient import client as nova\n" + OURS + "x = execute")


SPELLED = {
    "from os_retries import execute_with_retries\n": "execute_with_retries",
    "from os_retries import execute_with_retries as ewr\n": "ewr",
    "import os_retries\n": "os_retries.execute_with_retries",
    "import os_retries as r\n": "r.execute_with_retries",
}


@pytest.mark.parametrize("line", SPELLED)
def test_uses_the_import_that_is_there(line, tmp_path):
    """A file that imports the wrapper, or its module, under any name goes on using that."""
    outcome = rewrite(tmp_path, "from novaclient import client as nova\n" + line + CALL)
    assert outcome.texts["main.py"] == "from novaclient import client as nova\n" + line + USE.replace(
        "execute_with_retries", SPELLED[line]
    )


def test_an_import_under_a_condition_does_not_count(tmp_path):
    """An import in a function or under TYPE_CHECKING is not there when it is needed."""
    text = "from novaclient import client as nova\nif TYPE_CHECKING:\n    import os_retries\n" + CALL
    assert OURS in rewrite(tmp_path, text).texts["main.py"]


def test_a_name_that_is_taken_is_not_used(tmp_path):
    """Where the file calls something else by that name, the wrapper gets another."""
    text = "from novaclient import client as nova\ndef f(execute_with_retries):\n    return nova.Client('2').servers.list()\n"
    outcome = rewrite(tmp_path, text)
    assert "from os_retries import execute_with_retries as _execute_with_retries\n" in outcome.texts["main.py"]
    assert "return _execute_with_retries(nova" in outcome.texts["main.py"]
    assert rewrite(tmp_path, mode="diff").out == ""


def test_a_module_name_that_is_shadowed_is_not_used(tmp_path):
    """`base` may be a local variable somewhere: then the function itself is imported."""
    text = "from novaclient import client as nova\nimport os_retries as b\ndef f(b):\n    return nova.Client('2').servers.list()\n"
    assert "from os_retries import execute_with_retries\n" in rewrite(tmp_path, text).texts["main.py"]


PACKAGE = {
    "pkg/__init__.py": "",
    "pkg/sub/__init__.py": "",
    "pkg/base.py": "def retried(method, *a):\n    return method(*a)\n",
}


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("from pkg import base as b\n", "b.retried(nova"),
        ("from pkg import base\n", "base.retried(nova"),
        ("import pkg.base\n", "pkg.base.retried(nova"),
        ("from ..base import retried\n", "retried(nova"),
        ("from .. import base\n", "base.retried(nova"),
        ("from . import other\n", "from ..base import retried\nfrom . import other\n"),
        ("from pkg import other\n", "from pkg.base import retried\nfrom pkg import other\n"),
        ("", "from pkg.base import retried\n"),
    ],
)
def test_a_wrapper_of_ones_own(style, expected, tmp_path):
    """--import MODULE:NAME: written as the file writes the modules of its package, relative ones included."""
    text = "from novaclient import client as nova\n\n" + style + CALL
    outcome = rewrite(tmp_path, files={**PACKAGE, "pkg/sub/a.py": text}, wrapper="pkg.base:retried")
    assert expected in outcome.texts["pkg/sub/a.py"]
    again = rewrite(tmp_path, mode="diff", wrapper="pkg.base:retried")
    assert again.out == ""


def test_in_the_wrappers_own_module_nothing_is_imported(tmp_path):
    """A module does not import itself."""
    text = PACKAGE["pkg/base.py"] + "from novaclient import client as nova\n" + CALL
    outcome = rewrite(tmp_path, files={**PACKAGE, "pkg/base.py": text}, wrapper="pkg.base:retried")
    assert outcome.texts["pkg/base.py"] == text.replace(CALL, USE.replace("execute_with_retries", "retried"))
