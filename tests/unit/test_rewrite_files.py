"""Which files are changed, and that each is written completely or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from os_retries.rewrite import files, tree

from .rewriting import rewrite

TEXT = "from novaclient import client\nclient.Client('2').servers.list()\n"
WRAPPED = "execute_with_retries(client.Client('2').servers.list)"

BAD = {
    "does not parse": (b"def f(:\n", "bad.py:1: cannot be parsed"),
    "is Python 2": (b"print 'x'\n", "bad.py:1: cannot be parsed"),
    "has null bytes": (b"x = 1\0\n", "bad.py"),
    "is not UTF-8": (b"x = '\xe9'\n", "bad.py: is not UTF-8; convert it first"),
    "says that it is not": (
        b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
        "bad.py: is not UTF-8 (its encoding declaration says iso-8859-1); convert",
    ),
    "says nonsense": (b"# -*- coding: klingon -*-\nx = '\xc3\xa9'\n", "bad.py: is not UTF-8; convert it first"),
    "is UTF-8 only at first": (b"\n\n\nx = '\xe9'\n", "bad.py: is not UTF-8 (byte 8); convert it first"),
    "is nested too deep": (b"x = " + b"(" * 500 + b")" * 500 + b"\n", "bad.py"),
    "is UTF-16": ("x = 1\n".encode("utf-16"), "bad.py: is not UTF-8"),
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_file_is_named_and_the_rest_is_done(why, tmp_path):
    """Exit status 2, one clear line, and every other file is rewritten."""
    data, message = BAD[why]
    (tmp_path / "bad.py").write_bytes(data)
    outcome = rewrite(tmp_path, TEXT)
    assert WRAPPED in outcome.texts["main.py"]
    assert f"os-retries rewrite: {message}" in outcome.err
    assert outcome.status == 2
    assert (tmp_path / "bad.py").read_bytes() == data
    assert "Traceback" not in outcome.err


def test_an_ascii_file_of_another_encoding_is_done(tmp_path):
    """A cookie for another encoding is no reason to refuse a file in which it makes no difference."""
    outcome = rewrite(tmp_path, "# -*- coding: latin-1 -*-\n" + TEXT)
    assert WRAPPED in outcome.text
    assert outcome.status == 0


def test_a_very_long_chain_is_refused_not_a_crash(tmp_path):
    """What is too deep to follow is named like what does not parse."""
    (tmp_path / "deep.py").write_text("x = " + "+".join(["1"] * 20000) + "\n")
    (tmp_path / "deeper.py").write_text("x = a" + ".b()" * 500 + "\n" + TEXT)
    outcome = rewrite(tmp_path, TEXT)
    assert WRAPPED in outcome.texts["main.py"]
    assert "Traceback" not in outcome.err


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX modes")
def test_a_read_only_file_is_named_and_not_changed(tmp_path):
    """A file that nobody may write is left alone, even if root could."""
    path = tmp_path / "fixed.py"
    path.write_text(TEXT)
    path.chmod(0o444)
    outcome = rewrite(tmp_path, TEXT)
    assert path.read_text() == TEXT
    assert "fixed.py: is read-only; it was not changed" in outcome.err
    assert outcome.status == 2
    assert WRAPPED in outcome.texts["main.py"]


def test_nothing_is_half_written(tmp_path, monkeypatch):
    """When writing fails in the middle the old file is there, whole, and no other file is left behind."""

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    outcome = rewrite(tmp_path, TEXT)
    assert outcome.texts["main.py"] == TEXT
    assert [p.name for p in tmp_path.iterdir()] == ["main.py"]
    assert "main.py: cannot be written; it was not changed (No space left on device)" in outcome.err
    assert outcome.status == 2


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path):
    """What an editor saved while the tool was thinking stays."""
    path = tmp_path / "a.py"
    path.write_text("x = 2\n")
    with pytest.raises(files.FileError, match="another program has changed it"):
        files.write(str(path), "x = 1\n", "x = 3\n")
    assert path.read_text() == "x = 2\n"


def test_mode_and_symbolic_link_are_kept(tmp_path):
    """An executable stays one, and a link goes on pointing at the file that was changed."""
    real = tmp_path / "elsewhere" / "script"
    real.parent.mkdir()
    real.write_text("#!/usr/bin/python3\n" + TEXT)
    real.chmod(0o750)
    (tmp_path / "src").mkdir()
    link = tmp_path / "src" / "link.py"
    link.symlink_to(real)
    outcome = rewrite(tmp_path, paths=[str(tmp_path / "src")])
    assert outcome.status == 0
    assert link.is_symlink()
    assert WRAPPED in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o750


def test_links_that_go_round_in_circles_and_paths_given_twice(tmp_path):
    """Each file is done once, however often and under however many names it is reached."""
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "again.py").symlink_to(tmp_path / "main.py")
    main = str(tmp_path / "main.py")
    outcome = rewrite(tmp_path, TEXT, paths=[str(tmp_path), main, main, str(tmp_path)], mode="diff")
    assert outcome.out.count("+++ ") == 1
    assert outcome.err.startswith("os-retries rewrite: 1 file, ")


def test_paths_that_are_not_there(tmp_path):
    """A path that does not exist, or is a link to nothing, is named."""
    (tmp_path / "dangling.py").symlink_to(tmp_path / "gone")
    outcome = rewrite(tmp_path, TEXT, paths=[str(tmp_path), str(tmp_path / "nowhere"), str(tmp_path / "dangling.py")])
    assert "nowhere: does not exist" in outcome.err
    assert "dangling.py: is a symbolic link to nothing" in outcome.err
    assert outcome.status == 2
    assert WRAPPED in outcome.texts["main.py"]


def test_an_empty_file_is_done(tmp_path):
    """There is nothing in it to wrap, and nothing wrong with it."""
    outcome = rewrite(tmp_path, "")
    assert (outcome.status, outcome.texts["main.py"]) == (0, "")


def test_a_folder_without_python_is_no_error(tmp_path):
    """Nothing to do is done."""
    outcome = rewrite(tmp_path)
    assert outcome.err == "os-retries rewrite: 0 files, wrapped 0 calls in 0 files\n"
    assert outcome.status == 0


def test_only_python_files_of_the_project_are_looked_at(tmp_path):
    """Hidden folders, caches, virtual environments and what --exclude names are left out of a folder."""
    venv = {"venv/pyvenv.cfg": "", "venv/lib/a.py": TEXT}
    other = dict.fromkeys((".tox/a.py", "__pycache__/a.py", "notes.txt", "tests/unit/a.py", "b_gen.py"), TEXT)
    outcome = rewrite(tmp_path, TEXT, files=venv | other, exclude=["tests", "*_gen.py"])
    assert [name for name, text in outcome.texts.items() if "execute_with_retries" in text] == ["main.py"]


def test_a_file_that_is_named_is_done_whatever_it_is_called(tmp_path):
    """A script without .py is worked on when it is given."""
    outcome = rewrite(tmp_path, files={"script": TEXT}, paths=[str(tmp_path / "script")])
    assert WRAPPED in outcome.texts["script"]


def test_module_names_come_from_the_packages_around(tmp_path):
    """A module is named from the outermost folder that is a package; a script by its own name."""
    for name in ("src/pkg/__init__.py", "src/pkg/sub/__init__.py", "src/pkg/sub/a.py", "script.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert tree.module_name(str(tmp_path / "src/pkg/sub/a.py")) == ("pkg.sub.a", False)
    assert tree.module_name(str(tmp_path / "src/pkg/sub/__init__.py")) == ("pkg.sub", True)
    assert tree.module_name(str(tmp_path / "script.py")) == ("script", False)


def test_two_scripts_of_one_name(tmp_path):
    """Files of the same name in folders that are no packages do not hide each other."""
    outcome = rewrite(tmp_path, files={"a/run.py": TEXT, "b/run.py": TEXT})
    assert all(WRAPPED in text for text in outcome.texts.values())


PROJECT = {
    "pyproject.toml": "",
    "src/shop/__init__.py": "from shop.clients import nova\n",
    "src/shop/clients.py": "from novaclient import client\n\ndef nova():\n    return client.Client('2')\n",
    "src/shop/api/__init__.py": "",
    "src/shop/api/servers.py": "from shop import nova\n\ndef stop():\n    nova().servers.stop(1)\n",
    "src/shop/api/given.py": "def delete(client):\n    client.servers.delete(1)\n",
    "tools/clean.py": "from shop import nova\nfrom shop.api.given import delete\n\ndelete(nova())\nnova().servers.list()\n",
    "build/lib/shop/api/given.py": "def delete(client):\n    pass\n",
}


@pytest.mark.parametrize("marker", ["pyproject.toml", "setup.cfg", ".git"])
def test_a_file_alone_is_judged_as_with_its_whole_project(marker, tmp_path):
    """--check of one file resolves its imports, and who calls it, from the project around it."""
    text = {(marker if name == "pyproject.toml" else name): text for name, text in PROJECT.items()}
    whole = rewrite(tmp_path, files=text, mode="check", exclude=["build"])
    alone = [rewrite(tmp_path, mode="check", paths=[str(tmp_path / name)]) for name in text if name.endswith(".py")]
    assert len(whole.out.splitlines()) == 3
    assert sorted(whole.out.splitlines()) == sorted(line for one in alone for line in one.out.splitlines())
    folders = ("src/shop/api", "tools")
    some = rewrite(tmp_path, mode="check", paths=[str(tmp_path / folder) for folder in folders])
    assert sorted(whole.out.splitlines()) == sorted(some.out.splitlines())


def test_a_package_of_the_program_does_not_hide_a_library(tmp_path):
    """`import openstack` is the library's, though the program has a package app.api.openstack."""
    packages = dict.fromkeys(("app/__init__.py", "app/api/__init__.py", "app/api/openstack/__init__.py"), "")
    text = "from openstack import connection\nconnection.Connection().compute.get_server(1)\n"
    outcome = rewrite(tmp_path, text, files=packages)
    assert "execute_with_retries(connection.Connection().compute.get_server, 1)" in outcome.text


