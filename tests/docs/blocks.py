"""The code blocks of the documentation, and how they are run: unchanged, with the package from a wheel.

A comment in the line above a block changes how it is run:

``<!-- not run: reason -->``
    The block is not run.
``<!-- file: name -->``
    The block is written into that file before the commands below it are run.
``<!-- on the sandbox -->``
    The block is run by tests/cloud, because it needs a real OpenStack.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
RUN = ("python", "console")
#: What is quoted and does not run: log lines and other output, a diff, a configuration file.
QUOTED = ("text", "diff", "ini")

_BLOCK = re.compile(
    r"^(?:<!-- (?P<comment>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One block of a page; ``comment`` is the line above it, without its marks."""

    page: Path
    line: int
    language: str
    code: str
    comment: str

    @property
    def reason(self):
        """Why it is not run; empty if it is."""
        return self.comment.removeprefix("not run:").strip() if self.comment.startswith("not run:") else ""

    @property
    def file(self):
        return self.comment.removeprefix("file:").strip() if self.comment.startswith("file:") else ""

    @property
    def on_the_sandbox(self):
        return self.comment == "on the sandbox"

    def __str__(self):
        return f"{self.page.name}:{self.line}"


def blocks_of(page):
    text = page.read_text()
    found = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code"))
        found.append(Block(page, line, match["language"], match["code"], match["comment"] or ""))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


@dataclass
class Command:
    """A line after ``$``, and what the page shows below it."""

    block: Block
    line: str
    shown: list[str] = field(default_factory=list)

    @property
    def statuses(self):
        """The exit statuses that are right: 0, and the one that its comment names."""
        return {0, *map(int, re.findall(r"#.*exit status (\d+)", self.line))}


def commands_of(block):
    found = []
    for line in block.code.splitlines():
        if line.startswith("$ "):
            found.append(Command(block, line[2:]))
        else:
            found[-1].shown.append(line)
    return found


def run_commands(blocks, folder, environment):
    """Run the console blocks in one shell, as somebody does who types them, and compare what they print."""
    with tempfile.TemporaryDirectory() as outputs:
        commands, script = [], ["set -u"]
        for block in blocks:
            if block.file:
                (folder / block.file).write_text(block.code)
                continue
            for command in commands_of(block):
                at = Path(outputs, str(len(commands)))
                commands.append((command, at))
                # In braces the command changes this shell, as `cd` and `eval` have to.
                script.append(f"{{ {command.line}\n}} >'{at}' 2>'{at}.errors' </dev/null; echo $? >'{at}.status'")
        subprocess.run(["bash", "-c", "\n".join(script)], cwd=folder, env=environment, check=False, timeout=500)
        for command, at in commands:
            check(command, at.read_text(), Path(f"{at}.errors").read_text(), int(Path(f"{at}.status").read_text()))


def check(command, output, errors, status):
    """Compare what a command did with what the page says of it."""
    where = f"{command.block}: {command.line}"
    assert status in command.statuses, f"{where}: exit status {status}\n{output}{errors}"
    assert "WARNING: " not in errors, f"{where}\n{errors}"
    assert not command.shown or fits(command.shown, output), f"{where} prints\n{output}{errors}"


def fits(shown, output):
    """Whether the output is what the page shows; a … in it stands for anything, also for several lines."""
    pattern = "\n".join(re.escape(line.rstrip()).replace("…", ".*") for line in shown)
    printed = "\n".join(line.rstrip() for line in output.splitlines())
    return re.fullmatch(pattern, printed, flags=re.DOTALL) is not None


def environment_with(wheel, *folders, **more):
    """The environment of a user who has the wheel installed, and ``folders`` first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OSRETRIES_", "PYTHON"))}
    path = os.pathsep.join(itertools.chain(map(str, folders), [os.environ["PATH"]]))
    return kept | {"PATH": path, "PYTHONPATH": str(wheel), "COLUMNS": "200"} | more
