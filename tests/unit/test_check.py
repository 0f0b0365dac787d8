"""`os-retries check`: the service that fails, the report, and the exit status.  tests/clients measures real clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import sys
from types import SimpleNamespace

import pytest

from os_retries import cli
from os_retries.check import command, inside, report
from os_retries.check.clients import CASES, DISTRIBUTIONS
from os_retries.check.program import Program, read
from os_retries.check.report import Numbers, Report, Row
from os_retries.check.server import LOST, Server
from os_retries.service_types import SERVICE_TYPES


@pytest.fixture
def server():
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


def ask(server, verb, path, body=None):
    connection = http.client.HTTPConnection(*server.server_address, timeout=5)
    try:
        connection.request(verb, path, body)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def case(name="python-novaclient", setting="", loop=""):
    return SimpleNamespace(
        distribution=name, name=name.removeprefix("python-"), part="", setting=setting, loop=loop, failures=(503,)
    )


def numbers(call=1, loop=6, creates=1, verb="POST", retry_after=True, **more):
    return Numbers(
        calls={"503": call, "lost": 1}, looped=loop, verb=verb, creates=creates, retry_after=retry_after, **more
    )


def made(*rows, program=None):
    return Report("3.11.7", "0.1.0", rows, {}, program)


def ran(*writes, status=0):
    lines = [json.dumps(dict(zip(("service", "request", "verdict", "reason"), write, strict=True))) for write in writes]
    return Program(("./provision.sh", "a b"), status, read(lines))


QUIET = Row(case(), "18.13.1", numbers(), numbers(call=6))
IRONIC = Row(
    case("python-ironicclient", loop="max_retries=5"),
    "6.3.0",
    numbers(call=6, loop=36, creates=6, retry_after=False),
    numbers(call=6),
)
BROKEN = Row(case("python-heatclient"), "5.3.0", Numbers.read({"error": "TypeError: no"}), numbers())


# The service


def test_the_service_answers_for_a_token_and_fails_all_else_in_the_way_it_is_told(server):
    server.fail(503, 7)
    assert ask(server, "POST", "/identity/v3/auth/tokens", "{}")[0] == 201
    assert ask(server, "GET", "/compute/")[0] == 200
    assert ask(server, "GET", "/image/v2/schemas/image")[0] == 200
    assert server.failed == []
    status, headers, _ = ask(server, "GET", "/compute/v2.1/servers")
    assert (status, headers["Retry-After"], server.failed) == (503, "7", ["GET"])


def test_a_lost_answer_is_a_connection_that_is_closed_after_the_request_was_read(server):
    server.fail(LOST)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(server, "POST", "/compute/v2.1/servers", "x" * 100_000)
    assert server.failed == ["POST"]


def test_a_chunked_body_is_read_to_its_end(server):
    """Or the rest of it would be taken for the next request of the connection."""
    server.fail(503)
    connection = http.client.HTTPConnection(*server.server_address, timeout=5)
    with contextlib.closing(connection):
        for verb in ("PUT", "GET"):
            body = iter([b"a" * 70_000, b"b"]) if verb == "PUT" else None
            connection.request(verb, "/object/v1/box/thing", body)
            assert connection.getresponse().read()
    assert server.failed == ["PUT", "GET"]


def test_the_service_listens_on_the_loopback_address_only(server):
    assert server.server_address[0] == "127.0.0.1"


# The table


def test_every_client_that_os_retries_knows_is_measured():
    assert {name.removeprefix("python-") for name in DISTRIBUTIONS} == {*SERVICE_TYPES, "openstacksdk", "keystoneauth1"}


def test_each_row_of_the_report_has_a_name_of_its_own():
    names = [(each.name, each.setting) for each in CASES]
    assert len(names) == len(set(names))


def test_a_client_that_cannot_be_made_is_an_error_in_its_row_and_does_not_end_the_others(server):
    def make(*_):
        raise TypeError("no such argument")

    broken = SimpleNamespace(make=make, read=None, create=None, failures=(503,))
    assert inside._measured(broken, server, attached=False) == {"error": "TypeError: no such argument"}


def test_a_call_that_sends_nothing_is_an_error_that_says_why(server):
    def call():
        raise ValueError("no such version")

    silent = SimpleNamespace(make=lambda *_: None, read=lambda _: call, failures=(503,))
    error = inside._measured(silent, server, attached=False)["error"]
    assert error == "RuntimeError: it sends no request for this call: ValueError('no such version')"


# The report


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([QUIET], 0),
        ([QUIET, IRONIC], 1),
        ([IRONIC, BROKEN], 2),
        ([QUIET, Row(case(setting="retries=2"), "1", numbers(call=3, loop=18), numbers())], 0),
    ],
    ids=["nothing multiplies", "a default multiplies", "one is not measured", "only what a program may switch on"],
)
def test_the_exit_status(rows, status):
    assert made(*rows).status == status


def test_the_text_shows_each_number_today_and_with_os_retries():
    text = report.as_text(made(QUIET, IRONIC))
    line = next(line for line in text.splitlines() if line.startswith("  ironicclient"))
    assert line.split() == ["ironicclient", "6.3.0", "6", "36", "->", "6", "6", "->", "1", "lost"]
    assert "ironicclient repeats by default, max_retries=5: 36 requests for one call in a loop\n" in text
    assert "ironicclient sends a create whose answer was lost 6 times: duplicates\n" in text
    assert "Retry-After is lost by ironicclient\n" in text
    assert "nothing multiplies" not in text


def test_a_put_that_is_sent_again_makes_no_duplicate():
    swift = Row(case("python-swiftclient"), "4.11.0", numbers(call=6, creates=6, verb="PUT"), numbers())
    assert "duplicates" not in report.as_text(made(swift))


@pytest.mark.parametrize("width", [40, 60, 80])
def test_on_a_narrow_terminal_no_line_is_longer_than_it(width):
    """The numbers are then below the names, and sentences go on in the next line; nothing is left out."""
    report_ = made(QUIET, IRONIC, program=ran(NETWORK, ACTION))
    lines = report.as_text(report_, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert "".join("".join(lines).split()) == "".join(report.as_text(report_).split())
    at = next(at for at, line in enumerate(lines) if line.startswith("  ironicclient"))
    numbers = lines[at] if lines[at].endswith("lost") else lines[at + 1]
    assert width == 40 or re.fullmatch(r"(  ironicclient \S+)? +6 +36 -> 6 +6 -> 1 +lost", numbers)


def test_on_a_terminal_headings_are_bold_and_what_needs_care_is_red():
    def paint(text, style):
        return f"<{style}>{text}" if style else text

    text = report.as_text(made(QUIET, IRONIC, program=ran(NETWORK, ACTION)), paint=paint)
    painted = [line for line in text.splitlines() if line.startswith("<")]
    assert [line.partition(">")[0] for line in painted[:2]] == ["<bold", "<bold"]
    assert "<red>ironicclient repeats by default" in text
    assert "<green>no client repeats by default" in report.as_text(made(QUIET), paint=paint)
    assert "<red>  compute POST /servers/{id}/action: handed over" in text


def test_the_text_says_when_nothing_multiplies_and_why_a_client_was_not_measured():
    text = report.as_text(made(QUIET, BROKEN))
    assert "no client repeats by default: nothing multiplies" in text
    assert "not measured: heatclient 5.3.0: TypeError: no\n" in text


def test_the_json_has_the_same_numbers():
    value = json.loads(report.as_json(made(QUIET, IRONIC)))
    assert value["multiplies"] is True
    quiet, row = value["clients"]
    assert quiet["multiplies"] is False
    assert (row["package"], row["version"], row["multiplies"]) == ("python-ironicclient", "6.3.0", True)
    assert row["without"] == {
        "call": {"503": 6, "lost": 1},
        "loop": 36,
        "create": {"verb": "POST", "sent": 6},
        "retry_after": False,
    }


# The program

NETWORK = ("network", "POST /networks", "looked up", "")
ACTION = ("compute", "POST /servers/{id}/action", "handed over", "no recipe applies to it")


@pytest.mark.parametrize(
    ("program", "status"),
    [(ran(NETWORK), 0), (ran(), 0), (ran(NETWORK, ACTION), 1), (ran(NETWORK, status=3), 1), (ran(status=-9), 1)],
    ids=["all safe", "nothing sent", "one is handed over", "it has failed", "it was killed"],
)
def test_a_program_that_fails_or_sends_what_is_handed_over_is_an_exit_status_of_1(program, status):
    assert made(QUIET, program=program).status == status


def test_the_text_says_of_each_write_what_happens_if_its_answer_is_lost():
    text = report.as_text(made(QUIET, program=ran(NETWORK, ACTION, NETWORK, (None, "DELETE /x", "repeated", ""))))
    assert text.endswith(
        "if an answer is lost: ./provision.sh 'a b' (exit status 0)\n"
        "  DELETE /x: repeated\n"
        "  compute POST /servers/{id}/action: handed over (no recipe applies to it)\n"
        "  network POST /networks x 2: looked up\n"
    )


def test_the_text_says_if_the_program_was_not_seen_to_change_anything():
    assert "No request that changes something was seen" in report.as_text(made(QUIET, program=ran()))


def test_the_json_has_the_writes_of_the_program():
    value = json.loads(report.as_json(made(QUIET, program=ran(NETWORK, NETWORK))))["program"]
    write = {"service": "network", "request": "POST /networks", "times": 2, "verdict": "looked up", "reason": None}
    assert value == {"command": ["./provision.sh", "a b"], "status": 0, "writes": [write]}
    assert json.loads(report.as_json(made(QUIET)))["program"] is None


def test_a_line_that_was_cut_short_is_left_out():
    whole = json.dumps(dict(zip(("service", "request", "verdict", "reason"), NETWORK, strict=True)))
    assert sum(read([whole, whole[:20], "[]", "{}", ""]).values()) == 1


# The command


@pytest.mark.parametrize(("after", "status", "words"), [([], 2, "no command after --"), (["./none"], 127, "not found")])
def test_a_command_that_cannot_be_run_ends_it_before_anything_is_measured(after, status, words, monkeypatch, capsys):
    monkeypatch.setattr(command, "_measured", None)
    try:
        assert cli.main(["check", "--", *after]) == status
    except SystemExit as exit_:
        assert exit_.code == status  # noqa: PT017
    assert words in capsys.readouterr().err


def test_without_a_client_the_message_says_where_to_install_os_retries(monkeypatch, capsys):
    monkeypatch.setattr(command, "_versions", dict)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["check"])
    assert exit_.value.code == 2
    assert "keystoneauth is not installed in the environment of" in capsys.readouterr().err


def test_a_mistake_in_the_options_is_an_exit_status_of_2(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["check", "openstack"])
    assert exit_.value.code == 2
    assert "unrecognized arguments: openstack" in capsys.readouterr().err


def test_a_child_gets_nothing_of_the_users_cloud_and_no_proxy(monkeypatch):
    for name in ("OS_CLOUD", "OSRETRIES_POLICY", "HTTP_PROXY", "https_proxy", "OS_RETRIES_DISABLED"):
        monkeypatch.setenv(name, "anything")
    monkeypatch.setattr(sys, "executable", "/usr/bin/env")  # it takes the options for its own, and fails
    seen = {}
    popen = command.subprocess.Popen
    monkeypatch.setattr(
        command.subprocess, "Popen", lambda *args, **kwargs: seen.update(kwargs["env"]) or popen(*args, **kwargs)
    )
    with command._child({"OSRETRIES_DISABLED": "1"}, "plain") as child, pytest.raises(command.CheckError) as raised:
        command._result(child)
    assert [name for name in seen if name.startswith(("OS_", "OSRETRIES")) or "proxy" in name.lower()] == [
        "OSRETRIES_DISABLED"
    ]
    assert str(raised.value).startswith("the measurement failed: ")


def test_a_child_that_does_not_end_is_ended(monkeypatch, tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(command, "_SECONDS", 0.05)
    with pytest.raises(command.CheckError, match="has not ended"):  # noqa: SIM117
        with command._child({}, "plain") as child:
            command._result(child)
    assert child.returncode == -9
