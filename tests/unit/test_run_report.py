"""The messages of `run`, and that they never disturb the program that runs."""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
import tracemalloc
import types
from pathlib import Path

import pytest

from os_retries import observe
from os_retries.core import hooks
from os_retries.core.failure import Kind
from os_retries.evidence import Attempt, Evidence, GiveUp, LookedUp, Retry
from os_retries.run import journal, messages, report, text
from os_retries.run.report import Elsewhere, Reporter
from os_retries.run.summary import summary

SITECUSTOMIZE = Path(report.__file__).with_name("path") / "sitecustomize.py"


def failed(number=1, status=503, request_id="req-1", wait=4.0, kind=Kind.REFUSED, what=""):
    return Attempt(number, status, request_id, wait, kind, what)


def retry(attempt=None, service="compute", method="GET /servers/detail", source="retry_after"):
    return Retry(method, service, attempt or failed(), 6, source)


def given_up(*attempts, reason=GiveUp.ATTEMPTS, detail="", service="compute", method="GET /servers/detail"):
    return Evidence(method, service, attempts or (failed(wait=None),), reason, detail)


def looked_up(outcome="found", ids=("id0",), detail="", status=504, what=""):
    return LookedUp("POST /servers", "compute", outcome, ids, detail, status, what, "req-1")


def event(name, record):
    """The event that the core makes of a record."""
    told = []
    with observe.add(told.append):
        if isinstance(record, Retry):
            more = {"attempts": record.attempts, "wait": record.attempt.wait, "source": record.source}
            hooks.tell(name, record, record.attempt, retry=record, **more)
        else:
            hooks.tell(name, record, record.attempts[-1], evidence=record)
    return told[0]


@pytest.fixture
def quick(monkeypatch):
    """Time as far as the reporter knows it: only its sleeps take any."""
    clock = [0.0]
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return naps


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class Log(io.StringIO):
    encoding = "utf-8"


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    # Not sys itself: pytest's capture sets its stderr anew before the test is called.
    standard_error = Terminal()
    monkeypatch.setattr(report, "sys", types.SimpleNamespace(stderr=standard_error, __stderr__=standard_error))
    return standard_error


@pytest.fixture
def log(monkeypatch):
    # Not sys itself: pytest's capture sets its stderr anew before the test is called.
    standard_error = Log()
    monkeypatch.setattr(report, "sys", types.SimpleNamespace(stderr=standard_error, __stderr__=standard_error))
    return standard_error


# -- sentences


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            retry(failed(2, 503, "req-1", 3.2)),
            "os-retries: compute answered 503 to GET /servers/detail · retry 2 of 5 in 4 s · req-1",
        ),
        (
            retry(failed(1, 429, None, 0.25), source="Retry-After"),
            "os-retries: compute answered 429 to GET /servers/detail · retry 1 of 5 in 0.2 s (Retry-After)",
        ),
        (
            retry(failed(1, None, None, 1.0, Kind.NOT_SENT, "connection refused")),
            "os-retries: compute: GET /servers/detail not sent (connection refused) · retry 1 of 5 in 1 s",
        ),
        (
            # keystone's answer is not the service's, though the status is known
            retry(failed(1, 503, None, 1.0, Kind.NOT_SENT, "token or discovery: 503")),
            "os-retries: compute: GET /servers/detail not sent (token or discovery: 503) · retry 1 of 5 in 1 s",
        ),
        (
            retry(failed(1, None, None, 0.0, Kind.MAYBE_PROCESSED, "connection reset"), service=None),
            "os-retries: GET /servers/detail failed (connection reset) · retry 1 of 5 now",
        ),
        (
            retry(failed(1, 503, None, 1.0), service=None, method="GET /evil\x1b[2J\nline"),
            "os-retries: the service answered 503 to GET /evil?[2J?line · retry 1 of 5 in 1 s",
        ),
    ],
)
def test_a_retry_is_told_in_an_operator_s_words(told, line):
    assert messages.retry_line(messages.retry_event(told)) == line


def test_a_request_given_up_is_told_with_the_reason():
    line = messages.give_up_line(messages.give_up_event(given_up(failed(), failed(2, wait=None))))
    assert line == (
        "os-retries: compute answered 503 to GET /servers/detail · given up after 2 attempts: no attempts left · req-1"
    )
    once = given_up(reason=GiveUp.NOT_REPEATABLE, method="POST /servers")
    assert messages.give_up_line(messages.give_up_event(once)) == (
        "os-retries: compute answered 503 to POST /servers · not repeated: "
        "the service may have processed the request, and a repeat could take effect twice · req-1"
    )
    asked = given_up(reason=GiveUp.MAX_WAIT, detail=" (Retry-After: 86400 s)")
    assert "retry_max_wait allows (Retry-After: 86400 s)" in messages.give_up_line(messages.give_up_event(asked))


