"""Run a table of commands, a process each, and keep what each of them said. scripts/openstack.txt explains the form."""

import json
import re
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

HOST = Path(__file__).with_name("host.py")
LONGEST = 120  # seconds that a wait for a status may take
STEP = re.compile(
    r"(?:(?P<account>demo|admin): )?(?:(?P<name>[a-z]+) <- )?(?:until (?P<until>[\w-]+): )?(?P<command>.+)"
)


@dataclass(frozen=True)
class Step:
    """One line of a chapter."""

    command: str
    account: str
    name: str | None = None
    until: str | None = None


@dataclass
class Chapter:
    """Commands that depend on each other and on no other chapter."""

    name: str
    account: str
    make: list[Step] = field(default_factory=list)
    remove: list[Step] = field(default_factory=list)


@dataclass
class Result:
    """What became of a step."""

    label: str
    status: int
    stdout: str = ""
    stderr: str = ""
    begin: float = 0.0
    end: float = 0.0


def read(path: Path) -> list[Chapter]:
    chapters: list[Chapter] = []
    steps: list[Step] = []
    for line in path.read_text().splitlines():
        if heading := re.fullmatch(r"\[(\w+) as (\w+)\]", line):
            chapters.append(Chapter(*heading.groups()))
            steps = chapters[-1].make
        elif line == "-- remove":
            steps = chapters[-1].remove
        elif line and not line.startswith("#"):
            match = STEP.fullmatch(line)
            steps.append(
                Step(match["command"], match["account"] or chapters[-1].account, match["name"], match["until"])
            )
    return chapters


