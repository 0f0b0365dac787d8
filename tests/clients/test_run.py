"""`os-retries run` with real commands under faults: their output and exit status are the same as without the faults.

An OpenStack command takes seconds to start, so each test has several faults.  Tests that need no such command are in
tests/unit/test_run.py.
"""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import swiftclient.client
import urllib3

from os_retries import policy as policy_module
from os_retries.core import hooks
from os_retries.evidence import GiveUp, Kind
from os_retries.policy import RetryPolicy
from os_retries.run import swift
from os_retries.run.report import Reporter
from tests.clients.cloud import ID, Cloud, balancer, refusal
from tests.clients.server import Answer, HangUp, Stall

BIN = Path(sys.executable).parent
FAST = ("--retry-after", "0.001", "--timeout", "1")
CONTENT = bytes(range(256)) * 4000  # more than a socket's buffers hold


def environment(cloud):
    names = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR")
    return {name: os.environ[name] for name in names if name in os.environ} | {
        "OS_AUTH_URL": cloud.auth_url,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": "demo",
        "OS_PASSWORD": "secret",
        "OS_PROJECT_NAME": "demo",
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "NO_PROXY": "*",
        "OSRETRIES_LOG_JSON": "/dev/null",  # of a run around this one, which must not matter
    }


def start(cloud, command, *before):
    program, *arguments = command
    return subprocess.Popen(
        [*before, BIN / program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(cloud),
    )


def finish(process):
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, out, err


def run(cloud, *command, options=FAST):
    """The command through `run`: exit status, output, what was said on standard error."""
    return finish(start(cloud, command, BIN / "os-retries", "run", *options, "--"))


@pytest.fixture(scope="module")
def healthy():
    """A second cloud, which nothing happens to: what a command would print."""
    cloud = Cloud()
    yield cloud
    cloud.close()


def refused(service, path, method=None):
    return lambda cloud: cloud.plan(
        refusal(service, 429, **{"Retry-After": "0.01"}), balancer(503), method=method, path=path
    )


def reset(service, path):
    return lambda cloud: cloud.plan(HangUp(reset=True), refusal(service, 503), path=path)


def stalled(path):
    def plan(cloud):
        cloud.plan(refusal("keystone", 503), HangUp(), kind="token")
        cloud.plan(Stall(), Answer(200, b'{"half": ', cut=4), path=path)

    return plan


# The command, what goes wrong, and which of its requests are sent how often.
COMMANDS = {
    "compute": (("openstack", "keypair", "list"), reset("nova", "/os-keypairs"), {("GET", "/os-keypairs"): 3}),
    "network": (("openstack", "network", "list"), stalled("/networks"), {("GET", "/networks"): 3}),
    "volume": (
        ("openstack", "volume", "create", "--size", "1", "thing"),
        refused("cinder", "/volumes$", "POST"),
        {("POST", "/volumes$"): 3},
    ),
    "containers": (("openstack", "container", "list"), reset("swift", "/AUTH_"), {("GET", "/AUTH_"): 3}),
    # 6 x 3 without us: its own loop and keystoneauth's are above and below ours
    "bare metal": (("openstack", "baremetal", "node", "list"), reset("ironic", "/nodes"), {("GET", "/nodes"): 3}),
    "stacks": (("openstack", "stack", "list"), refused("heat", "/stacks"), {("GET", "/stacks"): 3}),
    "swift": (("swift", "stat"), reset("swift", "/AUTH_"), {("HEAD", "/AUTH_"): 3}),
    "cinder": (
        ("cinder", "--retries", "3", "delete", ID),
        refused("cinder", "/volumes/", "DELETE"),
        {("GET", "/volumes/"): 1, ("DELETE", "/volumes/"): 3},
    ),
    "nova": (("nova", "keypair-list"), reset("nova", "/os-keypairs"), {("GET", "/os-keypairs"): 3}),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_under_faults_ends_and_prints_as_without_them(name, cloud, healthy):
    command, plan, sent = COMMANDS[name]
    plan(cloud)
    beside = start(healthy, command)
    status, out, err = run(cloud, *command)
    assert (status, out) == finish(beside)[:2], err
    assert status == 0
    for (method, path), times in sent.items():
        assert cloud.count(method=method, path=path) == times
    assert "repeated (" in err
    assert "Traceback" not in err


def test_quietly_standard_error_is_the_command_s_own_too(cloud):
    """Nothing of the logger's either, which openstack's own handler would print."""
    cloud.plan(refusal("neutron", 503), path="/networks")
    status, out, err = run(cloud, "openstack", "network", "list", options=(*FAST, "-q"))
    assert (status, err) == (0, "")
    assert ID in out


def test_a_create_that_may_have_been_done_is_sent_once_and_the_operator_told_why(cloud, tmp_path):
    """As where it cannot be looked up: tests/cloud has the services that can hold a marker."""
    cloud.plan(HangUp(reset=True), method="POST", path="/networks")
    options = (*FAST, "--no-safe-creates", "--log-json", tmp_path / "log")
    status, _, err = run(cloud, "openstack", "network", "create", "thing", options=options)
    assert status == 1
    assert cloud.count(method="POST") == 1
    assert (
        "os-retries: network: POST /networks failed (connection reset) · not repeated: "
        "the service may have processed the request, and a repeat could take effect twice\n"
    ) in err
    written = (tmp_path / "log").read_text()
    assert '"event": "give_up"' in written
    assert "secret" not in written
    assert "t-v3" not in written


def test_every_attempt_failing_costs_one_request_each_and_ends_in_the_command_s_own_error(cloud):
    cloud.always(refusal("ironic", 503), path="/nodes")
    status, _, err = run(cloud, "openstack", "baremetal", "node", "list", options=(*FAST, "--retries", "2"))
    assert status == 1
    assert cloud.count(path="/nodes") == 3
    assert "given up after 3 attempts: no attempts left" in err


def test_an_image_is_uploaded_whole_after_a_refusal(cloud, tmp_path):
    """Without us the second try sends nothing, and openstack says that all is well."""
    (tmp_path / "image").write_bytes(CONTENT)
    cloud.plan(refusal("glance", 503), path="/file")
    status, _, err = run(cloud, "openstack", "image", "create", "--file", tmp_path / "image", "thing")
    assert status == 0, err
    assert [_digest(each) for each in cloud.uploads.values()] == [_digest(CONTENT)]
    assert cloud.count(method="PUT", path="/file") == 2


def test_swift_uploads_whole_after_a_refusal_and_a_reset(cloud, tmp_path):
    (tmp_path / "thing").write_bytes(CONTENT)
    cloud.plan(refusal("swift", 503), HangUp(reset=True, read_body=False), method="PUT", path="/box/")
    status, _, err = run(cloud, "swift", "upload", "box", "--object-name", "thing", tmp_path / "thing")
    assert status == 0, err
    uploads = [body for path, body in cloud.uploads.items() if path.endswith("/box/thing")]
    assert [_digest(each) for each in uploads] == [_digest(CONTENT)]
    assert "object-store answered 503 to put_object box/thing · retry 1 of 5" in err


def test_the_token_of_keystoneclient_s_own_session_is_repeated_under_the_policy_and_as_what_it_is(cloud):
    """The swift command asks Keystone v3 through keystoneclient, which raises an error without a status that ends its loop."""
    cloud.plan(refusal("keystone", 503), HangUp(reset=True), kind="token")
    status, _, err = run(cloud, "swift", "stat")
    assert status == 0, err
    assert cloud.count(kind="token") == 3
    assert "identity answered 503 to POST /v3/auth/tokens · retry 1 of 5" in err
    assert "1 request repeated (2 retries" in err
    assert "given up" not in err


def test_a_token_that_is_given_up_is_told_once_and_with_all_its_attempts(cloud):
    cloud.always(refusal("keystone", 503), kind="token")
    status, _, err = run(cloud, "swift", "stat", options=(*FAST, "--retries", "2"))
    assert status == 1
    assert cloud.count(kind="token") == 3
    assert err.count("given up after") == 1
    assert "identity answered 503 to POST /v3/auth/tokens · given up after 3 attempts: no attempts left" in err
    assert "1 request repeated (2 retries, 0.0 s of waiting), 1 request given up" in err


def test_a_thread_that_waits_for_a_token_of_keystoneclient_s_holds_no_lock(cloud):
    """Another thread that needs the same auth plugin must not wait as long as the first one does."""
    program = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "import os, threading, time\n"
        "from keystoneclient import session\n"
        "from keystoneclient.auth.identity import v3\n"
        "who = {name: os.environ['OS_' + name.upper()] for name in ('username', 'password', 'project_name')}\n"
        "auth = v3.Password(os.environ['OS_AUTH_URL'], user_domain_id='default', project_domain_id='default', **who)\n"
        "mine = session.Session(auth=auth)\n"
        "real, free = time.sleep, []\n"
        "def sleep(seconds):\n"
        "    free.append(auth._lock.acquire(blocking=False))\n"
        "    if free[-1]: auth._lock.release()\n"
        "    real(seconds)\n"
        "time.sleep = sleep\n"
        "print(bool(auth.get_access(mine).auth_token), free)\n"
    )
    cloud.plan(refusal("keystone", 503), kind="token")
    status, out, err = run(cloud, "python", "-c", program)
    assert (status, out) == (0, "True [True]\n"), err


def _digest(content):
    return hashlib.sha256(content).hexdigest()


# -- swiftclient's loop, asked in this process


@pytest.fixture
def obeying(monkeypatch, tmp_path, cold, cloud):
    """Make a Connection under a policy, with swiftclient as `run` changes it."""
    for owner, name in (
        (swiftclient.client.Connection, "_retry"),
        (swiftclient.client.Connection, "get_auth"),
        (swiftclient.client, "sleep"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    given_up = []
    reporter = Reporter({})
    reporter.dice = lambda: 1.0
    monkeypatch.setattr(hooks, "sinks", (lambda event: event.name == "give_up" and given_up.append(event.evidence),))
    swift.obey(swiftclient.client, reporter)

    def make(name="swift.session", **numbers):
        policy = RetryPolicy(**{"retry_after": 3.0} | numbers, sleep=reporter.sleep, on_retry=reporter.on_retry)
        policy_module.provide(lambda _: policy)
        connection = cold(name).client
        swift.configure(connection)
        connection.given_up = given_up
        return connection

    yield make
    policy_module.provide(None)


def test_a_call_of_swift_that_succeeds_after_retries_is_reported_as_such(obeying, cloud, naps, monkeypatch):
    told = []
    monkeypatch.setattr(hooks, "sinks", (told.append,))
    connection = obeying()
    cloud.plan(refusal("swift", 503), method="PUT")
    connection.put_object("box", "thing", "content")
    assert [event.name for event in told] == ["attempt_failed", "retry", "waited", "succeeded"]
    assert {event.method for event in told} == {"put_object box/thing"}


@pytest.mark.parametrize("name", ["swift.session", "swift.v1", "swift.v3"])
def test_swift_waits_as_the_policy_and_the_service_say(name, obeying, cloud, naps):
    """One owner, and a Retry-After, which swiftclient by itself does not know."""
    connection = obeying(name, retries_number=3, retry_backoff=2.0, retry_jitter=0.5)
    cloud.always(refusal("swift", 503, **{"Retry-After": "7"}), method="PUT")
    cloud.always(refusal("swift", 503))
    with pytest.raises(swiftclient.ClientException) as caught:
        connection.get_account()
    assert caught.value.http_status == 503
    assert (cloud.count(), naps) == (4, [4.5, 9.0, 18.0])
    naps.clear()
    with pytest.raises(swiftclient.ClientException):
        connection.put_object("box", "thing", "content")
    assert (cloud.count(method="PUT"), naps) == (4, [10.5] * 3)
    assert [(evidence.method, evidence.reason) for evidence in connection.given_up] == [
        ("get_account", GiveUp.ATTEMPTS),
        ("put_object box/thing", GiveUp.ATTEMPTS),
    ]


@pytest.mark.parametrize(
    ("fault", "numbers", "contents", "reason"),
    [
        (refusal("swift", 503, **{"Retry-After": "86400"}), {}, "content", GiveUp.MAX_WAIT),
        (refusal("swift", 503), {}, (part for part in [CONTENT]), GiveUp.BODY),
        (refusal("swift", 503), {"retry_codes": [429]}, "content", None),
        (refusal("swift", 413), {}, "content", GiveUp.PERMANENT),
        (refusal("swift", 429), {"retry_codes": [503]}, "content", None),
        (refusal("swift", 404), {}, "content", None),
    ],
)
def test_swift_gives_up_when_the_policy_does_with_the_error_of_the_attempt(
    fault, numbers, contents, reason, obeying, cloud, naps
):
    connection = obeying(**numbers)
    connection.get_account()
    cloud.always(fault, method="PUT")
    with pytest.raises(swiftclient.ClientException) as caught:
        connection.put_object("box", "thing", contents)
    assert caught.value.http_status == fault.status
    assert (cloud.count(method="PUT"), naps) == (1, [])
    if reason is None:
        assert connection.given_up == []  # an error that is not ours to repeat
    else:
        assert [evidence.reason for evidence in connection.given_up] == [reason]


@pytest.mark.parametrize("status", [498, 499, 501, 505, 507])
@pytest.mark.parametrize("numbers", [{}, {"retry_codes": [503]}])
def test_what_swift_repeats_by_itself_and_no_policy_knows_is_repeated_with_our_waits(
    status, numbers, obeying, cloud, naps
):
    connection = obeying(retries_number=2, **numbers)
    connection.get_account()
    cloud.plan(refusal("swift", status), method="PUT")
    connection.put_object("box", "thing", "content")
    assert (naps, connection.given_up) == ([3.0], [])
    cloud.always(refusal("swift", status))
    with pytest.raises(swiftclient.ClientException) as caught:
        connection.get_account()
    assert caught.value.http_status == status
    assert naps == [3.0] * 3
    assert [(len(each.attempts), each.reason) for each in connection.given_up] == [(3, GiveUp.ATTEMPTS)]


@pytest.mark.parametrize("fault", [refusal("keystone", 503), HangUp()])
def test_a_token_that_swiftclient_asks_for_itself_is_told_as_a_token(fault, obeying, cloud, naps):
    """The request itself was not sent then, and the service that it is for has answered nothing."""
    connection = obeying("swift.v1", retries_number=1)
    cloud.always(fault, kind="token")
    with pytest.raises(Exception):  # the client's own, of either fault
        connection.get_account()
    assert (cloud.count(kind="token"), naps) == (2, [3.0])
    (evidence,) = connection.given_up
    for attempt in evidence.attempts:
        assert attempt.kind is Kind.NOT_SENT
        assert attempt.what.startswith("token: ")


def test_swift_renews_a_token_without_a_retry_of_ours(obeying, cloud, naps):
    connection = obeying(retries_number=1)
    connection.get_account()
    cloud.plan(refusal("swift", 401), refusal("swift", 503))
    connection.head_account()
    assert cloud.count(method="HEAD") == 3
    assert (naps, connection.given_up) == ([1, 3.0], [])  # swiftclient's own second, and ours


def test_swift_fails_after_attempt_timeout_where_it_had_none(obeying, cloud):
    connection = obeying(retries_number=1, retry_after=0.0, attempt_timeout=0.5)
    connection.get_account()
    cloud.plan(Stall())
    connection.head_account()
    assert cloud.count(method="HEAD") == 2


def test_swift_repeats_a_request_whose_answer_is_cut_off(obeying, cloud, naps):
    """The loop of swiftclient does not repeat the errors of urllib3, which reads the answer."""
    connection = obeying(retries_number=1)
    connection.get_account()
    cloud.plan(Answer(200, b"[" + b" " * 60 + b"]", cut=9), method="GET")
    connection.get_account()
    assert (naps, connection.given_up) == ([3.0], [])
    cloud.always(Answer(200, b"[" + b" " * 60 + b"]", cut=9), method="GET")
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        connection.get_account()
    (evidence,) = connection.given_up
    assert [attempt.what for attempt in evidence.attempts] == ["answer cut off"] * 2
    assert caught.value.os_retries is evidence, "the error is the client's own"


@pytest.mark.parametrize("delete", ["delete_object", "delete_container"])
def test_a_404_after_a_delete_that_may_have_been_done_is_its_success(delete, obeying, cloud, naps):
    connection = obeying()
    connection.get_account()
    arguments = ("box", "thing") if delete == "delete_object" else ("box",)
    cloud.plan(balancer(504), refusal("swift", 404), method="DELETE")
    assert getattr(connection, delete)(*arguments) is None
    assert (naps, connection.given_up) == ([3.0], [])


@pytest.mark.parametrize(
    "answers",
    [
        (refusal("swift", 404),),
        (refusal("swift", 429), refusal("swift", 404)),
        (balancer(504), balancer(404)),
    ],
    ids=["at once", "after a refusal", "of a gateway"],
)
def test_any_other_404_of_a_delete_is_its_error(answers, obeying, cloud, naps):
    connection = obeying()
    connection.get_account()
    cloud.plan(*answers, method="DELETE")
    with pytest.raises(swiftclient.ClientException) as caught:
        connection.delete_object("box", "thing")
    assert caught.value.http_status == 404


def test_swift_in_threads_keeps_its_attempts_apart(obeying, cloud):
    connections = [obeying(retries_number=2, retry_after=0.0) for _ in range(4)]
    cloud.always(refusal("swift", 503))

    def call(connection):
        with pytest.raises(swiftclient.ClientException):
            connection.get_account()

    threads = [threading.Thread(target=call, args=[connection]) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(evidence.attempts) for evidence in connections[0].given_up] == [3] * 4
