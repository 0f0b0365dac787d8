"""The loop: what is repeated, how long it waits, what it raises, and what evidence it leaves."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import gc
import io
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
import weakref
from unittest import mock

import pytest
from glanceclient.common.utils import GeneratorProxy, RequestIdProxy
from hypothesis import given
from hypothesis import strategies as st
from requests import Response

from os_retries import GiveUp, RetryPolicy, execute_with_retries, policy
from os_retries.core import switch
from os_retries.core.retries import pause
from os_retries.core.scope import current_scope
from os_retries.testing import NoWaits

from .conftest import HttpError, Scripted

SEVEN = [408, 413, 429, 500, 502, 503, 504]


# What is repeated


@pytest.mark.parametrize("status", SEVEN)
def test_each_of_the_seven_statuses_is_repeated_until_the_call_succeeds(status, recorded):
    method = Scripted(HttpError(status), HttpError(status), "result")
    assert execute_with_retries(method, 1, key="value") == "result"
    assert method.calls == [((1,), {"key": "value"})] * 3
    assert recorded.waits == [10.0, 10.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 501, 505, None])
def test_every_other_error_goes_up_at_once_untouched(status, recorded):
    error = HttpError(status)
    method = Scripted(error)
    with pytest.raises(HttpError) as raised:
        execute_with_retries(method)
    assert raised.value is error
    assert len(method.calls) == 1
    assert not hasattr(error, "__notes__")
    assert not hasattr(error, "os_retries")
    assert recorded.attempts == []


@pytest.mark.parametrize("kind", [ConnectionError, TimeoutError, OSError, ValueError])
def test_a_lost_connection_or_a_bug_goes_up_at_once(kind, recorded):
    method = Scripted(kind("x"))
    with pytest.raises(kind):
        execute_with_retries(method)
    assert len(method.calls) == 1
    assert recorded.attempts == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_interrupts_is_never_caught_even_if_it_has_a_status(kind, recorded):
    error = kind(503)
    error.code = 503
    method = Scripted(error)
    with pytest.raises(kind):
        execute_with_retries(method)
    assert len(method.calls) == 1


def test_an_interrupt_during_the_wait_ends_the_call():
    def interrupted(_seconds):
        raise KeyboardInterrupt

    method = Scripted(HttpError(503))
    with pytest.raises(KeyboardInterrupt) as raised:
        RetryPolicy(sleep=interrupted).execute(method)
    assert len(method.calls) == 1
    assert raised.value.__context__ is None


@pytest.mark.parametrize("number", [0, 1, 5, 12])
def test_a_call_is_attempted_retries_number_and_one_times_without_a_wait_after_the_last(number):
    waits = []
    error = HttpError(503)
    method = Scripted(error)
    with pytest.raises(HttpError) as raised:
        RetryPolicy(retries_number=number, sleep=waits.append).execute(method)
    assert raised.value is error
    assert len(method.calls) == number + 1
    assert waits == [10.0] * number


@given(st.lists(st.sampled_from([*SEVEN, 404, None, 200]), max_size=12), st.integers(0, 8))
def test_the_call_ends_with_the_first_outcome_that_is_not_to_be_repeated_or_when_the_attempts_are_used(
    statuses, number
):
    """A model of the specification: one attempt after the other, and nothing else."""
    outcomes = [*(HttpError(status) for status in statuses), "result"]
    ends = [index for index, outcome in enumerate(outcomes) if outcome == "result" or outcome.code not in SEVEN]
    last = min(ends[0], number)
    method = Scripted(*outcomes)
    waits = []
    policy = RetryPolicy(retries_number=number, sleep=waits.append)
    if outcomes[last] == "result":
        assert policy.execute(method) == "result"
    else:
        with pytest.raises(HttpError) as raised:
            policy.execute(method)
        assert raised.value is outcomes[last]
    assert len(method.calls) == last + 1
    assert waits == [10.0] * last


def test_the_result_is_handed_back_untouched(recorded):
    class Untouchable:
        def __getattribute__(self, name):
            raise AssertionError(f"{name} was asked for")

    result = Untouchable()
    assert execute_with_retries(lambda: result) is result


@pytest.mark.parametrize("variable", ["OS_RETRIES_DISABLED", "OSRETRIES_DISABLED"])
def test_retrying_is_switched_off_by_the_environment(variable, monkeypatch, recorded):
    for value, calls in [("1", 1), ("true", 1), ("0", 6), ("", 6), ("false", 6)]:
        monkeypatch.setenv(variable, value)
        method = Scripted(HttpError(503))
        with pytest.raises(HttpError):
            execute_with_retries(method)
        assert len(method.calls) == calls, value


def test_an_environment_that_is_a_plain_dictionary_switches_it_off_as_well(monkeypatch):
    monkeypatch.setattr(os, "environ", {"OS_RETRIES_DISABLED": "1"})
    assert switch.disabled()
    monkeypatch.setattr(os, "environ", {})
    assert not switch.disabled()


# What may be called


def test_arguments_named_like_ours_reach_the_client():
    def create(*args, **kwargs):
        return args, kwargs

    arguments = {"method": 1, "policy": 2, "self": 3, "args": 4, "kwargs": 5, "describe": 6, "conf": 7}
    assert execute_with_retries(create, 0, **arguments) == ((0,), arguments)
    assert RetryPolicy().execute(create, 0, **arguments) == ((0,), arguments)


def test_bound_methods_partials_lambdas_classes_and_objects_without_a_name_can_be_called(recorded):
    class Manager:
        failures = 1

        def get(self, number):
            if Manager.failures:
                Manager.failures -= 1
                raise HttpError(503)
            return number

        __call__ = get

    class Made:
        def __init__(self, number):
            self.number = Manager().get(number)

    nameless = mock.Mock(side_effect=[HttpError(503), 7])
    for method in (
        Manager().get,
        functools.partial(Manager().get, 7),
        functools.partial(functools.partial(Manager().get), 7),
        lambda number=7: Manager().get(number),
        Manager(),
        Made,
        nameless,
        types.MethodType(functools.partial(lambda self, number=7: Manager().get(number)), object()),
    ):
        Manager.failures = 1
        arguments = () if isinstance(method, functools.partial) else (7,)
        result = execute_with_retries(method, *arguments)
        assert getattr(result, "number", result) == 7
    assert len(recorded.retries) == 8


def test_what_cannot_be_called_is_pythons_own_error():
    with pytest.raises(TypeError, match="not callable"):
        execute_with_retries(None)  # type: ignore[arg-type]


# What is waited


def test_the_services_wait_is_used_instead_of_the_configured_one(recorded):
    method = Scripted(HttpError(429, retry_after=3), HttpError(503), HttpError(413, retry_after=60), "result")
    execute_with_retries(method)
    assert [(retry.attempt.wait, retry.source) for retry in recorded.retries] == [
        (3.0, "Retry-After"),
        (10.0, "retry_after"),
        (60.0, "Retry-After"),
    ]


def test_the_allowance_of_extra_waiting_is_one_for_all_attempts(recorded):
    """Three waits of 110 s are 100 s of extra each: the fourth no longer fits in 300 s."""
    method = Scripted(HttpError(503, retry_after=110))
    with pytest.raises(HttpError) as raised:
        execute_with_retries(method)
    assert recorded.waits == [110.0] * 3
    assert raised.value.os_retries.reason is GiveUp.MAX_WAIT


def test_a_retry_after_of_a_day_fails_at_once_and_is_named(recorded, caplog):
    with pytest.raises(HttpError) as raised:
        execute_with_retries(Scripted(HttpError(429, retry_after=86_400)))
    assert recorded.waits == []
    assert "retry_max_wait allows (Retry-After: 86400 s)" in raised.value.__notes__[0]
    assert "retry_max_wait allows (Retry-After: 86400 s)" in caplog.text


def test_time_sleep_is_looked_up_when_it_is_needed():
    """So eventlet's and gevent's cooperative sleep is used, and a suite that replaces it by a mock ends at once."""
    with mock.patch("time.sleep") as sleep, pytest.raises(HttpError):
        execute_with_retries(Scripted(HttpError(503)))
    assert sleep.mock_calls == [mock.call(10.0)] * 5


def test_a_services_own_sleep_waits_and_what_it_raises_goes_up():
    class Stopped(Exception):
        pass

    def sleep(_seconds):
        raise Stopped

    with mock.patch("time.sleep") as real, pytest.raises(Stopped):
        RetryPolicy(sleep=sleep).execute(Scripted(HttpError(503)))
    real.assert_not_called()


# What is raised, and what it says


def test_the_last_exception_goes_up_itself_with_a_note_and_the_history(recorded):
    errors = [HttpError(503, request_id=f"req-{number}") for number in range(1, 7)]
    method = Scripted(*errors)
    with pytest.raises(HttpError) as raised:
        execute_with_retries(method)
    error = raised.value
    assert error is errors[-1]
    assert error.__context__ is None
    evidence = error.os_retries
    assert [attempt.number for attempt in evidence.attempts] == [1, 2, 3, 4, 5, 6]
    assert [attempt.request_id for attempt in evidence.attempts] == [f"req-{number}" for number in range(1, 7)]
    assert [attempt.wait for attempt in evidence.attempts] == [10.0] * 5 + [None]
    assert evidence.reason is GiveUp.ATTEMPTS
    assert error.__notes__ == [
        "os-retries: gave up after 6 attempts (503, 503, 503, 503, 503, 503; 50 s of waiting): no attempts left"
    ]
    assert not hasattr(errors[0], "os_retries")


def test_an_error_that_ends_the_retries_without_being_one_of_them_says_so(recorded):
    with pytest.raises(HttpError) as raised:
        execute_with_retries(Scripted(HttpError(503), HttpError(404)))
    assert raised.value.code == 404
    assert raised.value.os_retries.reason is GiveUp.PERMANENT
    assert [attempt.status for attempt in raised.value.os_retries.attempts] == [503, 404]


def test_an_exception_that_refuses_attributes_goes_up_all_the_same(recorded):
    class Closed(Exception):
        code = 503

        def __setattr__(self, name, value):
            raise AttributeError(name)

    error = Closed()
    with pytest.raises(Closed) as raised:
        execute_with_retries(Scripted(error))
    assert raised.value is error


def test_no_attempt_keeps_its_exception_alive(recorded):
    seen = []

    class Marked(HttpError):
        def __init__(self):
            super().__init__(503)
            seen.append(weakref.ref(self))

    def method():
        raise Marked

    gc.disable()  # reference counting alone must do
    try:
        with pytest.raises(Marked):
            execute_with_retries(method)
        assert [ref() for ref in seen[:-1]] == [None] * 5
    finally:
        gc.enable()


# The log and the hooks


def test_each_retry_and_the_giving_up_are_one_warning_each(recorded, caplog):
    class ServerManager:
        def list(self):
            raise HttpError(503, request_id="req-7")

    with pytest.raises(HttpError):
        RetryPolicy(retries_number=1, retry_after=2).execute(ServerManager().list)
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            "os_retries",
            logging.WARNING,
            "ServerManager.list answered 503 [req-7]; attempt 1 of 2, next in 2 s (retry_after)",
        ),
        (
            "os_retries",
            logging.WARNING,
            "ServerManager.list answered 503 [req-7]; attempt 2 of 2, giving up: no attempts left",
        ),
    ]
    assert caplog.records[0].os_retries is recorded.retries[0]
    assert caplog.records[1].os_retries is recorded.given_up[0]


def test_a_permanent_error_after_retries_is_logged_as_the_answer_that_it_is(recorded, caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(HttpError) as raised:
        RetryPolicy(retry_after=0).execute(Scripted(HttpError(503), HttpError(502), HttpError(404)))
    assert raised.value.os_retries.reason is GiveUp.PERMANENT
    last = caplog.records[-1]
    assert (last.levelno, last.getMessage()) == (logging.INFO, "Scripted answered 404 after 2 retries")
    assert last.os_retries is recorded.given_up[0]


def test_no_argument_no_body_and_no_message_of_the_error_reaches_the_log_or_the_note(recorded, caplog):
    error = HttpError(503, response=None)
    error.args = ("token gAAAAsecret",)
    with pytest.raises(HttpError):
        execute_with_retries(Scripted(error), "gAAAAsecret", password="gAAAAsecret")
    assert "secret" not in caplog.text + "".join(error.__notes__)


def test_on_retry_is_told_of_each_retry_before_its_wait():
    told = []
    policy = RetryPolicy(on_retry=told.append, sleep=told.append)
    policy.execute(Scripted(HttpError(503, request_id="req-1"), "result"))
    retry, slept = told
    assert (retry.attempt.number, retry.attempts, retry.attempt.status, retry.attempt.request_id) == (
        1,
        6,
        503,
        "req-1",
    )
    assert (retry.attempt.wait, retry.source, slept) == (10.0, "retry_after", 10.0)


def test_an_on_retry_that_fails_is_logged_and_the_call_goes_on(caplog):
    def broken(_retry):
        raise ZeroDivisionError

    policy = RetryPolicy(on_retry=broken, sleep=lambda _seconds: None)
    assert policy.execute(Scripted(HttpError(503), "result")) == "result"
    assert "on_retry raised an error" in caplog.text


def test_what_the_caller_was_handling_is_no_part_of_the_error(recorded):
    """Python makes it the context of everything that is raised in the except block."""
    method = Scripted(RuntimeError("no status of its own"))
    try:
        raise HttpError(503)
    except HttpError:
        with pytest.raises(RuntimeError):
            execute_with_retries(method)
    assert len(method.calls) == 1


# Calls inside calls


def nested(depth, method):
    for _ in range(depth):
        method = functools.partial(execute_with_retries, method)
    return method


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_calls_inside_calls_do_not_multiply(depth, recorded):
    method = Scripted(HttpError(503))
    with pytest.raises(HttpError) as raised:
        nested(depth, method)()
    assert len(method.calls) == 6
    assert len(raised.value.__notes__) == 1


@pytest.mark.parametrize("how", ["from", "context", "from None", "chain dropped"])
def test_an_error_that_translates_what_was_given_up_is_not_repeated_either(how, recorded):
    inner = Scripted(HttpError(503))

    def translate():
        try:
            execute_with_retries(inner)
        except HttpError as error:
            if how == "from":
                raise HttpError(503, translated=True) from error
            if how == "context":
                raise HttpError(503, translated=True)
            if how == "from None":
                raise HttpError(503, translated=True) from None
        raise HttpError(503, translated=True)  # as a client does that builds its error from the answer

    with pytest.raises(HttpError) as raised:
        execute_with_retries(translate)
    assert raised.value.translated
    assert len(inner.calls) == 6


def test_what_was_given_up_in_another_thread_is_not_repeated(recorded):
    """A context does not cross into a thread; the mark on the exception does."""
    method = Scripted(HttpError(503))

    def in_thread():
        caught = []

        def work():
            try:
                execute_with_retries(method)
            except HttpError as error:
                caught.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        raise caught[0]

    with pytest.raises(HttpError):
        execute_with_retries(in_thread)
    assert len(method.calls) == 6


def test_a_mark_from_an_earlier_call_does_not_stop_a_later_one(recorded):
    """A mock raises one and the same exception forever."""
    error = HttpError(503)
    for _ in range(2):
        method = Scripted(error)
        with pytest.raises(HttpError):
            execute_with_retries(method)
        assert len(method.calls) == 6


def test_a_different_failure_after_a_handled_one_is_repeated(recorded):
    inner = Scripted(HttpError(503))
    outer = Scripted(HttpError(429), "result")

    def fall_back():
        try:
            execute_with_retries(inner)
        except HttpError:
            return outer()

    assert execute_with_retries(fall_back) == "result"
    assert len(outer.calls) == 2


def test_calls_inside_calls_share_one_allowance_of_extra_waiting(recorded):
    slow = [Scripted(HttpError(503, retry_after=110), "result") for _ in range(4)]

    def steps():
        return [execute_with_retries(method) for method in slow]

    with pytest.raises(HttpError) as raised:
        execute_with_retries(steps)
    assert recorded.waits == [110.0] * 3
    assert raised.value.os_retries.reason is GiveUp.MAX_WAIT


def test_calls_one_after_the_other_each_have_their_own_allowance(recorded):
    for _ in range(4):
        execute_with_retries(Scripted(HttpError(503, retry_after=110), "result"))
    assert recorded.waits == [110.0] * 4


def test_a_call_that_has_ended_owns_nothing_that_its_context_started(recorded):
    contexts = []
    execute_with_retries(lambda: contexts.append(contextvars.copy_context()))
    for _ in range(4):
        contexts[0].run(execute_with_retries, Scripted(HttpError(503, retry_after=110), "result"))
    assert recorded.waits == [110.0] * 4


def test_many_threads_each_get_their_own_result(recorded):
    lock = threading.Lock()
    results = {}

    def work(number):
        method = Scripted(*[HttpError(503)] * (number % 6), number)
        result = execute_with_retries(method)
        with lock:
            results[number] = (result, len(method.calls))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: (number, number % 6 + 1) for number in range(64)}


# Bodies


class Upload:
    """A client's upload: it reads the file to its end, and then the service refuses once."""

    def __init__(self) -> None:
        self.stored: list[object] = []

    def __call__(self, name, data=None, **files):
        source = data if data is not None else files["files"]["/etc/motd"]
        self.stored.append(source.read() if hasattr(source, "read") else b"".join(source))
        if len(self.stored) == 1:
            raise HttpError(503)
        return name