def test_an_error_that_answers_a_request_after_retries_is_not_told_as_given_up(log, tmp_path):
    """What every command does that finds a thing by its name, and then by its id."""
    reporter = Reporter({"OSRETRIES_LOG_JSON": str(tmp_path / "log")})
    not_found = given_up(
        failed(), failed(2, 404, "req-2", None, Kind.PERMANENT), reason=GiveUp.PERMANENT, method="GET /servers/web"
    )
    reporter.on_event(event("Retrying", retry(method="GET /servers/web")))
    reporter.on_event(event("Answered", not_found))
    assert log.getvalue().splitlines()[1] == (
        "os-retries: compute answered 404 to GET /servers/web · taken as the answer after 1 retry · req-2"
    )
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(event["event"], event["status"], event["attempt"]) for event in events] == [
        ("retry", 503, 1),
        ("answered", 404, 2),
    ]
    assert read_journal((tmp_path / "log").read_bytes()) == events
    assert summary(events) == (
        "os-retries: 1 request repeated (1 retry, 4 s of waiting), 1 request answered with an error after retries\n"
        "  compute GET /servers/web: 503 · then answered 404"
    )


@pytest.mark.parametrize(
    ("status", "retry_codes"), [(None, [503]), (413, [413, 503]), (404, [404, 503])], ids=["none", "quota", "wanted"]
)
def test_an_error_that_may_be_one_of_the_trouble_is_told_as_given_up(status, retry_codes, log):
    last = failed(2, status, None, None, Kind.PERMANENT, "")
    assert not given_up(failed(), last, reason=GiveUp.PERMANENT).is_answer(retry_codes)
    Reporter({}).on_event(event("GivenUp", given_up(failed(), last, reason=GiveUp.PERMANENT)))
    assert "given up after 2 attempts" in log.getvalue()


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            looked_up(),
            "os-retries: compute answered 504 to POST /servers · found, and taken as the answer: id0 · req-1",
        ),
        (
            looked_up(status=None, what="connection reset"),
            "os-retries: compute: POST /servers failed (connection reset) · found, and taken as the answer: id0 · req-1",
        ),
        (
            looked_up("looking", ()),
            "os-retries: compute answered 504 to POST /servers · looking it up · req-1",
        ),
        (
            looked_up("late duplicate", ("a",), "beside b"),
            "os-retries: compute answered 504 to POST /servers · DUPLICATE: an earlier attempt has also taken effect: a beside b · req-1",
        ),
        # What follows says it: the line of the retry, or of the give-up.
        (looked_up("not there", ()), ""),
        (looked_up("unclear", ("id0", "id1"), "2 exist, but 1 were asked for"), ""),
    ],
)
def test_what_became_of_a_create_is_told_in_an_operator_s_words(told, line):
    assert messages.look_up_line(messages.look_up_event(told)) == line


def test_a_summary_names_what_was_found_and_counts_no_answer_twice():
    post = {"method": "POST /servers"}
    events = [
        messages.look_up_event(looked_up()),
        messages.look_up_event(looked_up("not there", (), "after 120 s")),
        messages.retry_event(retry(failed(1, 504, None, 1.0), **post)),
        messages.look_up_event(looked_up(ids=("id2",), detail="before the repeat")),
        messages.look_up_event(looked_up("late duplicate", ("id3",), "beside id4")),
        messages.look_up_event(looked_up("unclear", ("id5", "id6"), "2 exist, but 1 were asked for")),
        messages.give_up_event(given_up(failed(1, 502, None, None), reason=GiveUp.NOT_REPEATABLE, **post)),
    ]
    head, line = summary(events).splitlines()
    assert head == (
        "os-retries: 1 request repeated (1 retry, 1 s of waiting), 2 creates looked up and found, "
        "1 late duplicate, 1 request given up"
    )
    assert line.startswith(
        "  compute POST /servers: 504 \N{MULTIPLICATION SIGN} 2, 502 · found: id0, id2 · LATE DUPLICATE: id3 · given up:"
    )
    many = summary([messages.look_up_event(looked_up(ids=(f"id{number}",))) for number in range(8)])
    assert many.endswith("504 \N{MULTIPLICATION SIGN} 8 · found: id0, id1, id2, id3, id4 and 3 more")


