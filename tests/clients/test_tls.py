"""A connection that breaks in TLS: before the handshake is over nothing was sent, and after it anything may have been."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from keystoneauth1.exceptions import SSLError
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from os_retries import GiveUp, RetryPolicy, attach

POLICY = RetryPolicy(retries_number=2, safe_creates=False)


class Door:
    """A socket on loopback.  ``answer`` is given each connection, and returns what it has read of a request."""

    def __init__(self, answer: Callable[[socket.socket], bytes]) -> None:
        self._seen: list[bytes] = []
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection:
                    connection.settimeout(2)
                    self._seen.append(self._answer(connection))

    def requests(self) -> list[bytes]:
        """Return what each connection has brought; the door is closed then."""
        self.close()
        return self._seen

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - dt.timedelta(1), now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "cert.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def door() -> Iterator[Callable[[Callable[[socket.socket], bytes]], Door]]:
    doors: list[Door] = []

    def build(answer: Callable[[socket.socket], bytes]) -> Door:
        doors.append(Door(answer))
        return doors[-1]

    yield build
    for each in doors:
        each.close()


def session_at(door: Door, verify: str | bool) -> Session:
    session = Session(Token(door.url, "token"), verify=verify)
    attach(session, POLICY)
    return session


def say(connection: socket.socket, words: bytes) -> None:
    """Send something in plain text, and read until the client hangs up: what is left unread would reset it."""
    connection.sendall(words)
    with suppress(OSError):
        while connection.recv(4096):
            pass


def not_tls(connection: socket.socket) -> bytes:
    say(connection, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    return b""


def broken_after_the_request(certificate: Path) -> Callable[[socket.socket], bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(connection: socket.socket) -> bytes:
        with suppress(ssl.SSLError, ConnectionError):
            secure = context.wrap_socket(connection, server_side=True)
            request = secure.recv(4096)
            with socket.socket(fileno=secure.detach()) as plain:
                say(plain, b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return request
        return b""

    return answer


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_handshake_that_fails_is_repeated_for_nothing_was_sent(verb, door, certificate, naps):
    server = door(not_tls)
    with pytest.raises(SSLError) as raised:
        session_at(server, str(certificate)).request(server.url + "/servers", verb)
    assert server.requests() == [b""] * 3
    assert naps == [10.0, 10.0]
    assert [each.what for each in raised.value.os_retries.attempts] == ["TLS failed"] * 3


def test_a_post_whose_answer_is_lost_in_tls_is_sent_once(door, certificate, naps):
    server = door(broken_after_the_request(certificate))
    with pytest.raises(SSLError) as raised:
        session_at(server, str(certificate)).post(server.url + "/servers", json={"server": {}})
    assert [request.split(b" ")[0] for request in server.requests()] == [b"POST"]
    assert naps == []
    assert raised.value.os_retries.reason is GiveUp.NOT_REPEATABLE


def test_a_get_whose_answer_is_lost_in_tls_is_repeated(door, certificate, naps):
    server = door(broken_after_the_request(certificate))
    with pytest.raises(SSLError):
        session_at(server, str(certificate)).get(server.url + "/servers")
    assert [request.split(b" ")[0] for request in server.requests()] == [b"GET"] * 3


def test_a_certificate_that_is_not_trusted_is_no_reason_to_try_again(door, certificate, naps):
    server = door(broken_after_the_request(certificate))
    with pytest.raises(SSLError):
        session_at(server, True).get(server.url + "/servers")
    assert server.requests() == [b""]
    assert naps == []
