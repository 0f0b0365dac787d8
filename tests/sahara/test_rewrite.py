"""`os-retries rewrite` on Sahara 19.0.0 with every call unwrapped, and on three services that never had a wrapper.

If a change makes the tool find more or fewer calls, these tests fail; then correct docs/rewrite.md too.
"""

from __future__ import annotations

import ast
import collections
import importlib.util
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from os_retries.rewrite import command, services, survey
from os_retries.rewrite.files import parse
from os_retries.rewrite.judgments import LAZY
from os_retries.rewrite.options import Options
from os_retries.rewrite.progress import Progress
from tests.sahara.unwrap import unwrap, wrapped_calls
from tests.unit.test_rewrite_services import is_generator

TOP = Path(__file__).parents[2]
GUIDE = TOP / "docs" / "rewrite.md"

#: Sahara retries around its own image manager, not inside it. That is a decision, and so the tool has to be told.
IMAGE_MANAGER = "sahara.utils.openstack.images.image_manager"

#: What Sahara wraps and the tool does not: heat's listing makes its requests later, when Sahara's wrapper has returned.
MISSED = {("utils/openstack/heat.py", "client().stacks.list")}

#: What the tool wraps and Sahara does not. Each was read: every one is a call of a client that makes a request at once.
MORE = {
    ("service/edp/shares.py", "self.share.access_list"): 1,
    ("service/edp/shares.py", "self.share.allow"): 2,
    ("service/edp/shares.py", "self.share.deny"): 1,
    ("service/edp/utils/shares.py", "self.share.access_list"): 1,
    ("service/edp/utils/shares.py", "self.share.allow"): 2,
    ("service/edp/utils/shares.py", "self.share.deny"): 1,
    ("service/trusts.py", "client.trusts.create"): 1,
    ("service/trusts.py", "client.trusts.delete"): 1,
    ("service/validations/base.py", "cinder.client().availability_zones.list"): 1,
    ("service/validations/base.py", "cinder.client().volume_types.list"): 1,
    ("service/validations/base.py", "neutron.client().list_security_groups"): 1,
    ("service/validations/base.py", "nova.client().availability_zones.list"): 1,
    ("service/validations/base.py", "nova.client().flavors.list"): 1,
    ("service/validations/base.py", "nova.client().keypairs.get"): 1,
    ("service/validations/base.py", "sahara_images.image_manager().list_registered"): 1,
    ("utils/openstack/heat.py", "stack.get"): 1,
    ("utils/openstack/manila.py", "client_instance.shares.get"): 1,
    ("utils/openstack/neutron.py", "self.neutron.list_routers"): 1,
}

#: What is found in code that the tool was not written for. How many calls there are was counted by reading.
UNTUNED = {
    "magnum": ({"wrap": 17, "attach": 9, "unsure": 5}, 31),
    "blazar": ({"wrap": 48, "attach": 4, "unsure": 5}, 57),
    "zun": ({"wrap": 41, "attach": 2, "unsure": 6}, 50),
}


def environment(name: str, lock: str) -> Path:
    """An environment of its own, made when it is not there yet; return its site-packages."""
    subprocess.run([TOP / "tools" / "venv", name, lock], cwd=TOP, check=True)
    (packages,) = (TOP / name / "lib").glob("python*/site-packages")
    return packages


def find(options: Options) -> dict[tuple[str, int, int], survey.Call]:
    """What the tool says of each call, by its path, line and last column."""
    report = survey.find(options, "execute_with_retries", Progress(io.StringIO()))
    assert not report.errors
    return {(p, c.node.lineno, c.node.end_col_offset or 0): c for p, calls in report.calls.items() for c in calls}


@pytest.fixture(scope="module")
def sahara(tmp_path_factory):
    """Sahara, every call of its program unwrapped; and the places of those calls."""
    folder = tmp_path_factory.mktemp("sahara")
    source = environment(".venv-sahara", "tests/sahara/requirements.txt") / "sahara"
    shutil.copytree(source, folder / "sahara", ignore=shutil.ignore_patterns("__pycache__"))
    places = set()
    for path in folder.rglob("*.py"):
        text = path.read_text()
        if "tests" not in path.parts and "execute_with_retries" in text:
            places |= {(str(path), c.lineno, c.end_col_offset) for c in wrapped_calls(text)}
            path.write_text(unwrap(text))
    return folder, places


def options(folder: Path, mode: str) -> Options:
    return Options([str(folder)], mode, [IMAGE_MANAGER], exclude=["tests"])


@pytest.fixture(scope="module")
def calls(sahara):
    """What the tool says of the unwrapped tree."""
    return find(options(sahara[0], "check"))


