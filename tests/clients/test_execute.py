"""execute_with_retries with every client: what it repeats, what it does not, and what no wrapper of methods can repeat.

Requests are counted at the server.  If a client discards the status, the test asserts this, so that the test fails when
the client improves.
"""

import email.utils
import gc
import io
import tempfile
import time

import pytest
import urllib3.util.connection
from oslo_config import cfg

from os_retries import GiveUp, RetryPolicy, client_options, execute_with_retries
from tests.clients.cloud import ID, Answer, answer_json, balancer, refusal
from tests.clients.cloud_clients import BY_NAME, CONFIGURATIONS
from tests.clients.server import Garbage, HangUp, Stall

NAMES = [configuration.name for configuration in CONFIGURATIONS]
SWIFTS = ["swift.session", "swift.v1", "swift.v3"]
RETRIED = (408, 413, 429, 500, 502, 503, 504)
NOT_RETRIED = (400, 401, 403, 404, 405, 409, 501)
CALLS = ("get", "create")
BODIES = {
    "native": lambda name, status, **headers: refusal(BY_NAME[name].dialect, status, **headers),
    "html": lambda name, status, **headers: balancer(status, **headers),
}

# The statuses that a client loses: nothing around its methods can know them.
LOST = {("glance", status) for status in (408, 429, 504)} | {("designate", status) for status in (408, 429)}
# Any error but a 413 becomes a TypeError if it brings a Retry-After.
TYPE_ERRORS = ("manila", "magnum", "ironic", "trove")


def left_to_us(name):
    """The constructor arguments that stop a client's own loop; swift's own loop has a section of its own below."""
    options = BY_NAME[name].options
    if options == "swift":
        return {"retries": 0}
    return client_options(options) if options else {}


def failing(call, *args, **kwargs):
    """The exception of a call that must fail."""
    with pytest.raises(Exception) as caught:
        call(*args, **kwargs)
    return caught.value


def untouched(error):
    return not hasattr(error, "os_retries") and not hasattr(error, "__notes__")


@pytest.fixture
def waits():
    return []


@pytest.fixture
def policy(waits):
    """The specification's, with its waits recorded instead of waited."""
    return RetryPolicy(sleep=waits.append)


# -- the statuses


def _readable(name):
    return [status for status in RETRIED if (name, status) not in LOST]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("name", "status"), [(name, status) for name in NAMES for status in _readable(name)])
def test_repeats_each_of_the_seven_statuses(name, status, call, body, warm, cloud, policy, waits):
    """Two failures and then success are three requests, ten seconds apart, and the result of the healthy call."""
    built = warm(name, **left_to_us(name))
    healthy = getattr(built, call)()
    cloud.clear()
    cloud.plan(*[BODIES[body](name, status)] * 2, path=built.configuration.path)
    result = policy.execute(getattr(built, call))
    assert cloud.count() == 3
    assert waits == [10, 10]
    assert type(result) is type(healthy)


@pytest.mark.parametrize("name", ["nova", "cinder", "heat", "keystone", "neutron", "swift.session"])
def test_the_call_of_the_specification(name, warm, cloud, naps):
    """execute_with_retries itself, nothing configured: five retries, ten seconds apart, by time.sleep."""
    built = warm(name, **left_to_us(name))
    cloud.always(BODIES["native"](name, 503), path=built.configuration.path)
    error = failing(execute_with_retries, built.get)
    assert cloud.count() == 6
    assert naps == [10] * 5
    assert len(error.os_retries.attempts) == 6


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("name", "status"), [(name, status) for name in NAMES for status in _readable(name)])
def test_gives_up_after_retries_number(name, status, call, warm, cloud, policy, waits):
    """Exhaustion is retries_number + 1 requests, no wait after the last, and the client's own last exception with the evidence."""
    built = warm(name, **left_to_us(name))
    cloud.always(BODIES["html"](name, status), path=built.configuration.path)
    plain = failing(getattr(built, call))
    cloud.clear()
    cloud.plan(*[body(name, status) for body in BODIES.values()] * 4, path=built.configuration.path)
    raised, method = [], getattr(built, call)

    def noting():
        try:
            return method()
        except Exception as error:
            raised.append(error)
            raise

    error = failing(policy.execute, noting)
    assert cloud.count() == 6
    assert waits == [10] * 5
    assert error is raised[-1]
    assert type(error) is type(plain)
    assert str(error) == str(plain)
    assert [attempt.status for attempt in error.os_retries.attempts] == [status] * 6
    assert [attempt.number for attempt in error.os_retries.attempts] == [1, 2, 3, 4, 5, 6]
    assert error.os_retries.reason is GiveUp.ATTEMPTS
    assert len(error.__notes__) == 1
    assert "gave up after 6 attempts" in error.__notes__[0]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", NOT_RETRIED)