def test_without_a_project_the_package_around_a_file_is_read(tmp_path):
    """The outermost folder with an __init__.py; what stands beside it is not the program's."""
    inside = {name.removeprefix("src/"): text for name, text in PROJECT.items() if name.startswith("src/")}
    other = {"other.py": "def f(:\n"}
    outcome = rewrite(tmp_path, files=inside | other, mode="check", paths=[str(tmp_path / "shop/api/servers.py")])
    assert outcome.out == "shop/api/servers.py:4:5: nova().servers.stop() is not wrapped in execute_with_retries\n"
    assert outcome.err == "os-retries rewrite: 1 file, 1 call not wrapped\n"


@pytest.mark.parametrize("inside", [".venv/lib", "venv/lib/site-packages", ".tox/py/lib", "build/lib"])
def test_a_library_inside_a_project_is_not_of_the_project(inside, tmp_path):
    """What is installed below a project is judged without it, as the project is without what is installed."""
    files = {
        "setup.py": "def f(:\n",
        "venv/pyvenv.cfg": "",
        f"{inside}/shop/__init__.py": "",
        f"{inside}/shop/a.py": TEXT,
    }
    outcome = rewrite(tmp_path, files=files, paths=[str(tmp_path / inside / "shop/a.py")])
    assert outcome.err == "os-retries rewrite: 1 file, wrapped 1 call in 1 file\n"