def test_a_summary_counts_requests_and_names_them():
    events = [
        messages.retry_event(retry(failed(1, 503, None, 1.0))),
        messages.retry_event(retry(failed(2, 503, None, 2.0))),
        messages.retry_event(retry(failed(1, 503, None, 1.0))),
        messages.retry_event(
            retry(failed(1, None, None, 1.0, Kind.NOT_SENT, "connection refused"), "image", "GET /images")
        ),
        messages.give_up_event(given_up(reason=GiveUp.NOT_REPEATABLE, method="POST /servers")),
    ]
    assert summary(events) == (
        "os-retries: 3 requests repeated (4 retries, 5 s of waiting), 1 request given up\n"
        "  compute GET /servers/detail: 503 \N{MULTIPLICATION SIGN} 3\n"
        "  image GET /images: connection refused\n"
        "  compute POST /servers: 503 · given up: the service may have processed the request, and a repeat could take effect twice · req-1"
    )
    assert summary([]) == ""


def test_a_summary_stays_short():
    events = [messages.retry_event(retry(method=f"GET /servers/{number}")) for number in range(25)]
    assert summary(events).splitlines()[-1] == "  and 15 more"
    assert len(summary(events).splitlines()) == 12


def test_an_event_has_the_documented_fields():
    fields = {
        "time",
        "event",
        "program",
        "pid",
        "service",
        "request",
        "attempt",
        "status",
        "failure",
        "kind",
        "request_id",
    }
    assert set(messages.retry_event(retry())) == fields | {"attempts", "wait", "source"}
    assert set(messages.answered_event(given_up())) == fields
    assert set(messages.give_up_event(given_up())) == fields | {"reason", "unrepeated", "found"}
    assert set(messages.look_up_event(looked_up())) == fields - {"attempt"} | {"outcome", "found", "detail"}


def test_a_terminal_without_unicode_gets_ascii():
    assert text.fitting("a · b", "ascii") == "a - b"
    assert text.fitting("a · b", "utf-8") == "a · b"
    assert text.fitting("ä · b", None) == "? - b"


# -- waiting


def test_on_a_terminal_the_wait_is_counted_down_on_one_line_that_goes_away(terminal, quick):
    reporter = Reporter({})
    reporter.on_retry(retry(failed(wait=2.5)))
    reporter.sleep(2.5)
    assert quick == [1.0, 1.0, 0.5]
    shown = terminal.getvalue().split("\r\x1b[K")
    assert [line.partition(" in ")[2] for line in shown[1:-1]] == ["3 s", "2 s", "0.5 s"]
    assert shown[-1] == ""  # erased
    assert "\n" not in terminal.getvalue()


def test_a_line_longer_than_the_terminal_is_cut(terminal, quick):
    reporter = Reporter({})
    reporter.on_retry(retry(method="GET /" + "x" * 200))
    reporter.sleep(1)
    assert {len(line) for line in terminal.getvalue().split("\r\x1b[K")[1:-1]} == {79}


def test_on_a_terminal_a_look_up_is_counted_down_and_what_it_found_stays(terminal, quick):
    reporter = Reporter({})
    reporter.on_look_up(looked_up("looking", ()))
    reporter.sleep(2.0)
    reporter.on_look_up(looked_up())
    first, *_, last = terminal.getvalue().split("\r\x1b[K")[1:]
    assert first == "os-retries: compute answered 504 to POST /servers · looking it up, again in 2 s"
    assert last.endswith("taken as the answer: id0 · req-1\n")


def test_in_a_log_a_look_up_is_a_line_before_it_and_one_after(log, tmp_path, quick):
    reporter = Reporter({"OSRETRIES_LOG_JSON": str(tmp_path / "log")})
    reporter.on_look_up(looked_up("looking", ()))
    reporter.sleep(2.0)
    reporter.on_look_up(looked_up())
    assert [line.split(" · ")[1] for line in log.getvalue().splitlines()] == [
        "looking it up",
        "found, and taken as the answer: id0",
    ]
    (event,) = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert (event["event"], event["outcome"], event["found"]) == ("look_up", "found", ["id0"])