@pytest.mark.parametrize("name", NAMES)
def test_leaves_other_statuses_alone(name, status, call, body, warm, cold, cloud, policy, waits):
    """One request, the client's error untouched; a 401 is re-sent once by the client itself, with a new token."""
    build = cold if status == 401 else warm  # a token that was refused stays so
    built = build(name, **left_to_us(name))
    if status == 401:
        built.get()
        built.create()
        cloud.clear()
    cloud.always(BODIES[body](name, status), path=built.configuration.path)
    if (name, status, call) == ("designate", 405, "create"):
        policy.execute(built.create)  # designate returns the error as if it were the zone: see LOST
    else:
        error = failing(policy.execute, getattr(built, call))
        assert untouched(error)
    assert cloud.count() == (2 if status == 401 else 1)
    assert cloud.count("token") == (1 if status == 401 else 0)
    assert waits == []


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [408, 429, 504])
def test_impossible_glance_has_no_status(status, call, body, warm, cloud, policy):
    """Here glanceclient has no class for these and leaves the text 'N/A' where the status should be."""
    built = warm("glance")
    cloud.always(BODIES[body]("glance", status), path="/images")
    error = failing(policy.execute, getattr(built, call))
    assert (type(error).__name__, error.code) == ("HTTPException", "N/A")
    assert cloud.count() == 1
    assert untouched(error)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", [408, 429])
def test_impossible_designate_takes_the_error_for_the_answer(status, body, warm, cloud, policy):
    """Only 400, 401, 403, 404, 409, 413 and 5xx make designateclient raise: a create that failed so is returned as a zone."""
    built = warm("designate")
    cloud.always(BODIES[body]("designate", status), path="/zones")
    assert "Try again later." in str(policy.execute(built.create)) or body == "html"
    error = failing(policy.execute, built.get)
    assert type(error) is {"native": KeyError, "html": TypeError}[body]
    assert cloud.count() == 2
    assert untouched(error)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [status for status in RETRIED if status != 413])
@pytest.mark.parametrize("name", TYPE_ERRORS)
def test_impossible_retry_after_is_a_type_error(name, status, call, warm, cloud, policy):
    """These four hand Retry-After to a constructor that does not take it: no status, no answer is left."""
    built = warm(name, **left_to_us(name))
    cloud.always(refusal(BY_NAME[name].dialect, status, Retry_After="7"), path=built.configuration.path)
    error = failing(policy.execute, getattr(built, call))
    assert type(error) is TypeError
    assert "retry_after" in str(error)
    assert cloud.count() == 1
    assert untouched(error)


# -- Retry-After