def test_a_file_is_rewound_to_where_it_stood(recorded, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"head-body")
    with path.open("rb") as opened, tempfile.NamedTemporaryFile() as temporary:
        temporary.write(b"head-body")
        temporary.flush()
        for body in (io.BytesIO(b"head-body"), opened, temporary):
            body.seek(5)
            for call in (
                lambda upload, body=body: execute_with_retries(upload, "name", body),
                lambda upload, body=body: execute_with_retries(upload, "name", data=body),
                lambda upload, body=body: execute_with_retries(functools.partial(upload, "name", body)),
                lambda upload, body=body: execute_with_retries(functools.partial(upload, data=body), "name"),
                lambda upload, body=body: execute_with_retries(upload, "name", files={"/etc/motd": body}),
            ):
                body.seek(5)
                upload = Upload()
                assert call(upload) == "name"
                assert upload.stored == [b"body", b"body"]


class Pipe(io.BytesIO):
    def seekable(self):
        return False


class Closed(io.BytesIO):
    """Closed by the client once it has been read."""

    def read(self, *args):
        data = super().read(*args)
        self.close()
        return data


@pytest.mark.parametrize(
    "make",
    [lambda: iter([b"body"]), lambda: (part for part in [b"body"]), lambda: Pipe(b"body"), lambda: Closed(b"body")],
)
def test_a_body_that_cannot_be_read_twice_is_sent_once_and_the_error_says_why(make, recorded):
    """A second attempt would store nothing and report success."""
    upload = Upload()
    with pytest.raises(HttpError) as raised:
        execute_with_retries(upload, "name", make())
    assert upload.stored == [b"body"]
    assert raised.value.os_retries.reason is GiveUp.BODY
    assert recorded.waits == []


