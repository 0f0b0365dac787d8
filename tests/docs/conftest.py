"""The package as users install it: a wheel, built once."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

TOP = Path(__file__).parents[2]


@dataclass
class Wheel:
    """The file of a wheel, and a folder with its contents as an installation has them."""

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