def test_files_around_the_given_one_are_not_changed(tmp_path):
    """What was not given is read, and neither changed nor reported; what cannot be read there is counted."""
    bad = {"tools/bad.py": "def f(:\n"}
    outcome = rewrite(tmp_path, files=PROJECT | bad, paths=[str(tmp_path / "src/shop/api/servers.py")])
    changed = [name for name, text in outcome.texts.items() if text != (PROJECT | bad)[name]]
    assert changed == ["src/shop/api/servers.py"]
    assert outcome.status == 0
    assert outcome.err == (
        "os-retries rewrite: 1 file, wrapped 1 call in 1 file, 1 file of the project could not be read\n"
    )


def test_the_home_folder_is_no_project(tmp_path, monkeypatch):
    """Whoever keeps their home folder in git does not have all of it read for one script."""
    monkeypatch.setenv("HOME", str(tmp_path))
    files = {".git": "", "scripts/a.py": TEXT, "everything/else.py": "def f(:\n"}
    outcome = rewrite(tmp_path, files=files, paths=[str(tmp_path / "scripts/a.py")])
    assert outcome.err == "os-retries rewrite: 1 file, wrapped 1 call in 1 file\n"


TESTS = ("tests/unit/a.py", "pkg/test_b.py", "pkg/tests/__init__.py", "conftest.py")


@pytest.mark.parametrize("tests", [False, True])
def test_tests_are_left_out_unless_they_are_asked_for(tests, tmp_path):
    """Nobody wants retries in a test; --tests is for those who do."""
    files = {"setup.py": "", "pkg/a.py": TEXT, **dict.fromkeys(TESTS, TEXT)}
    outcome = rewrite(tmp_path, files=files, tests=tests)
    wrapped = {name for name, text in outcome.texts.items() if WRAPPED in text}
    assert wrapped == {"pkg/a.py", *(TESTS if tests else ())}
    assert ("4 test files left out (--tests includes them)" in outcome.err) is not tests


@pytest.mark.parametrize("given", ["tests/unit/a.py", "tests/unit", "tests"])
def test_a_test_that_is_given_by_name_is_done(given, tmp_path):
    """A test file, or a folder of tests, that is named on the command line is worked on."""
    files = {"setup.py": "", "tests/unit/a.py": TEXT}
    outcome = rewrite(tmp_path, files=files, paths=[str(tmp_path), str(tmp_path / given)])
    assert WRAPPED in outcome.texts["tests/unit/a.py"]
    assert "left out" not in outcome.err


def test_a_folder_that_is_no_package_is_imported_by_its_path(tmp_path):
    """Namespace packages: `import a.b` finds a/b.py below the path that was given."""
    helper = "from novaclient import client\ndef nova():\n    return client.Client('2')\n"
    outcome = rewrite(tmp_path, "from a.b import nova\nnova().servers.list()\n", files={"a/b.py": helper})
    assert "execute_with_retries(nova().servers.list)" in outcome.text