def test_files_in_a_list_or_a_tuple_are_rewound_too(recorded):
    for pack in (list, tuple):
        stored = []

        def upload(files, stored=stored):
            stored.append([file.read() for file in files])
            if len(stored) == 1:
                raise HttpError(503)

        execute_with_retries(upload, pack([io.BytesIO(b"one"), io.BytesIO(b"two")]))
        assert stored == [[b"one", b"two"]] * 2


def test_a_stream_that_can_be_rewound_and_does_not_say_so_is_rewound(recorded):
    """Openstacksdk's FileSegment, the body of its segmented uploads, has tell and seek alone."""

    class Segment:
        def __init__(self):
            self._file = io.BytesIO(b"body")
            self.tell, self.seek = self._file.tell, self._file.seek

        def read(self):
            return self._file.read()

    upload = Upload()
    execute_with_retries(upload, "name", Segment())
    assert upload.stored == [b"body", b"body"]


@pytest.mark.parametrize("status", [409, 503])
def test_an_exception_that_can_hardly_be_looked_at_goes_up_itself(status, recorded):
    """Whatever is odd about it, the caller's own error is not replaced by one of ours."""

    class Unhashable(Exception):
        code = status
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other):
            return True

    class NoAttributes(Exception):
        def __getattr__(self, name):
            raise KeyError(name)

    class NoResponse(Exception):
        code = status

        @property
        def response(self):
            raise RuntimeError

    mocked = HttpError(status, response=mock.Mock(status_code=status))
    for error in (Unhashable(), NoAttributes(), NoResponse(), mocked):
        with pytest.raises(Exception) as raised:
            execute_with_retries(Scripted(error))
        assert raised.value is error


