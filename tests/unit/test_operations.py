"""Operations: which one a request belongs to, how equal requests are counted, and what a marker follows from."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import os_retries
from os_retries.creates.markers import new_marker
from os_retries.operations import scope
from os_retries.operations.marks import derive, prefix, request_digest
from os_retries.operations.ordinals import Ordinals
from os_retries.operations.scope import NotCovered, current, operation

VOLUME = {"service": "block-storage", "verb": "POST", "path": "/volumes", "project": "p", "region": None}


# -- markers


def test_a_derived_marker_has_the_form_of_a_random_one():
    form = re.compile(r"os-retries-[0-9a-f]{32}")
    assert form.fullmatch(new_marker())
    assert form.fullmatch(derive("key", request_digest(a=1), 1))


def test_all_markers_of_a_key_share_a_prefix_and_other_keys_have_another():
    marker = derive("nightly", request_digest(a=1), 1)
    assert marker.startswith("os-retries-" + prefix("nightly"))
    assert not marker.startswith("os-retries-" + prefix("nightly2"))


@pytest.mark.parametrize(
    "other",
    [
        {"project": "q"},
        {"region": "two"},
        {"service": "compute"},
        {"verb": "PUT"},
        {"path": "/snapshots"},
        {"body": {"volume": {"size": 2}}},
    ],
    ids=lambda other: next(iter(other)),
)
def test_whatever_is_different_about_a_request_makes_another_marker(other):
    parts = VOLUME | {"body": {"volume": {"size": 1}}}
    with operation("key") as one:
        mine = one.claim(**parts).marker
        assert one.claim(**parts | other).marker != mine
    with operation("another") as two:
        assert two.claim(**parts).marker != mine
    with operation("key") as again:
        assert again.claim(**parts).marker == mine


def test_the_order_of_a_body_does_not_matter():
    assert request_digest(body={"a": 1, "b": [1, 2]}) == request_digest(body={"b": [1, 2], "a": 1})
    assert request_digest(body={"b": [2, 1]}) != request_digest(body={"b": [1, 2]})


def test_equal_requests_of_one_run_have_different_markers_and_the_next_run_has_the_same_ones():
    first, second = operation("key"), operation("key")
    markers = [first.claim(**VOLUME).marker for _ in range(3)]
    assert len(set(markers)) == 3
    assert [second.claim(**VOLUME).marker for _ in range(3)] == markers


# -- ordinals


def ordinals(path):
    return Ordinals(os.open(path, os.O_RDWR | os.O_CREAT))


def test_an_ordinal_is_free_again_if_its_request_has_failed_and_taken_for_good_if_it_has_succeeded(tmp_path):
    mine = ordinals(tmp_path / "file")
    assert [mine.take("d") for _ in range(3)] == [1, 2, 3]
    mine.end("d", 1, done=False)
    mine.end("d", 2, done=True)
    assert mine.take("d") == 1
    assert mine.take("d") == 4
    assert mine.take("e") == 1
    mine.end("d", 4, done=True, generation=3)
    assert ordinals(tmp_path / "file").done() == {("d", 2, 0), ("d", 4, 3)}


def test_the_file_is_closed_with_the_last_reference_to_the_operation():
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        with operation("key") as mine:
            mine.claim(**VOLUME)
    del mine
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_processes_count_together(tmp_path):
    mine, other = ordinals(tmp_path / "file"), ordinals(tmp_path / "file")
    assert [mine.take("d"), other.take("d"), mine.take("d"), other.take("e")] == [1, 2, 3, 1]
    other.end("d", 1, done=False)
    assert mine.take("d") == 1


def test_processes_that_count_at_the_same_time_have_different_ordinals(tmp_path):
    program = (
        "import os, sys\nfrom os_retries.operations.ordinals import Ordinals\n"
        f"o = Ordinals(os.open({str(tmp_path / 'file')!r}, os.O_RDWR | os.O_CREAT))\n"
        "taken = [o.take('d') for _ in range(100)]\n"
        "for each in taken: o.end('d', each, done=True)\n"
        "print(*taken)"
    )
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    taken = [int(each) for process in running for each in process.communicate(timeout=60)[0].split()]
    assert sorted(taken) == list(range(1, 401))


def test_the_ordinal_of_a_killed_process_goes_to_the_next_equal_request(tmp_path):
    program = (
        "import os, sys\nfrom os_retries.operations.ordinals import Ordinals\n"
        f"o = Ordinals(os.open({str(tmp_path / 'file')!r}, os.O_RDWR | os.O_CREAT))\n"
        "o.take('d'); o.end('d', 1, done=True); o.take('d')\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert ordinals(tmp_path / "file").take("d") == 2


@pytest.mark.parametrize("torn", ["he", "held d 2", "held d 2 1", "held d x 1 1\n", "\n", "held d\n"])
def test_a_line_that_a_killed_process_has_not_finished_is_nothing(tmp_path, torn):
    path = tmp_path / "file"
    assert ordinals(path).take("d") == 1
    with path.open("a") as file:
        file.write(torn)
    again = ordinals(path)
    assert [again.take("d"), again.take("d")] == [2, 3]
    assert ordinals(path).take("d") == 4


def test_threads_and_forked_processes_of_one_operation_count_together():
    with operation("key") as mine:
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda _: mine.claim(**VOLUME).ordinal, range(40)))
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.write(writer, b"%d" % mine.claim(**VOLUME).ordinal)
            os._exit(0)
        os.waitpid(child, 0)
        taken.append(int(os.read(reader, 10)))
        os.close(reader)
        os.close(writer)
        # The child held its ordinal when it ended.
        assert mine.claim(**VOLUME).ordinal == 41
    assert sorted(taken) == list(range(1, 42))


# -- the operation of a request


def test_a_request_belongs_to_the_innermost_operation_of_its_context():
    assert current() is None
    with operation("outer") as outer:
        with operation("inner") as inner:
            assert current() is inner
        assert current() is outer
    assert current() is None


def test_a_thread_belongs_to_the_operation_that_it_enters_or_joins():
    seen = []
    with operation("key") as mine:
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()

        def entered():
            with mine:
                seen.append(current())
            seen.append(current())

        thread = threading.Thread(target=entered)
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1, initializer=mine.join) as pool:
            seen.append(pool.submit(current).result())
    assert seen == [None, mine, None, mine]


def test_the_environment_makes_a_whole_process_an_operation(monkeypatch, tmp_path):
    (tmp_path / "ordinals").touch()
    monkeypatch.setenv(scope.KEY, "nightly")
    monkeypatch.setenv(scope.STRICT, "1")
    monkeypatch.setenv(scope.ORDINALS, str(tmp_path / "ordinals"))
    monkeypatch.setattr(scope, "_process", None)
    mine = current()
    assert (mine.key, mine.strict) == ("nightly", True)
    assert current() is mine
    with operation("inner"):
        assert current().key == "inner"
    assert mine.claim(**VOLUME).ordinal == 1
    assert (tmp_path / "ordinals").read_bytes()


def test_without_a_file_of_a_run_the_process_counts_by_itself(monkeypatch):
    monkeypatch.setenv(scope.KEY, "nightly")
    monkeypatch.setattr(scope, "_process", None)
    assert not current().strict
    assert [current().claim(**VOLUME).ordinal for _ in range(2)] == [1, 2]


def test_a_strict_operation_refuses_what_is_not_covered_and_another_one_counts_it():
    with operation("key", strict=True) as strict, pytest.raises(NotCovered, match="POST /x was not sent"):
        strict.note_not_covered("compute", "POST /x", "why")
    with operation("key") as mine:
        mine.note_not_covered("compute", "POST /x", "why")
        mine.note_not_covered("compute", "POST /x", "why")
    assert mine.not_covered == {"compute: POST /x": 2}
    assert issubclass(NotCovered, os_retries.OperationError)


@pytest.mark.parametrize("key", ["", "  "])
def test_a_key_is_a_text_that_is_not_empty(key):
    with pytest.raises(ValueError, match="key of an operation"):
        operation(key)
