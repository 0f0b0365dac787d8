"""The page of a package index, and the contents of the source distribution."""

import importlib.metadata
import re
import subprocess
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder

TOP = Path(__file__).parents[2]


def test_the_description_on_a_package_index_has_no_relative_link_and_no_picture():
    metadata = importlib.metadata.metadata("os-retries")
    description = metadata.get_payload()
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "pip install os-retries" in description
    links = re.findall(r"\]\(([^)]*)\)", description)
    assert [link for link in links if not link.startswith("https://")] == []
    assert "![" not in description


def test_every_relative_link_of_the_pages_at_the_top_leads_to_a_file():
    for page in TOP.glob("*.md"):
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if not link.startswith("https://"):
                assert (TOP / link).exists(), f"{page.name}: {link}"


def test_the_source_distribution_holds_every_file_of_the_repository_and_no_other():
    """It can run its own tests, then.  Hatchling adds pyproject.toml by itself."""
    done = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is no checkout")
    included = {file.distribution_path for file in SdistBuilder(str(TOP)).recurse_included_files()}
    untracked = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"], cwd=TOP, capture_output=True, text=True, check=True
    )
    assert included - set(untracked.stdout.splitlines()) == set(done.stdout.splitlines()) - {"pyproject.toml"}