def test_a_fault_of_ours_does_not_hide_the_clients_error(caplog):
    error = HttpError(503)
    with (
        mock.patch("os_retries.core.target.read_failure", side_effect=ZeroDivisionError),
        pytest.raises(HttpError) as raised,
    ):
        execute_with_retries(Scripted(error))
    assert raised.value is error
    assert "could not be read" in caplog.text


def test_what_glanceclient_returns_may_be_an_argument(recorded):
    """It is a proxy of wrapt's, whose class has every method there is, __next__ among them."""
    image = RequestIdProxy(({"id": 1}, Response()))
    assert execute_with_retries(Scripted(HttpError(503), "result"), image) == "result"
    with pytest.raises(HttpError) as raised:
        execute_with_retries(Scripted(HttpError(503), "result"), GeneratorProxy(part for part in [1]))
    assert raised.value.os_retries.reason is GiveUp.BODY


def test_an_argument_with_dynamic_attributes_is_not_asked_for_any():
    """Nova's Resource answers an unknown attribute with a request."""

    class Resource:
        def __getattr__(self, name):
            raise AssertionError(f"{name} was asked for")

    with NoWaits():
        execute_with_retries(Scripted(HttpError(503), "result"), Resource(), server=Resource())


# The cost of having it


def test_importing_it_brings_the_standard_library_alone():
    code = (
        "import sys; before = set(sys.modules); import os_retries; "
        "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "['os_retries']"


def test_a_call_that_succeeds_looks_at_no_clock_and_takes_no_lock():
    with (
        mock.patch.object(time, "time", side_effect=AssertionError),
        mock.patch("os_retries.core.retries._given_up_lock", side_effect=AssertionError),
    ):
        assert execute_with_retries(lambda: 7) == 7


# What is refused


async def asynchronous():
    raise HttpError(503)


@pytest.mark.parametrize("call", [execute_with_retries, RetryPolicy().execute])
def test_an_async_function_is_refused_and_the_error_says_what_to_do(call, recwarn):
    """Its errors come when it is awaited: it would be called once, and nobody would notice."""
    with pytest.raises(TypeError, match=r"asynchronous is an async function.*asyncio\.to_thread"):
        call(asynchronous)
    assert not recwarn.list


def test_a_wait_that_the_program_ends_ends_the_call_with_the_clients_error():
    """``sleep=event.wait``: a service that stops does not send its waiting calls all at once."""
    error = HttpError(503)
    method = Scripted(error)
    with pytest.raises(HttpError) as caught:
        RetryPolicy(sleep=lambda _seconds: True).execute(method)
    assert caught.value is error
    assert len(method.calls) == 1
    assert error.os_retries.reason is GiveUp.STOPPED
    assert len(error.os_retries.attempts) == 1


@pytest.mark.parametrize("result", [None, False, 0, 1, "yes"])
def test_a_sleep_that_returns_anything_but_true_is_a_sleep(result):
    method = Scripted(HttpError(503), "result")
    assert RetryPolicy(sleep=lambda _seconds: result).execute(method) == "result"


def test_a_sibling_in_another_thread_of_the_same_call_has_its_own_retries():
    """asyncio.to_thread copies the context, and with it the scope of the call around."""
    attempts, results = [], []

    def in_a_thread(function):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(function,))
        thread.start()
        thread.join()

    def fails():
        with pytest.raises(HttpError):
            RetryPolicy(retries_number=0).execute(Scripted(HttpError(503)))

    def outer():
        context = contextvars.copy_context()

        def method():
            attempts.append(1)
            if len(attempts) == 1:  # while this attempt runs, the sibling gives up
                thread = threading.Thread(target=context.run, args=(fails,))
                thread.start()
                thread.join()
                raise HttpError(503)
            return "result"

        in_a_thread(lambda: results.append(RetryPolicy(sleep=lambda _seconds: None).execute(method)))

    RetryPolicy().execute(outer)
    assert results == ["result"]


