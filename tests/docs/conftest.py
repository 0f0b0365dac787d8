"""The package as users have it: a wheel, built once."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

TOP = Path(__file__).parents[2]


@dataclass
class Wheel:
    """A wheel's file, and a folder that holds what an installation of it would put on the path of Python."""

    file: Path
    folder: Path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    built = tmp_path_factory.mktemp("wheel")
    (file,) = WheelBuilder(str(TOP)).build(directory=str(built), versions=["standard"])
    folder = built / "installed"
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    return Wheel(Path(file), folder)