NOW = 1_790_000_000  # what the service's Date says; none of our own clocks is asked
AFTERS = {
    "seconds": "7",
    "date": email.utils.formatdate(NOW + 90, usegmt=True),
    "past": email.utils.formatdate(NOW - 90, usegmt=True),
    "fraction": "7.5",
    "negative": "-5",
    "zero": "0",
    "word": "soon",
    "day": "86400",
}
# The wait that follows where the header itself survives; 10 is the configured one.
BY_HEADER = {
    "seconds": 7,
    "date": 90,
    "past": 10,
    "fraction": 7.5,
    "negative": 10,
    "zero": 10,
    "word": 10,
    "day": GiveUp.MAX_WAIT,
}
# novaclient keeps an integer of what int() could read, else 0.
BY_INTEGER = BY_HEADER | {"date": 10, "fraction": 10}
NOTHING = dict.fromkeys(AFTERS, 10)
_HEADER_KEPT = {
    name: dict.fromkeys((413, 429, 503), BY_HEADER)
    for name in NAMES
    if name.startswith(("keystone", "sdk.", "swift.", "octavia", "mistral"))
}
KEPT = (
    {name: dict.fromkeys((413, 429, 503), NOTHING) for name in NAMES}
    | _HEADER_KEPT
    | {name: {413: BY_HEADER} for name in TYPE_ERRORS}  # and TypeError for the others: see above
    | {
        "nova": {413: BY_INTEGER, 429: BY_INTEGER, 503: NOTHING},
        # 413: dates by the client's own clock, and ValueError for what is neither: two tests below
        "cinder": {413: {"seconds": 7, "negative": 10, "zero": 10, "day": GiveUp.MAX_WAIT}, 429: NOTHING, 503: NOTHING},
        "glance": {413: NOTHING, 503: NOTHING},
        "designate": {413: NOTHING, 503: NOTHING},
    }
)


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [(name, status, kind) for name in NAMES for status, expected in KEPT[name].items() for kind in expected],
)
def test_waits_as_the_service_says(name, status, kind, warm, cloud, policy, waits):
    """Retry-After is used instead of the ten seconds wherever the client keeps it; a day of it is not begun."""
    built = warm(name, **left_to_us(name))
    date = email.utils.formatdate(NOW, usegmt=True)
    answer = refusal(BY_NAME[name].dialect, status, Retry_After=AFTERS[kind], Date=date)
    cloud.plan(answer, path=built.configuration.path)
    expected = KEPT[name][status][kind]
    if expected is GiveUp.MAX_WAIT:
        error = failing(policy.execute, built.get)
        assert error.os_retries.reason is GiveUp.MAX_WAIT
        assert "86400" in error.__notes__[0]
        assert (cloud.count(), waits) == (1, [])
    else:
        policy.execute(built.get)
        assert (cloud.count(), waits) == (2, [expected])


def test_cinder_reads_a_date_by_its_own_clock(warm, cloud, policy, waits):
    """What goes up has seconds that cinderclient made of the date before anybody saw it."""
    when = email.utils.formatdate(time.time() + 90, usegmt=True)
    built = warm("cinder", **left_to_us("cinder"))
    cloud.plan(refusal("cinder", 413, Retry_After=when), path="/volumes")
    policy.execute(built.get)
    assert 60 < waits[0] <= 90


def test_cinder_drops_the_days_of_a_date(warm, cloud, policy):
    """A date 26 hours ahead becomes two hours (`.seconds` of a timedelta): still too long to be begun."""
    when = email.utils.formatdate(time.time() + 26 * 3600, usegmt=True)
    built = warm("cinder", **left_to_us("cinder"))
    cloud.plan(refusal("cinder", 413, Retry_After=when), path="/volumes")
    error = failing(policy.execute, built.get)
    assert error.os_retries.reason is GiveUp.MAX_WAIT
    assert 7000 < error.retry_after <= 7200 + 60


@pytest.mark.parametrize("kind", ["fraction", "word"])
def test_impossible_cinder_cannot_read_every_retry_after(kind, warm, cloud, policy):
    """Its int() crashes on a 413 whose Retry-After is neither an integer nor a date."""
    built = warm("cinder", **left_to_us("cinder"))
    cloud.plan(refusal("cinder", 413, Retry_After=AFTERS[kind]), path="/volumes")
    error = failing(policy.execute, built.get)
    assert type(error) is ValueError
    assert cloud.count() == 1
    assert untouched(error)


# -- connection faults


FAULTS = {
    "reset": HangUp(reset=True),
    "reset with the body unread": HangUp(reset=True, read_body=False),
    "closed without an answer": HangUp(),
    "garbage": Garbage(),
    "body cut off": Answer(200, b'{"servers": [], "padding": "................"}', cut=15),
    "body reset": Answer(200, b'{"servers": [], "padding": "................"}', cut=15, ending="reset"),
    "chunk cut off": Answer(200, b'{"servers": [], "padding": "................"}', cut=15, chunked=True),
    "truncated JSON": Answer(200, b'{"servers": ['),
}


