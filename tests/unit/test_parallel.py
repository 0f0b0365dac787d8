"""How the tests are distributed among workers: tests that share an expensive fixture stay together."""

import pytest

pytest.importorskip("xdist")  # the environment of the oldest clients has none

from tests.parallel import number_of_workers, place, unit_of_work

CREATES = "tests/cloud/test_creates_on_cloud.py"


def test_all_tests_of_one_kind_of_create_are_one_workers():
    tests = (
        "test_found[nova-stop-504]",
        "test_again[nova-stop-reset]",
        "test_late[nova-stop]",
        "test_x[nova-stop-cut]",
    )
    assert {unit_of_work(f"{CREATES}::{test}") for test in tests} == {f"{CREATES}[nova-stop]"}
    assert unit_of_work(f"{CREATES}::test_late[nova-interface]") == f"{CREATES}[nova-interface]"


def test_other_tests_on_the_cloud_go_to_whoever_is_free():
    for test in (f"{CREATES}::test_a_backup_is_found", "tests/cloud/test_sandbox.py::test_env[options0]"):
        assert unit_of_work(test) == test


def test_a_file_without_a_cloud_is_one_workers_and_so_is_one_whose_cloud_is_another():
    for file in ("tests/unit/test_http.py", "tests/cloud/test_creates_on_poorer_cloud.py"):
        assert unit_of_work(f"{file}::test_it[a-504]") == file


def test_short_files_come_last():
    files = [f"{CREATES}::x", "tests/sahara/test_rewrite.py::x", "tests/unit/test_http.py::x"]
    assert max(files, key=place) == files[-1]


def test_one_worker_makes_the_sandboxes_template_while_the_others_have_something_else():
    many = "tests/cloud/test_creates_together.py::test_many_at_once_with_one_name_under_all_faults_make_one_each"
    others = [f"{CREATES}::x", "tests/cloud/test_creates_together.py::test_x", "tests/clients/test_attach.py::x"]
    assert sorted([*others, many], key=place)[:2] == [many, others[2]]


def test_there_is_always_a_worker():
    assert number_of_workers() >= 1
