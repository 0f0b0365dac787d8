"""The programs: each is a list of units that run side by side, each behind a proxy of its own."""

import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import play
from ground import COLLECTIONS, HERE, PLAYBOOK, Ground
from play import Result

TASK = re.compile(r"^TASK \[(.*?)\] \**\n(.*?)(?=^TASK|^PLAY RECAP|\Z)", re.MULTILINE | re.DOTALL)
Told = Callable[[Result], None]


@dataclass
class Setting:
    """What a unit is run with."""

    run: str
    folder: Path
    environment: Callable[[str, str], Mapping[str, str]]
    """Of the commands of an account, by the program's name."""
    prefix: tuple[str, ...]
    """Before each command: nothing, or `os-retries run --`."""
    told: Told

    def command(self, account: str, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.prefix, *map(str, words)],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=dict(self.environment(account, Path(words[0]).name)),
            stdin=subprocess.DEVNULL,
            timeout=1800,
        )


class Commands:
    """One chapter of a table of commands."""

    def __init__(self, chapter: play.Chapter) -> None:
        self.chapter, self.name = chapter, chapter.name
        self.player: play.Player | None = None

    def make(self, setting: Setting) -> list[Result]:
        self.player = play.Player(
            self.chapter, setting.run, setting.folder, setting.environment, setting.prefix, setting.told
        )
        return self.player.make()

    def remove(self, _setting: Setting) -> list[Result]:
        assert self.player is not None
        results = self.player.remove()
        self.player.close()
        return results


class Playbook:
    """playbook.yml, run twice: the second run must find nothing to change."""

    name = "playbook"

    def make(self, setting: Setting) -> list[Result]:
        return self._play(setting, "playbook.yml", "") + self._play(setting, "playbook.yml", ", again")

    def remove(self, setting: Setting) -> list[Result]:
        return self._play(setting, "playbook-remove.yml", ", removed")

    def _play(self, setting: Setting, book: str, suffix: str) -> list[Result]:
        begin = time.time()
        done = setting.command(
            "demo", PLAYBOOK / "ansible-playbook", "-i", "localhost,", HERE / book, "-e", f"run={setting.run}"
        )
        results = []
        for title, said in TASK.findall(done.stdout):
            failed = re.search(r"^(?:\[ERROR\]|fatal|failed): ", said, re.MULTILINE) is not None
            changed = suffix == ", again" and re.search(r"^changed: ", said, re.MULTILINE) is not None
            error = said if failed else "changed, by the second run" if changed else ""
            results.append(Result(f"{title}{suffix}", int(failed or changed), "", error, begin, time.time()))
        if not results:
            said = done.stdout + done.stderr
            results.append(Result(f"ansible-playbook{suffix}", done.returncode or 1, "", said, begin, time.time()))
        for result in results:
            setting.told(result)
        return results


class Functional:
    """The tests of openstacksdk against a cloud that the sandbox can pass: sdk.txt."""

    name = "functional"

    def __init__(self, tests: Path) -> None:
        self.tests = [line for line in tests.read_text().split("\n") if line and not line.startswith("#")]

    def make(self, setting: Setting) -> list[Result]:
        begin = time.time()
        report = setting.folder / "report.xml"
        done = setting.command(
            "demo",
            "python",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--pyargs",
            f"--junitxml={report}",
            *self.tests,
        )
        if not report.exists():
            return [Result("pytest", done.returncode or 1, "", done.stdout + done.stderr, begin, time.time())]
        results = []
        for case in ET.parse(report).iter("testcase"):
            label = f"{case.get('classname', '').removeprefix('openstack.tests.functional.')}.{case.get('name')}"
            failure = next((case.find(tag) for tag in ("failure", "error") if case.find(tag) is not None), None)
            text = (failure.text or "") if failure is not None else ""
            results.append(Result(label, int(failure is not None), "", text, begin, time.time()))
        for result in results:
            setting.told(result)
        return results

    def remove(self, _setting: Setting) -> list[Result]:
        return []


Unit = Commands | Playbook | Functional


def programs() -> dict[str, list[Unit]]:
    """Everything that there is to run, by name."""
    tables = {
        name: [Commands(chapter) for chapter in play.read(HERE / f"scripts/{name}.txt")]
        for name in ("openstack", "old")
    }
    return {**tables, "playbook": [Playbook()], "sdk": [Functional(HERE / "sdk.txt")]}


def setting_for(run: str, ground: Ground, proxy: str, prefix: tuple[str, ...], folder: Path, told: Told) -> Setting:
    """Make the folder in which a unit's commands run, and all else that they need."""
    shutil.copytree(HERE / "files", folder)

    def environment(account: str, program: str) -> Mapping[str, str]:
        more = {}
        if program == "ansible-playbook":
            more = {
                "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
                "ANSIBLE_PYTHON_INTERPRETER": str(PLAYBOOK / "python"),
                "ANSIBLE_HOME": str(folder / "ansible"),
                "ANSIBLE_LOCALHOST_WARNING": "False",
                "LC_ALL": "C.UTF-8",
            }
        if program == "python":
            more = {"OPENSTACKSDK_DEMO_CLOUD": "demo", "OPENSTACKSDK_OPERATOR_CLOUD": "admin"}
            more |= {"OS_CLOUD": "admin", "OS_TEST_TIMEOUT": "600", "OPENSTACKSDK_SYSTEM_ADMIN_CLOUD": "admin"}
            more |= {
                "OPENSTACKSDK_DEMO_CLOUD_ALT": "demo",
                "OPENSTACKSDK_FLAVOR": "tiny",
                "OPENSTACKSDK_IMAGE": "cirros",
            }
        return ground.environment(account, program, proxy) | more

    return Setting(run, folder, environment, prefix, told)