# Clients that take a create whose answer is half a JSON for a success (and the plain Adapter, which does not read bodies).
BELIEVERS = {"designate", "heat", "octavia", "trove", *SWIFTS} | {name for name in NAMES if name.startswith("sdk.")}


def _outcome(call):
    """How a call ended: whether it raised, the type of what it returned or raised, and whether we left a mark on that."""
    try:
        return False, type(call()), False
    except Exception as error:
        return True, type(error), not untouched(error)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", NAMES)
def test_connection_faults_go_up_at_once(name, fault, call, warm, cloud, policy, waits, naps):
    """A call under a lost or broken connection ends as the bare client's does, after exactly its requests."""
    built = warm(name, **left_to_us(name))
    cloud.always(FAULTS[fault], path=built.configuration.path)
    bare = _outcome(getattr(built, call))
    believed = fault == "truncated JSON" and (name == "keystoneauth" or (call == "create" and name in BELIEVERS))
    assert bare[0] is not believed
    requests = cloud.count(None)
    assert _outcome(lambda: policy.execute(getattr(built, call))) == bare
    assert cloud.count(None) == 2 * requests
    assert waits == []
    # neutronclient's own loop, which the specification keeps: reads again when the connection failed, one second apart
    if name == "neutron" and call == "get" and fault != "truncated JSON":
        assert requests == 6
        assert naps == [1] * 10
    else:
        assert cloud.count() == 2
        assert naps == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", NAMES)
def test_refused_connections_go_up_at_once(name, call, warm, cloud, policy, waits, monkeypatch):
    """A closed port is knocked at as often as the bare client does: once."""
    built = warm(name, **left_to_us(name))
    knocks = []
    connect = urllib3.util.connection.create_connection

    def counted(address, *args, **kwargs):
        knocks.append(address)
        return connect(address, *args, **kwargs)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", counted)
    for door in cloud.doors.values():
        door.shut()
    raised, kind, marked = _outcome(lambda: policy.execute(getattr(built, call)))
    assert (raised, marked) == (True, False)
    assert "Connect" in kind.__name__ or "Communication" in kind.__name__
    assert len(knocks) == (6 if (name, call) == ("neutron", "get") else 1)
    assert waits == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", NAMES)
def test_read_timeouts_go_up_at_once(name, call, warm, cold, cloud, policy, waits):
    """A service that does not answer in time is asked once: the request may have been processed."""
    built = cold(name, **left_to_us(name))
    built.get()
    built.create()
    cloud.clear()
    if name in SWIFTS:  # it does not use its session's
        built.client.close()
        built.client.timeout = 0.05
    else:
        built.session.timeout = 0.05
    cloud.always(Stall(), path=built.configuration.path)
    raised, _, marked = _outcome(lambda: policy.execute(getattr(built, call)))
    assert (raised, marked) == (True, False)
    requests = 6 if (name, call) == ("neutron", "get") else 1
    cloud.wait_for(requests)
    assert cloud.count() == requests
    assert waits == []


# -- results


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", NAMES)
def test_success_is_what_the_client_does(name, call, warm, cloud):
    """A call that succeeds sends the client's own requests, none more, and returns what the client returns."""
    built = warm(name, **left_to_us(name))
    healthy = getattr(built, call)()
    bare = [(request.method, request.target) for request in cloud.requests(None)]
    cloud.clear()
    result = execute_with_retries(getattr(built, call))
    assert [(request.method, request.target) for request in cloud.requests(None)] == bare
    assert type(result) is type(healthy)