def test_in_a_log_a_wait_is_one_line(log, quick):
    reporter = Reporter({})
    reporter.on_retry(retry(failed(wait=2.5)))
    reporter.sleep(2.5)
    assert quick == [2.5]
    assert log.getvalue() == "os-retries: compute answered 503 to GET /servers/detail · retry 1 of 5 in 3 s · req-1\n"


UUIDS = "GET /v2.1/servers/0e9c1f7e-8a4f-4f3a-9f3e-1c5a7d0b2f10/os-interface/77b1c2d4-5a6b-4c7d-8e9f-0a1b2c3d4e5f"


def test_the_status_line_keeps_its_countdown_on_eighty_columns(terminal, quick):
    """The request id goes first, then the middle of the path."""
    reporter = Reporter({})
    reporter.on_retry(retry(failed(wait=1.0), method=UUIDS))
    reporter.sleep(1)
    (line,) = terminal.getvalue().split("\r\x1b[K")[1:-1]
    assert line == "os-retries: compute answered 503 to GET /v2.1...b2c3d4e5f · retry 1 of 5 in 1 s"
    event = messages.retry_event(retry(method="GET /servers"))
    assert messages.status_line(event, 4.0, 79).endswith("retry 1 of 5 in 4 s · req-1")
    assert messages.status_line(event, 4.0, 75).endswith("GET /servers · retry 1 of 5 in 4 s")
    others = " · and 2 more waiting"
    assert messages.status_line(event, 4.0, 79, others).endswith("503 to GET /servers · retry 1 of 5 in 4 s")
    assert messages.status_line(event, 4.0, 95, others).endswith("GET /servers · retry 1 of 5 in 4 s" + others)
    for room in range(90):
        assert len(messages.status_line(event, 4.0, room, " · and 2 more waiting")) <= room


@pytest.mark.parametrize(("said", "room"), [(0, 79), (40, 39)])
def test_a_terminal_that_was_not_told_its_size_is_taken_for_one_of_eighty_columns(
    said, room, terminal, quick, monkeypatch
):
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((said, 0)))
    monkeypatch.setattr(terminal, "fileno", lambda: 2)
    reporter = Reporter({})
    reporter.on_retry(retry(failed(wait=1.0), method=UUIDS))
    reporter.sleep(1)
    assert len(terminal.getvalue().split("\r\x1b[K")[1]) == room


