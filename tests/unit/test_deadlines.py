"""Which exceptions are the program's deadline.  With requests and look-ups: tests/clients/test_deadlines.py."""

from __future__ import annotations

import ctypes
import email.errors
import functools
import http.client
import json
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keystoneauth1.exceptions
import pytest
import requests
import urllib3.exceptions

from os_retries.core.deadlines import deadline_in, let_through
from os_retries.session.targets import Answered


def handle(*_: object) -> None:
    raise TimeoutError("the program's own")


class Handler:
    def method(self, *_: object) -> None:
        raise TimeoutError("the program's own")

    def __call__(self, *_: object) -> None:
        raise TimeoutError("the program's own")


HANDLERS: dict[str, Callable[..., None]] = {
    "function": handle,
    "bound method": Handler().method,
    "callable object": Handler(),
    "partial": functools.partial(functools.partial(handle, 1), 2),
}


@contextmanager
def handling(handler: Callable[..., None]) -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def raised(handler: Callable[..., None]) -> TimeoutError:
    try:
        handler()
    except TimeoutError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("kind", HANDLERS)
def test_what_a_signal_handler_has_raised_is_a_deadline_also_behind_another_exception(kind):
    error = raised(HANDLERS[kind])
    outer = requests.ConnectionError()
    outer.__context__ = error
    with handling(HANDLERS[kind]):
        assert deadline_in(error) is error
        assert deadline_in(outer) is error
        for each in (error, outer):
            with pytest.raises(TimeoutError, match="the program's own"):
                let_through(each)
    assert deadline_in(error) is None  # it handles no signal any more


def test_an_exception_that_was_never_raised_is_no_deadline():
    with handling(handle):
        assert deadline_in(TimeoutError()) is None


def test_in_another_thread_no_handler_runs():
    error, found = raised(handle), []
    with handling(handle):
        thread = threading.Thread(target=lambda: found.append(deadline_in(error)))
        thread.start()
        thread.join()
    assert found == [None]


@pytest.mark.parametrize(
    "error",
    [
        keystoneauth1.exceptions.ConnectFailure(),
        requests.ConnectionError(),
        urllib3.exceptions.HTTPError(),
        http.client.HTTPException(),
        json.JSONDecodeError("x", "", 0),
        socket.gaierror(),
        socket.herror(),
        ssl.SSLError(),
        email.errors.MessageError(),
        Answered(requests.Response()),
        type("OfSomebody", (http.client.HTTPException,), {"__module__": "somebody"})(),
        TimeoutError(),
        ValueError(),
        AttributeError(),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_the_error_of_a_request_and_a_fault_of_ours_are_no_deadline_although_no_statement_has_raised_them(error):
    """C code raises such errors, in the socket module for one."""
    let_through(without_a_statement(error))


def without_a_statement(error: Exception) -> Exception:
    """Raise an error where the code stands at no ``raise``, as C code and another thread do."""

    def stand():
        yield

    standing = stand()
    next(standing)
    try:
        standing.throw(error)
    except Exception as caught:
        return caught
    raise AssertionError


def test_any_other_error_that_no_statement_has_raised_is_a_deadline():
    error = without_a_statement(SoftTimeLimitExceeded())
    with pytest.raises(SoftTimeLimitExceeded) as caught:
        let_through(error)
    assert caught.value is error


class SoftTimeLimitExceeded(Exception):
    """Celery's and rq's: a class of neither Python nor an HTTP package."""


def test_an_exception_that_another_thread_injects_is_a_deadline():
    """As rq's timer does it; no statement of the code that it interrupts has raised it."""
    caught = []

    def work():
        try:
            while True:
                pass
        except SoftTimeLimitExceeded as error:
            with pytest.raises(SoftTimeLimitExceeded) as again:
                let_through(error)
            caught.append(again.value is error)

    thread = threading.Thread(target=work)
    thread.start()
    injected = ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SoftTimeLimitExceeded)
    )
    thread.join(30)
    assert (injected, caught) == (1, [True])


def test_an_exception_of_any_class_that_a_statement_raises_is_no_deadline():
    """It is the own error of an adapter or an auth plugin that nobody here knows."""
    try:
        raise SoftTimeLimitExceeded
    except SoftTimeLimitExceeded as error:
        let_through(error)
    let_through(SoftTimeLimitExceeded())  # that nobody has raised yet