@pytest.mark.parametrize("fault", [False, True])
def test_a_lazy_resource_is_not_woken(fault, warm, cloud, policy):
    """A nova Server answers an unknown attribute, and even repr(), with a GET of its own: the wrapper asks for none."""
    nova = warm("nova").client
    if fault:
        cloud.plan(refusal("nova", 503), path="/servers")
    server = policy.execute(nova.servers.create, "thing", image=ID, flavor="1")
    sent = cloud.count()
    assert sent == 1 + fault
    assert not server.is_loaded()
    assert not hasattr(server, "no_such_attribute")  # the trap is still there
    assert cloud.count() == sent + 1


def test_arguments_are_not_woken_either(warm, cloud, policy):
    """A resource passed as an argument is looked at by its type alone."""
    nova = warm("nova").client
    server = nova.servers.create("thing", image=ID, flavor="1")
    cloud.clear()
    cloud.plan(refusal("nova", 503), path="/servers")
    policy.execute(nova.servers.delete, server)
    assert [request.method for request in cloud.requests()] == ["DELETE", "DELETE"]


def test_the_log_names_service_method_status_and_request(warm, cloud, policy, caplog):
    """Each retry is one warning that an operator can act on."""
    cloud.plan(refusal("neutron", 503), path="/networks")
    policy.execute(warm("neutron", **left_to_us("neutron")).client.list_networks)
    [record] = [record for record in caplog.records if record.name == "os_retries"]
    message = record.getMessage()
    assert record.levelname == "WARNING"
    for part in ("network: ", "list_networks", "503", "req-deadbeef", "1 of 6", "10 s"):
        assert part in message


# -- bodies of requests


def _file(content):
    # NamedTemporaryFile's object is a wrapper that passes everything on to its file.
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115
    file.write(content)
    file.seek(0)
    return file


CONTENT = bytes(range(256)) * 300
STREAMS = {"BytesIO": io.BytesIO, "file": _file}


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("start", [0, 1000])
def test_glance_upload_is_sent_whole_again(stream, start, warm, cloud, policy):
    """After a 503 the file is read again from where it stood: never an empty image reported as success."""
    glance = warm("glance").client
    cloud.plan(*[refusal("glance", 503)] * 2, path="/file")
    with STREAMS[stream](CONTENT) as data:
        data.seek(start)
        policy.execute(glance.images.upload, ID, data)
    assert [request.body for request in cloud.requests(path="/file")] == [CONTENT[start:]] * 3
    assert list(cloud.uploads.values()) == [CONTENT[start:]]


class _Pipe:
    """A file that cannot go back; glanceclient wants a read()."""

    def __init__(self):
        self._left = io.BytesIO(CONTENT)

    def read(self, size=-1):
        return self._left.read(size)


def test_glance_upload_of_a_pipe_is_sent_once(warm, cloud, policy, waits):
    """What cannot be read twice is not sent twice, and the error says so."""
    glance = warm("glance").client
    cloud.always(refusal("glance", 503), path="/file")
    error = failing(policy.execute, glance.images.upload, ID, _Pipe())
    assert [request.body for request in cloud.requests(path="/file")] == [CONTENT]
    assert waits == []
    assert error.code == 503
    assert error.os_retries.reason is GiveUp.BODY
    assert "cannot be read a second time" in error.__notes__[0]


@pytest.mark.parametrize("own_loop", [False, True])
@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", SWIFTS)
def test_swift_upload_is_sent_whole_again(name, stream, own_loop, warm, cloud, policy):
    """The same for swift, whether it repeats by itself or leaves it to us."""
    swift = warm(name, **(client_options("swift") if own_loop else {"retries": 0})).client
    cloud.plan(*[refusal("swift", 503)] * 2, path="/box")
    with STREAMS[stream](CONTENT) as data:
        data.seek(1000)
        policy.execute(swift.put_object, "box", "big", data)
    assert [request.body for request in cloud.requests(path="/box")] == [CONTENT[1000:]] * 3


@pytest.mark.parametrize("name", SWIFTS)
def test_swift_upload_of_a_generator_is_sent_once(name, warm, cloud, policy, waits):
    swift = warm(name, retries=0).client
    cloud.always(refusal("swift", 503), path="/box")
    error = failing(policy.execute, swift.put_object, "box", "big", (part for part in [CONTENT]))
    assert (cloud.count(), waits) == (1, [])
    assert error.http_status == 503
    assert error.os_retries.reason is GiveUp.BODY


