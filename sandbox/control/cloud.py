"""Where one sandbox keeps its things, and at which ports its services answer.

A state directory holds: cloud.json (this class), clouds.yaml, openrc, etc/ (written anew at each start), log/, and
data/, which is all that a template is a copy of.
"""

import dataclasses
import functools
import hashlib
import json
from pathlib import Path

from .place import LOCK, SANDBOX

PASSWORD = "secret"  # of every account; nothing listens beyond 127.0.0.1
REGION = "RegionOne"
# What `up --without` can leave out: parts that not every cloud has, and that clients must not rely on.
OPTIONAL = {
    "tag-ports": "neutron's ML2 extension driver tag_ports_during_bulk_creation",
    "resource-filters": "cinder's resource_filters.json, which lets users filter lists by more than a name",
}


@functools.cache
def version() -> str:
    """Which version of the sandbox makes data: changes with the lock and with every file that has a say in them."""
    digest = hashlib.sha256()
    sources = [SANDBOX / "serve.py", SANDBOX / "control/bootstrap.py", SANDBOX / "control/cloud.py"]
    for path in [
        LOCK,
        *sources,
        *sorted(SANDBOX.glob("services/*.py")),
        *sorted(SANDBOX.glob("plugins/**/*")),
    ]:
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@dataclasses.dataclass
class Cloud:
    """One sandbox. `root` is its state directory."""

    root: Path
    ports: dict[str, int] = dataclasses.field(default_factory=dict)
    without: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    etc = property(lambda self: self.root / "etc")
    log = property(lambda self: self.root / "log")
    data = property(lambda self: self.root / "data")
    db = property(lambda self: self.data / "db")
    clouds_yaml = property(lambda self: self.root / "clouds.yaml")
    openrc = property(lambda self: self.root / "openrc")
    auth_url = property(lambda self: f"{self.url('keystone')}/v3")

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def log_of(self, name: str) -> Path:
        return self.log / f"{name}.log"

    def names(self) -> dict[str, str]:
        """What the databases know this sandbox by: its directory and its addresses, each by a constant name."""
        return {"state": f"{self.root}/"} | {name: self.url(name) for name in self.ports}

    # ----- cloud.json

    @property
    def _file(self) -> Path:
        return self.root / "cloud.json"

    def save(self) -> None:
        content = dataclasses.asdict(self) | {
            "root": str(self.root),
            "version": version(),
            "urls": {name: self.url(name) for name in self.ports},
            "auth_url": self.auth_url,
        }
        write(self._file, json.dumps(content, indent=2) + "\n")

    @classmethod
    def load(cls, root: Path) -> "Cloud":
        """The sandbox whose state is at `root`; raises OSError if there is none, ValueError if it is of no use."""
        content = json.loads((root / "cloud.json").read_text())
        try:
            if content["version"] != version():
                raise ValueError("was made by another version of the sandbox")
            if content["root"] != str(root):
                raise ValueError(f"was made at another place, {content['root']}")
            return cls(root, dict(content["ports"]), tuple(content["without"]), tuple(content["services"]))
        except (KeyError, TypeError, AttributeError):
            raise ValueError("has an unreadable cloud.json") from None

    @property
    def complete(self) -> bool:
        """Whether data/ was ever made to the end, by this version."""
        try:
            return (self.data / "complete").read_text() == version()
        except OSError:
            return False


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file in one step, so that nobody ever reads half of it."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.chmod(mode)
    new.replace(path)