def test_a_terminal_that_can_erase_nothing_gets_lines(terminal, quick, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    reporter = Reporter({})
    reporter.on_retry(retry(failed(wait=2.5)))
    reporter.sleep(2.5)
    reporter.on_give_up(given_up())
    assert "\x1b" not in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 2


@pytest.mark.parametrize("kind", [Terminal, Log])
def test_quiet_waits_and_says_nothing(kind, monkeypatch, quick):
    monkeypatch.setattr(sys, "stderr", kind())
    reporter = Reporter({"OSRETRIES_QUIET": "1"})
    reporter.on_retry(retry())
    reporter.sleep(4)
    reporter.on_give_up(given_up())
    reporter.complain("whatever")
    assert (sys.stderr.getvalue(), sum(quick)) == ("", 4)


def test_ctrl_c_ends_a_wait_at_once_and_leaves_no_line(terminal, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    reporter = Reporter({})
    reporter.on_retry(retry())
    with pytest.raises(KeyboardInterrupt):
        reporter.sleep(4)
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert reporter._waiting == {}


def test_threads_share_the_line_and_the_wait_that_ends_first_has_it(terminal, monkeypatch):
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((120, 0)))
    monkeypatch.setattr(terminal, "fileno", lambda: 2)
    reporter = Reporter({})

    def wait(seconds, method):
        reporter.on_retry(retry(failed(wait=seconds), method=method))
        reporter.sleep(seconds)

    threads = [threading.Thread(target=wait, args=each) for each in ((0.5, "GET /long"), (0.1, "GET /short"))]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    lines = terminal.getvalue().split("\r\x1b[K")
    both = [line for line in lines if "and 1 more waiting" in line]
    assert both
    assert all("GET /short" in line for line in both)
    assert any("GET /long" in line for line in lines)


def test_a_give_up_replaces_the_status_line_and_stays(terminal):
    Reporter({}).on_give_up(given_up())
    assert terminal.getvalue().startswith("\r\x1b[Kos-retries: compute answered 503")
    assert terminal.getvalue().endswith("\n")


@pytest.mark.parametrize("broken", [None, "closed", object()])
def test_a_standard_error_that_is_gone_disturbs_nobody(broken, monkeypatch, quick):
    stderr = io.StringIO() if broken == "closed" else broken
    if broken == "closed":
        stderr.close()
    monkeypatch.setattr(sys, "stderr", stderr)
    reporter = Reporter({"OSRETRIES_LOG_JSON": "/nowhere/log", "OSRETRIES_JOURNAL": "/nowhere/journal"})
    reporter.on_retry(retry())
    reporter.sleep(4)
    reporter.on_give_up(given_up())
    assert sum(quick) == 4


# -- files


def test_the_log_is_appended_to_and_made_anew_but_a_journal_that_is_gone_stays_gone(log, tmp_path, quick):
    paths = {"OSRETRIES_LOG_JSON": str(tmp_path / "log"), "OSRETRIES_JOURNAL": str(tmp_path / "journal")}
    reporter = Reporter(paths)
    reporter.on_retry(retry())
    (tmp_path / "log").rename(tmp_path / "log.1")  # logrotate
    reporter.on_retry(retry(failed(2)))
    reporter.on_give_up(given_up(failed(), failed(2), failed(3)))
    assert [json.loads(line)["attempt"] for line in (tmp_path / "log.1").read_text().splitlines()] == [1]
    assert [json.loads(line)["attempt"] for line in (tmp_path / "log").read_text().splitlines()] == [2, 3]
    assert not (tmp_path / "journal").exists()


def test_a_journal_is_in_a_folder_that_nobody_else_can_enter_and_both_go(tmp_path):
    with journal.journal({"TMPDIR": str(tmp_path)}) as path:
        folder = Path(path).parent
        assert folder.parent == tmp_path
        assert (folder.stat().st_mode & 0o777, Path(path).stat().st_mode & 0o777) == (0o700, 0o600)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_is_made_wherever_there_is_room(tmp_path):
    with journal.journal({"TMPDIR": str(tmp_path / "none"), "TEMP": str(tmp_path)}) as path:
        assert Path(path).parent.parent == tmp_path


@pytest.mark.parametrize("kind", ["pipe", "link", "second name", "folder"])
def test_what_another_user_puts_in_the_place_of_a_journal_is_left_alone_and_holds_nobody_up(kind, tmp_path):
    """A daemon may live longer than `run`, whose journal is gone then."""
    place, other = tmp_path / "journal", tmp_path / "other"
    other.write_text("other")
    {
        "pipe": lambda: os.mkfifo(place),
        "link": lambda: place.symlink_to(other),
        "second name": lambda: place.hardlink_to(other),
        "folder": place.mkdir,
    }[kind]()
    # In a process of its own, for a signal is the only way out of an open() that waits.
    source = (
        "import runpy, sys\n"
        "from os_retries.run import journal\n"
        "journal.append(sys.argv[1], b'line')\n"
        f"report = runpy.run_path({str(SITECUSTOMIZE)!r}, run_name='not sitecustomize')['_report']\n"
        "report('in')\n"
    )
    env = os.environ | {"OSRETRIES_JOURNAL": str(place)}
    subprocess.run([sys.executable, "-c", source, place], check=True, timeout=30, env=env)
    assert other.read_text() == "other"


def test_a_log_that_is_a_pipe_which_nobody_reads_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "log")
    source = "import sys; from os_retries.run import journal; journal.append(sys.argv[1], b'line', plain=False)"
    subprocess.run([sys.executable, "-c", source, tmp_path / "log"], check=True, timeout=30)


def read_journal(*lines):
    return list(journal.read(io.BytesIO(b"".join(lines))))


def test_of_a_damaged_journal_all_that_is_whole_is_summed_up():
    good = json.dumps(messages.retry_event(retry())).encode() + b"\n"
    without = {name: value for name, value in messages.retry_event(retry()).items() if name != "service"}
    wrong = [
        messages.retry_event(retry()) | each
        for each in (
            {"event": "unheard of"},
            {"event": ["retry"]},
            {"request": None},
            {"wait": "long"},
            {"wait": float("nan")},
            {"wait": -1},
            {"wait": 10**400},
            {"event": "look_up", "outcome": "found", "found": "id0", "detail": ""},
            {"event": "look_up", "outcome": "found", "found": [{}], "detail": ""},
            {"event": "give_up", "reason": None},
        )
    ]
    damaged = [
        b"",
        b"\xff\xfe\x00\n",
        b'{"\xff": 1}\n',
        b'{"event": "retry", "servi\n',
        b"{}\n",
        b"[]\n",
        b'"retry"\n',
        b"null\n",
        b"old\n",
        b"attached 3.12 and more\n",
        b'{"a":' * 200_000 + b"\n",
        *(json.dumps(each).encode() + b"\n" for each in (without, *wrong)),
    ]
    read = [event for each in damaged for event in read_journal(good, each, good)]
    assert read == [json.loads(good)] * 2 * len(damaged)
    assert read_journal(good[:-1]) == [json.loads(good)]
    assert read_journal(b"in 3.12\n", b"inside -\n") == [["in", "3.12"], ["inside", "-"]]