def test_impossible_swift_loses_the_status_of_a_body_that_it_cannot_rewind(warm, cloud, policy, waits):
    """With its own loop on, swiftclient replaces the 503 by an error without status; bytes count as such a body, text does not."""
    swift = warm("swift.session", **client_options("swift")).client
    for body in ((part for part in [CONTENT]), CONTENT):
        cloud.clear()
        cloud.always(refusal("swift", 503), path="/box")
        error = failing(policy.execute, swift.put_object, "box", "big", body)
        assert (cloud.count(), waits) == (1, [])
        assert error.http_status is None
        assert "no ability to reset contents" in str(error)
        assert untouched(error)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # openstacksdk's, of each upload that failed
def test_sdk_image_upload_is_sent_whole_again(warm, cloud, policy, tmp_path):
    """A retry of openstacksdk's own sends an empty body and reports success; with client_options it has none."""
    path = tmp_path / "image"
    path.write_bytes(CONTENT)
    sdk = warm("sdk.image", **client_options("openstacksdk")).client
    cloud.plan(*[refusal("glance", 503)] * 2, path="/file")
    policy.execute(sdk.image.create_image, "thing", filename=str(path), allow_duplicates=True)
    assert [request.body for request in cloud.requests(method="PUT", path="/file")] == [CONTENT] * 3
    gc.collect()  # while the warning is ignored


# -- bodies of answers that crash the client