def named(folder: Path, places, calls) -> collections.Counter:
    return collections.Counter((str(Path(p[0]).relative_to(folder / "sahara")), calls[p].name) for p in places)


def test_finds_again_what_sahara_wraps(sahara, calls):
    """Recall: of Sahara's 58 calls all but one, whose wrapper retries nothing; and that one is listed with advice."""
    folder, expected = sahara
    wrapped = {place for place, call in calls.items() if call.verdict == "wrap"}
    assert len(expected) == 58
    missed = expected - wrapped
    assert set(named(folder, missed, calls)) == MISSED
    assert {calls[place].verdict for place in missed} == {"attach"}
    assert len(expected & wrapped) / len(expected) >= 0.97


def test_wraps_nothing_but_calls_of_clients(sahara, calls):
    """Precision: what Sahara left out is a call of a client too, each of them read."""
    folder, expected = sahara
    assert named(folder, {p for p, c in calls.items() if c.verdict == "wrap"} - expected, calls) == MORE


def test_has_to_be_told_that_sahara_retries_around_its_image_manager(sahara):
    """Without --client the 30 calls of the manager are left alone, and the three requests inside it wrapped."""
    folder, expected = sahara
    untold = find(Options([str(folder)], "check", exclude=["tests"]))
    wrapped = {place for place, call in untold.items() if call.verdict == "wrap"}
    assert len(expected & wrapped) == 28
    inside = {
        ("utils/openstack/images.py", "self.client.get"): 1,
        ("utils/openstack/images.py", "self.client.update"): 2,
    }
    more = {key: count for key, count in MORE.items() if "image_manager" not in key[1]}
    assert named(folder, wrapped - expected, untold) == more | inside


def test_sahara_passes_its_own_tests_when_rewritten(sahara, calls):
    """All 794 of them, as released; a second run of the tool changes nothing."""
    del calls  # they are of the tree as it was
    folder, _ = sahara
    err = io.StringIO()
    assert command.run(options(folder, "write"), io.StringIO(), err) == 0, err.getvalue()
    diff = io.StringIO()
    command.run(options(folder, "diff"), diff, io.StringIO())
    assert diff.getvalue() == ""
    done = subprocess.run(
        f"{TOP}/.venv-sahara/bin/python -W ignore -m testtools.run discover -s sahara/tests/unit -t .".split(),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f".:{TOP / 'src'}"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    output = done.stdout + done.stderr
    assert re.search(r"\bRan 794 tests\b", output), output[-3000:]
    assert re.findall(r"^(?:ERROR|FAIL): .*", output, re.MULTILINE) == []
    assert done.returncode == 0


@pytest.mark.parametrize("package", UNTUNED)
def test_what_it_finds_in_code_that_it_was_not_written_for(package, monkeypatch):
    """The numbers that the documentation gives."""
    monkeypatch.chdir(environment(".venv-untuned", "tests/sahara/untuned.txt"))
    expected, there = UNTUNED[package]
    found = collections.Counter(c.verdict for c in find(Options([package], exclude=["tests"])).values())
    assert found == expected
    missed = there - found.total()
    row = f"| {package} | {there} | {found['wrap']} | {found['attach']} | {found['unsure']} | {missed} |"
    assert row in re.sub(" +", " ", GUIDE.read_text())


#: Names in the table, and the class or function that the package has for its client.
OTHERS = sorted(n for n, s in services.SERVICES.items() if s.package and not importlib.util.find_spec(s.package))


@pytest.mark.parametrize("service", OTHERS)
def test_the_table_is_true_of_the_clients_that_are_not_installed(service):
    """Each row's package has its constructor, and every generator of a manager is known to be lazy."""
    row = services.SERVICES[service]
    package = environment(".venv-clients", "tests/sahara/clients.txt") / row.package
    names = set()
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).parts
        if (
            {"tests", "osc", "common", "shell", "apiclient"} & set(parts)
            or "shell" in path.name
            or "cli" in path.stem.split("_")
        ):
            continue
        tree = parse(path.read_text(), path.name)
        names |= {n.name for n in ast.walk(tree) if isinstance(n, (ast.ClassDef, ast.FunctionDef))}
        for cls in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
            for method in (n for n in cls.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")):
                if is_generator(method):
                    where = ("artifacts", method.name)
                    assert services.judge_path(service, where, {}, body=False) is LAZY, (path, cls.name, method.name)
    assert set(row.constructors) <= names


def test_the_lock_of_those_clients_has_no_others():
    """A client that is in the lock and not in the table would be installed for nothing."""
    locked = re.findall(r"^(?:python-)?([a-z-]+)==", (TOP / "tests/sahara/clients.txt").read_text(), re.MULTILINE)
    assert sorted(name.replace("-", "_") for name in locked) == sorted(services.SERVICES[n].package for n in OTHERS)
