"""The directories of a sandbox, and the ports of its services.

A state directory holds cloud.json (the class Cloud), clouds.yaml, openrc, etc/ (written again at each start), log/ and
data/. A template is a copy of data/ alone.
"""

import dataclasses
import functools
import hashlib
import json
from pathlib import Path

from .place import LOCK, SANDBOX

PASSWORD = "secret"  # of every account; nothing listens beyond 127.0.0.1
REGION = "RegionOne"
# The parts that `up --without` can leave out. Not every cloud has them, so clients must not rely on them.
OPTIONAL = {
    "tag-ports": "neutron's ML2 extension driver tag_ports_during_bulk_creation",
    "resource-filters": "cinder's resource_filters.json, which lets users filter lists by more than a name",
}


@functools.cache
def version() -> str:
    """Return a hash of the lock and of every file on which the data depend."""
    digest = hashlib.sha256()
    sources = [SANDBOX / "serve.py", SANDBOX / "control/bootstrap.py", SANDBOX / "control/cloud.py"]
    extras = {path.stem for path in SANDBOX.glob("with/*.txt")}  # their data have versions of their own
    for path in [
        LOCK,
        *sources,
        *sorted(path for path in SANDBOX.glob("services/*.py") if path.stem not in extras),
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
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    """Variables that the services get in addition to those of every sandbox."""

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
        """Return the directory and the addresses that the databases contain, each by the name of its placeholder."""
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
        """Return the sandbox at `root`.

        Raises OSError if there is none, and ValueError if it cannot be used.
        """
        content = json.loads((root / "cloud.json").read_text())
        try:
            if content["version"] != version():
                raise ValueError("was made by another version of the sandbox")
            if content["root"] != str(root):
                raise ValueError(f"was made at another place, {content['root']}")
            return cls(
                root,
                dict(content["ports"]),
                tuple(content["without"]),
                tuple(content["services"]),
                dict(content["environment"]),
            )
        except (KeyError, TypeError, AttributeError):
            raise ValueError("has an unreadable cloud.json") from None

    @property
    def complete(self) -> bool:
        """Whether this version has created data/ completely."""
        try:
            return (self.data / "complete").read_text() == version()
        except OSError:
            return False


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file in one step, so that no reader sees half of it."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.chmod(mode)
    new.replace(path)