SHAPES = {
    "gateway": {"message": "Too many requests"},
    "middleware": {"error": {"message": "Try again later.", "code": 503, "title": "Error"}},
    "list": ["Too many requests"],
    "string": "Too many requests",
    "truncated": None,
}
# What the client raises instead of its own error, and so without a status.
CRASHES = {
    ("neutron", "list"): "AttributeError",
    ("glance", "gateway"): "AttributeError",
    ("glance", "list"): "AttributeError",
    ("glance", "string"): "AttributeError",
    ("glance", "truncated"): "JSONDecodeError",
    ("magnum", "gateway"): "KeyError",
    ("magnum", "list"): "TypeError",
    ("magnum", "string"): "TypeError",
    ("barbican", "gateway"): "KeyError",
    ("barbican", "middleware"): "KeyError",
    ("barbican", "list"): "TypeError",
    ("barbican", "string"): "TypeError",
    ("designate", "gateway"): "Unknown",  # its own class, but the status was to come from the body
    ("designate", "middleware"): "Unknown",
    ("designate", "list"): "TypeError",
    ("designate", "string"): "TypeError",
    ("sahara", "gateway"): "APIException",  # likewise
    ("sahara", "middleware"): "APIException",
    ("sahara", "list"): "AttributeError",
    ("sahara", "string"): "AttributeError",
    ("mistral", "list"): "AttributeError",
    ("mistral", "string"): "AttributeError",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_foreign_bodies(name, shape, warm, cloud, policy, waits):
    """An error in JSON that is not the service's is repeated like any other, but for the clients that crash on it."""
    built = warm(name, **left_to_us(name))
    answer = answer_json(503, SHAPES[shape]) if SHAPES[shape] else Answer(503, b'{"error": {"message": "Try')
    cloud.plan(answer, path=built.configuration.path)
    crash = CRASHES.get((name, shape))
    if crash is None:
        policy.execute(built.get)
        assert (cloud.count(), waits) == (2, [10])
    else:
        error = failing(policy.execute, built.get)
        assert type(error).__name__ == crash
        assert (cloud.count(), waits) == (1, [])
        assert untouched(error)


# -- tokens and discovery


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_token_is_repeated(name, cold, cloud, policy, waits):
    """A keystone that answers 503 to the first token request costs a wait, with the constructor inside the call where it asks for one."""
    cloud.plan(refusal("keystone", 503), kind="token")
    policy.execute(lambda: cold(name, **left_to_us(name)).get())
    assert cloud.count("token") == 2
    assert cloud.count() >= 1
    assert waits == [10]


# What comes of a discovery that fails; the clients not named here do without, and work.
DISCOVERY_DOWN = {
    "barbican": "ServiceUnavailable",  # in its constructor, with the status
    "designate": "NotFound",  # asks for /dns/zones instead of /dns/v2/zones
    "sdk.image": "NotSupported",  # in the attribute, before any method could be wrapped
    "sdk.baremetal": "NotSupported",
}


@pytest.mark.parametrize("name", NAMES)
def test_discovery_that_fails(name, cold, cloud, policy, waits):
    """Discovery is part of the call: repeated where its status is told (barbican), impossible where a client hides it."""
    cloud.always(refusal("keystone", 503), kind="discovery")
    expected = DISCOVERY_DOWN.get(name)

    def call():
        return cold(name, **left_to_us(name)).get()

    if expected is None:
        policy.execute(call)
        assert waits == []
        return
    error = failing(policy.execute, call)
    assert type(error).__name__ == expected
    if name == "barbican":
        assert waits == [10] * 5
        assert [attempt.status for attempt in error.os_retries.attempts] == [503] * 6
    else:
        assert waits == []
        assert untouched(error)


# -- swift's own loop, and what happens without client_options


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", RETRIED)
@pytest.mark.parametrize("name", SWIFTS)
def test_swift_obeys_client_options(name, status, call, warm, cloud, policy, waits, naps):
    """The client repeats by itself, as often and as slowly as [timeouts] says, and nobody multiplies that; 413 is ours."""
    built = warm(name, **client_options("swift"))
    cloud.always(refusal("swift", status), path=built.configuration.path)
    error = failing(policy.execute, getattr(built, call))
    assert cloud.count() == 6
    assert error.http_status == status
    assert error.os_retries.reason is (GiveUp.ATTEMPTS if status == 413 else GiveUp.CLIENT)
    assert (waits, naps) == (([10] * 5, []) if status == 413 else ([], [10] * 5))


@pytest.mark.parametrize("status", NOT_RETRIED)
@pytest.mark.parametrize("name", SWIFTS)
def test_swift_own_loop_and_other_statuses(name, status, cold, cloud, policy):
    """The client's loop takes every 5xx for passing, 501 too: impossible to stop but by retries=0."""
    built = cold(name, **client_options("swift"))
    built.get()
    cloud.clear()
    cloud.always(refusal("swift", status), path=built.configuration.path)
    error = failing(policy.execute, built.get)
    assert untouched(error)
    assert cloud.count() == {501: 6, 401: 2}.get(status, 1)


@pytest.mark.parametrize("name", ["ironic", "sdk.image", "sdk.baremetal"])
def test_without_client_options_the_loops_multiply(name, warm, cloud, policy):
    """Why client_options exists: six attempts of ours times six of the client's."""
    built = warm(name)
    cloud.always(refusal(BY_NAME[name].dialect, 503), path=built.configuration.path)
    failing(policy.execute, built.get)
    assert cloud.count() == 36


@pytest.mark.parametrize("name", SWIFTS)
def test_impossible_swift_behind_a_lambda(name, warm, cloud, policy):
    """That swiftclient has repeated a request is known from the bound method; a function around it hides that."""
    swift = warm(name, **client_options("swift")).client
    cloud.always(refusal("swift", 503))
    failing(policy.execute, lambda: swift.get_account())  # noqa: PLW0108
    assert cloud.count() == 36


def test_swift_follows_the_configuration(cold, cloud, naps):
    """The numbers of [timeouts], and of [timeouts_object_store] over them, reach swiftclient's own loop."""
    conf = cfg.ConfigOpts()
    conf([], project="os-retries-tests", default_config_files=[], default_config_dirs=[])
    client_options("swift", conf)  # registers the options
    conf.set_override("retry_after", 3, group="timeouts")
    conf.set_override("retries_number", 2, group="timeouts_object_store")
    swift = cold("swift.session", **client_options("swift", conf)).client
    cloud.always(refusal("swift", 503))
    assert failing(swift.get_account).http_status == 503
    assert cloud.count() == 3
    assert naps == [3, 3]