@contextlib.contextmanager
def deadline_of_the_program():
    """Yield a function that lets a signal handler of the program raise TimeoutError where it is called."""

    def handle(*_):
        raise TimeoutError("the program's own")

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        yield lambda *_: signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_deadline_during_on_retry_ends_the_call(recorded):
    method = Scripted(HttpError(503))
    with deadline_of_the_program() as strike, pytest.raises(TimeoutError, match="the program's own"):
        RetryPolicy(on_retry=strike).execute(method)
    assert len(method.calls) == 1


def test_a_deadline_while_a_failure_is_judged_ends_the_call(recorded):
    method = Scripted(HttpError(503))
    with deadline_of_the_program() as strike, pytest.raises(TimeoutError, match="the program's own"):
        policy.provide(strike)
        execute_with_retries(method)
    assert len(method.calls) == 1


def test_a_deadline_that_a_client_has_given_a_status_is_not_repeated(recorded):
    def call():
        calls.append(1)
        try:
            strike()
        except TimeoutError as error:
            raise HttpError(503) from error

    calls = []
    with deadline_of_the_program() as strike, pytest.raises(HttpError):
        execute_with_retries(call)
    assert len(calls) == 1


def test_a_wait_inside_an_attempt_counts_and_goes_on_also_where_a_test_has_taken_it_out():
    def call():
        return pause(5.0, slept.append), current_scope().extra_waited

    slept = []
    assert execute_with_retries(call) == (False, 5.0)
    assert slept == [5.0]
    with NoWaits():
        assert execute_with_retries(call) == (False, 5.0)
    assert slept == [5.0]
    assert pause(5.0, lambda _seconds: True) is True
