"""The note of an operation: it vouches only for what was surely never sent."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading

import pytest

from os_retries.operations import scope
from os_retries.operations.notes import Note, Unusable, open_note
from os_retries.operations.scope import OperationError, current, operation
from os_retries.run.operations import UsageError, _note


def lines(path):
    return path.read_text().splitlines()


def test_a_create_has_no_record_until_it_is_about_to_be_sent_and_then_for_ever(tmp_path):
    path = tmp_path / "note"
    mine = Note(path, "nightly")
    assert mine.begin("digest", 1)
    assert not mine.begin("digest", 1), "it is tried again"
    assert mine.begin("digest", 2)
    later = Note(path, "nightly")
    assert not later.begin("digest", 2)
    assert later.begin("another", 1)


def test_a_new_file_vouches_for_no_collection_and_one_that_was_used_stays_so(tmp_path):
    mine = Note(tmp_path / "note", "nightly")
    assert mine.is_clean("volumes") is None
    mine.list_shows("volumes", clean=True)
    mine.list_shows("ports", clean=False)
    later = Note(tmp_path / "note", "nightly")
    assert (later.is_clean("volumes"), later.is_clean("ports"), later.is_clean("servers")) == (True, False, None)
    later.list_shows("volumes", clean=False)
    later.list_shows("volumes", clean=True)
    assert Note(tmp_path / "note", "nightly").is_clean("volumes") is False


def test_a_record_is_there_if_the_process_is_killed_right_after_it(tmp_path):
    program = (
        "import os\nfrom os_retries.operations.notes import Note\n"
        f"Note({str(tmp_path / 'note')!r}, 'nightly').begin('digest', 1)\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert not Note(tmp_path / "note", "nightly").begin("digest", 1)


def test_of_processes_that_begin_the_same_create_at_once_one_was_first(tmp_path):
    program = (
        "from os_retries.operations.notes import Note\n"
        f"note = Note({str(tmp_path / 'note')!r}, 'nightly')\n"
        "print(*(number for number in range(100) if note.begin('digest', number)))"
    )
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    first = [int(each) for process in running for each in process.communicate(timeout=60)[0].split()]
    assert sorted(first) == list(range(100))


# -- files that are not used


def copied(path):
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def damaged(path):
    path.write_text(path.read_text().replace("sent digest 1", "sent digest 7"))


def torn(path):
    path.write_bytes(path.read_bytes()[:-5])


def without_its_beginning(path):
    path.write_text("\n".join([*lines(path)[1:], ""]))


def of_a_newer_release(path):
    path.write_text(path.read_text().replace("os-retries-state-1", "os-retries-state-2"))


def linked(path):
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def with_two_names(path):
    os.link(path, path.with_name("other"))


def writable_for_others(path):
    path.chmod(0o666)


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def another_file(path):
    path.write_text("Dear diary,\n")


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (copied, "another machine, or is a copy"),
        (damaged, "damaged"),
        (torn, "not complete"),
        (without_its_beginning, "beginning is missing"),
        (of_a_newer_release, "damaged, or no note"),
        (linked, "Too many levels of symbolic links"),
        (a_pipe, "not a plain file"),
        (another_file, "no note of os-retries"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_is_not_this_note_is_left_alone_and_every_create_is_looked_up(tmp_path, caplog, happens, words):
    path = tmp_path / "note"
    Note(path, "nightly").begin("digest", 1)
    happens(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(Unusable, match=words):
        Note(path, "nightly")
    assert open_note(str(path), "nightly") is None
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert "every create is looked up" in caplog.text
    assert (path.read_bytes() if path.is_file() else b"") == before


@pytest.mark.parametrize(
    ("happens", "undo", "words"),
    [
        (with_two_names, lambda path: path.with_name("other").unlink(), "more than one name"),
        (writable_for_others, lambda path: path.chmod(0o600), "other users may write"),
    ],
    ids=["two names", "writable"],
)
def test_a_note_that_was_refused_once_vouches_for_nothing_any_more(tmp_path, happens, undo, words):
    """The run that could not use it has sent creates without a record."""
    path = tmp_path / "note"
    Note(path, "nightly").list_shows("volumes", clean=True)
    happens(path)
    with pytest.raises(Unusable, match=words):
        Note(path, "nightly")
    undo(path)
    with pytest.raises(Unusable, match="damaged"):
        Note(path, "nightly")


def test_a_file_that_may_be_the_note_and_cannot_be_opened_is_an_error(tmp_path, monkeypatch):
    """A run without it would send creates without a record."""
    path = tmp_path / "note"
    Note(path, "nightly")

    opened = os.open

    def no_more_files(name, *arguments):
        if name == str(path):
            raise OSError(errno.EMFILE, "Too many open files")
        return opened(name, *arguments)

    monkeypatch.setattr(os, "open", no_more_files)
    with pytest.raises(OperationError, match="cannot be opened: Too many open files"):
        operation("nightly", state=path)
    with pytest.raises(UsageError, match=r"--state .*: Too many open files"):
        _note({}, str(path), "nightly", quiet=True)


def test_the_note_of_another_operation_is_not_used(tmp_path):
    Note(tmp_path / "note", "yesterday")
    with pytest.raises(Unusable, match="another operation"):
        Note(tmp_path / "note", "nightly")


def test_an_empty_file_becomes_a_note_and_a_folder_that_is_not_there_is_an_error(tmp_path):
    (tmp_path / "note").touch()
    assert Note(tmp_path / "note", "nightly").begin("digest", 1)
    with pytest.raises(FileNotFoundError):
        Note(tmp_path / "missing" / "note", "nightly")


# -- while it is used


def test_a_file_that_is_damaged_while_it_is_used_vouches_for_nothing_any_more(tmp_path, caplog):
    """What is sent from then on is not recorded, so no later run may believe the file."""
    path = tmp_path / "note"
    mine, other = Note(path, "nightly"), Note(path, "nightly")
    mine.list_shows("volumes", clean=True)
    path.write_text(lines(path)[0] + "\n")  # shorter
    assert not mine.begin("digest", 1)
    assert mine.is_clean("volumes") is None
    assert not mine.begin("digest", 2)
    assert len(caplog.records) == 1
    assert not other.begin("digest", 3), "for other processes neither"
    with pytest.raises(Unusable):
        Note(path, "nightly")


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_can_be_recorded_in_a_file_that_was_removed(tmp_path, replaced):
    """Later runs would not see the record, so the create must not be sent."""
    path = tmp_path / "note"
    mine = Note(path, "nightly")
    path.unlink()
    if replaced:
        Note(path, "nightly")
    with pytest.raises(OSError, match=r"another file|No such file"):
        mine.begin("digest", 1)


def test_a_record_that_cannot_be_written_is_an_error(tmp_path):
    program = (
        "import os, resource\nfrom os_retries.operations.notes import Note\n"
        f"note = Note({str(tmp_path / 'note')!r}, 'nightly')\n"
        "size = os.path.getsize(note.path) + 20\nresource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "try:\n    note.begin('digest', 1)\nexcept OSError:\n    print('not recorded')"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.stdout == "not recorded\n", done.stderr


def test_the_environment_names_the_note_of_a_whole_process(monkeypatch, tmp_path):
    monkeypatch.setenv(scope.KEY, "nightly")
    monkeypatch.setenv(scope.STATE, str(tmp_path / "note"))
    monkeypatch.setattr(scope, "_process", None)
    assert current().note.path == str(tmp_path / "note")
    assert operation("key").note is None
    assert operation("key", state=tmp_path / "other").note.path == str(tmp_path / "other")


def test_a_record_that_another_process_is_writing_is_waited_for(tmp_path):
    path = tmp_path / "note"
    mine = Note(path, "nightly")
    program = (
        "import fcntl, os, sys\nfrom os_retries.operations import notes\n"
        f"file = os.open({str(path)!r}, os.O_RDWR | os.O_APPEND)\nfcntl.lockf(file, fcntl.LOCK_EX)\n"
        "record = 'sent digest 1 token'\nline = f'{record} {notes._checksum(record)}\\n'.encode()\n"
        "os.write(file, line[:9])\nprint('half', flush=True)\nsys.stdin.read()\nos.write(file, line[9:])"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert other.stdout.readline() == "half\n"
    first = []
    thread = threading.Thread(target=lambda: first.append(mine.begin("digest", 1)))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    other.communicate(timeout=60)
    thread.join(60)
    assert first == [False]