def test_events_are_summed_up_one_by_one_in_little_memory():
    """Also where each is about another path, as with a script that walks through a cloud."""
    numbers = iter(range(10_000))
    event = messages.retry_event(retry(failed(1, 503)))

    class Endless(io.RawIOBase):
        def readline(self, _limit=-1):
            number = next(numbers, None)
            if number is None:
                return b""
            return json.dumps(event | {"request": f"GET /servers/{number:032d}"}).encode() + b"\n"

    tracemalloc.start()
    try:
        told = summary(journal.read(Endless()))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert told.splitlines()[0].startswith("os-retries: 10000 requests repeated (10000 retries,")
    assert told.splitlines()[-1] == "  and 9990 more"
    assert most < 2e6  # 20e6 as a list


# -- the logger


@pytest.fixture
def logger():
    """The os_retries logger, and root's handlers, restored at the end."""
    log, root = logging.getLogger("os_retries"), logging.getLogger()
    before = log.propagate, list(log.handlers), list(root.handlers)
    yield log
    log.propagate, log.handlers[:], root.handlers[:] = before


def test_the_logger_s_lines_go_to_the_program_s_files_and_not_to_standard_error_twice(log, logger, tmp_path):
    root = logging.getLogger()
    root.handlers[:] = [logging.StreamHandler(log), logging.FileHandler(tmp_path / "file")]
    with contextlib.closing(root.handlers[1]):
        Elsewhere.install()
        logger.warning("what attach says")
        assert (log.getvalue(), (tmp_path / "file").read_text()) == ("", "what attach says\n")
        root.handlers[:] = []  # and without handlers Python's last resort stays out of it
        logger.warning("what attach says")
        assert log.getvalue() == ""


def test_a_wait_for_a_slot_is_said_in_words_and_is_no_second_retry():
    """How long it takes nobody knows, so there is no countdown, and the summary counts one retry."""
    own = retry(failed(request_id=None, wait=1.0), method="GET /servers")
    paced = retry(failed(request_id=None, wait=300.0), method="GET /servers", source="pacing")
    events = [messages.retry_event(own), messages.retry_event(paced)]
    assert [event["event"] for event in events] == ["retry", "paced"]
    assert messages.retry_line(events[1], 2.0).endswith("retry 1 of 5 as soon as the service can take it")
    assert summary(events).splitlines() == [
        "os-retries: 1 request repeated (1 retry, 1 s of waiting), 1 retry held back until the service could take them",
        "  compute GET /servers: 503",
    ]


def test_an_operation_sums_up_what_it_has_found_and_what_it_does_not_cover():
    found = [messages.look_up_event(looked_up("found earlier", (f"id{number}",), status=None)) for number in range(3)]
    uncovered = messages.not_covered_event("compute", "POST /x", "no marker")
    assert messages.look_up_line(found[0]) == ""
    assert summary(found) == "os-retries: 3 creates found from an earlier run"
    assert summary([*found, uncovered, uncovered]) == (
        "os-retries: 3 creates found from an earlier run, 2 writes not covered by the operation\n"
        "  compute POST /x: not covered: no marker"
    )
    assert messages.not_covered_line(uncovered) == (
        "os-retries: compute: POST /x · sent, but not covered by the operation: no marker"
    )


def test_a_write_that_is_not_covered_is_told_and_put_into_the_journal(log, tmp_path):
    reporter = Reporter({"OSRETRIES_LOG_JSON": str(tmp_path / "json")})
    reporter.on_not_covered("compute", "POST /x", "no marker")
    assert "not covered by the operation: no marker" in log.getvalue()
    event = json.loads((tmp_path / "json").read_text())
    assert (event["event"], event["reason"], event["status"]) == ("not_covered", "no marker", None)