class Player:
    """Plays the two halves of one chapter.

    :param environment: of the commands of an account, by the program's name
    :param prefix: what comes before each command: nothing, or `os-retries run ... --`
    :param told: is called with each result
    """

    def __init__(
        self,
        chapter: Chapter,
        run: str,
        folder: Path,
        environment: Callable[[str, str], Mapping[str, str]],
        prefix: tuple[str, ...],
        told: Callable[[Result], None],
    ) -> None:
        self.chapter, self.folder, self.environment = chapter, folder, environment
        self.told = told
        self.names = {
            "run": run,
            "RUN": re.sub("[^A-Z0-9]", "_", run.upper()),
            "consumer": str(uuid.uuid5(uuid.NAMESPACE_OID, run)),
        }
        self.labels: dict[str, int] = {}
        programs = {shlex.split(step.command)[0] for step in chapter.make + chapter.remove} & {"openstack"}
        self.host = subprocess.Popen(
            [*prefix, sys.executable, HOST, *sorted(programs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment(chapter.account, "openstack")),
            text=True,
        )

    def make(self) -> list[Result]:
        return list(self._play(self.chapter.make))

    def remove(self) -> list[Result]:
        return list(self._play(self.chapter.remove))

    def _play(self, steps: list[Step]) -> Iterator[Result]:
        for step in steps:
            result = self._step(step)
            self.told(result)
            yield result

    def _step(self, step: Step) -> Result:
        begin = time.time()
        words = shlex.split(Template(step.command).safe_substitute(self.names))
        environment = self.environment(step.account, words[0])
        while True:
            done = self._run(words, environment)
            said = done["stdout"].strip()
            if step.until is None or said == step.until:
                break
            if time.time() - begin > LONGEST or "error" in said.lower():
                done["status"] = done["status"] or 1
                break
            time.sleep(0.5)
        if step.name:
            # One that does not exist, so that a command that needs it does not act on something else.
            self.names[step.name] = said or "nothing"
        return Result(self._label(step), done["status"], done["stdout"], done["stderr"], begin, time.time())

    def _label(self, step: Step) -> str:
        """Name a command by its words up to the first option or name; a second one of the same words is ``(2)``."""
        words = re.sub(r"^sh -c \"| --os-placement-api-version \S+", "", step.command).split()
        until = next((at for at, word in enumerate(words) if not re.fullmatch("[a-z]+(-[a-z]+)*", word)), len(words))
        label = " ".join(words[: until if until > 1 else 2])
        label += f" until {step.until}" if step.until else ""
        self.labels[label] = number = self.labels.get(label, 0) + 1
        return f"{label} ({number})" if number > 1 else label

    def _run(self, words: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
        asked = {"words": words, "environment": dict(environment), "folder": str(self.folder)}
        assert self.host.stdin is not None
        assert self.host.stdout is not None
        self.host.stdin.write(json.dumps(asked) + "\n")
        self.host.stdin.flush()
        line = self.host.stdout.readline()
        return json.loads(line) if line else {"status": 70, "stdout": "", "stderr": "host.py has ended"}

    def close(self) -> None:
        """End the process of the commands."""
        self.host.communicate()


# What differs between two runs that do the same.
_DRAWN = (
    (r"\x1b\[[0-9;]*m", ""),
    # Markers, where they stay or where the answer still has them: docs/creates.md.
    (r"\|? *os_retries *\| *os-retries-[0-9a-f]{32} *\|?", ""),
    (r"(?:, )?os-retries='os-retries-[0-9a-f]{32}'", ""),
    (r"(?:, )?'os-retries': 'os-retries-[0-9a-f]{32}'", ""),
    (r"\|[ |]*os-retries *: *os-retries-[0-9a-f]{32} *\|", ""),
    (r'\["os-retries-[0-9a-f]{32}"\]', "[]"),
    (r'\[[ |\n]*"os-retries-[0-9a-f]{32}"[ |\n]*\]', "[]"),
    (r"os-retries-[0-9a-f]{32}", ""),
    (r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b", "<id>"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|\+00:?00)?", "<time>"),
    (r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]+ GMT", "<time>"),
    (r"\b\d{10}\.\d{5,}\b", "<time>"),
    (r"\breq-[0-9a-f-]+", "<request>"),
    (r"\btx[0-9a-f]{21}-[0-9a-f]{10}\b", "<request>"),
    (r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "<mac>"),
    (r"\b10[.-]\d+[.-]\d+[.-]\d+|\b203\.0\.113\.\d+|\b172\.24\.\d+\.\d+", "<ip>"),
    (r"(revision_number\W+)\d+", r"\1<n>"),
    (r"standard_attr_id='\d+'", "standard_attr_id=<n>"),
    (r"(adminPass\W+)\w+", r"\1<password>"),
    # A create that was looked up is shown a moment later.
    (r"(\| status +\| )(?:creating|available|queued|BUILD|ACTIVE)\b", r"\1<status>"),
    (r"(updated_at +\| )None", r"\1<time>"),
    (r"\b(CREATE|CHECK)_(?:IN_PROGRESS|COMPLETE)\b", r"\1_<status>"),
    (r"\bStack (CREATE|CHECK) (?:started|completed successfully)", r"Stack \1 <status>"),
    (r"(service_uuid +\| )None", r"\1<id>"),
    (r"(shared_targets +\| )(?:True|False)", r"\1<bool>"),
    # How long it took, and how often the progress was shown.
    (r"\b\d+\.\d{3}s\b|\b\d+\.\d{3} MB/s", "<s>"),
    (r" \[after \d+ attempts\]", ""),
    (r"Server (?:rebooting|building)\.\.\..*", ""),
    (r"(X-Openstack-Request-Id|X-Trans-Id|Connection|Etag): .*", ""),
)


def normalized(text: str, run: str) -> list[str]:
    """Return the lines of an output without what is drawn anew in each run; tables lose their widths."""
    for name in (run, re.sub("[^A-Z0-9]", "_", run.upper())):
        text = text.replace(name, "<run>")
    for pattern, instead in _DRAWN:
        text = re.sub(pattern, instead, text)
    # A listing has no order of its own: most are sorted by id.
    lines = (re.sub(r"[ ]{2,}", " ", re.sub(r"-{4,}", "---", line)).strip() for line in text.splitlines())
    return sorted(line for line in lines if line)
