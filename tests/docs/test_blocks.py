"""Every code block of README.md and docs/ runs as written, or has a comment that says why it is not run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from oslo_config import cfg

from os_retries.config import ConfiguredPolicy
from tests.docs.blocks import BLOCKS, PAGES, QUOTED, RUN, TOP, environment_with, fits, run_commands
from tests.docs.cloud import CloudWithServer, write_clouds

#: Blocks that only tests/cloud can run; the page says so with a comment.
ON_THE_SANDBOX = {block.page for block in BLOCKS if block.on_the_sandbox}
HERE = [block for block in BLOCKS if block.language in RUN and not block.reason and block.page not in ON_THE_SANDBOX]
_PROVISION = "#!/bin/sh\nopenstack server list\n"
_SHOP = {
    "__init__.py": "",
    "clients.py": """\
from heatclient import client as heat
from novaclient import client as nova


def compute(session):
    return nova.Client("2.1", session=session)


def orchestration(session):
    return heat.Client("1", session=session)


def get(session):
    return compute(session)
""",
    "servers.py": """\
from oslo_log import log

from shop import clients

LOG = log.getLogger(__name__)


def stop_all(session):
    for server in clients.compute(session).servers.list():
        server.stop()  # asks nova
        LOG.info("stopped %s", server.name)


def stacks(session):
    return clients.orchestration(session).stacks.list()
""",
}


def pages(language):
    return sorted({block.page for block in HERE if block.language == language and not block.file})


def label(page):
    return page.stem


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_every_block_is_run_or_says_why_not(page):
    blocks = [block for block in BLOCKS if block.page == page]
    fences = re.findall(r"^\s*```", page.read_text(), flags=re.MULTILINE)
    assert len(fences) == 2 * len(blocks), "a block that is indented, or has no end, is not found"
    for block in blocks:
        assert block.language in RUN + QUOTED, f"{block}: {block.language or 'no language'}"
        if block.language in RUN and block not in HERE and block.page not in ON_THE_SANDBOX:
            assert len(block.reason.split()) > 3, f"{block} is not run and does not say why"


def test_a_page_for_the_sandbox_is_run_by_the_tests_of_the_sandbox():
    text = (TOP / "tests" / "cloud" / "test_tutorial.py").read_text() if ON_THE_SANDBOX else ""
    for page in ON_THE_SANDBOX:
        assert page.name in text


def test_the_comparison_of_output_sees_a_difference():
    """An ellipsis stands for anything, and nothing else does."""
    assert fits(["a … c"], "a b c\n")
    assert not fits(["a"], "a\nb\n")
    assert not fits(["a.c"], "abc\n")


@pytest.mark.parametrize("page", pages("python"), ids=label)
def test_python_blocks_run_as_written(page, tmp_path, wheel):
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.run_page", page, tmp_path],
        cwd=TOP,
        env=environment_with(wheel.folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path):
    """The folder in which the commands are typed: what the pages speak of is in it."""
    (tmp_path / "nova.conf").write_text("[timeouts]\nretries_number = 8\n")
    (tmp_path / "provision.sh").write_text(_PROVISION)
    (tmp_path / "provision.sh").chmod(0o755)
    (tmp_path / "Makefile").write_text("deploy:\n\t./provision.sh\n")
    shop = tmp_path / "src" / "shop"
    shop.mkdir(parents=True)
    for name, text in _SHOP.items():
        (shop / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("page", pages("console"), ids=label)
def test_console_blocks_run_and_print_what_is_shown(page, folder, wheel):
    cloud = CloudWithServer()
    try:
        environment = environment_with(
            wheel.folder,
            _tools(folder),
            Path(sys.executable).parent,
            OS_CLIENT_CONFIG_FILE=str(write_clouds(cloud, folder)),
            OS_CLOUD="demo",
            # `pip install os-retries` finds the wheel, and installs it where nobody looks.
            PIP_NO_INDEX="1",
            PIP_NO_DEPS="1",
            PIP_FIND_LINKS=str(wheel.file.parent),
            PIP_TARGET=str(folder / "target"),
            PIP_DISABLE_PIP_VERSION_CHECK="1",
            PIP_ROOT_USER_ACTION="ignore",
            PIP_UPGRADE="1",
        )
        run_commands(
            [block for block in HERE if block.page == page and block.language == "console"], folder, environment
        )
    finally:
        cloud.close()


def _tools(folder):
    """A folder with the ``pip`` of the environment that tools/venv makes first."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "pip").symlink_to(TOP / ".cache" / "bootstrap" / "bin" / "pip")
    return tools


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "ini"], ids=str)
def test_configuration_files_are_accepted(block, tmp_path):
    path = tmp_path / "service.conf"
    path.write_text(block.code)
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(path)])
    ConfiguredPolicy(conf).check_pacing()
    options = [line for line in block.code.splitlines() if "=" in line]
    assert options
    for name in (line.split("=")[0].strip() for line in options):
        assert any(name in conf[group] for group in list(conf) if group.startswith("timeouts"))
